"""`ebhook report` and `boot --report`: of real boots, from their logs and from the journals."""

from __future__ import annotations

from pathlib import Path

from ebhook.errors import Exit
from tests.conftest import Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency


def test_what_two_instances_did_is_one_report(
    fleet: Fleets, ebhook: Ebhook, tmp_path: Path
) -> None:
    """From both logs; from the journals by the holder; and the page that the boot itself wrote."""
    agency = Agency(fleet(4), ebhook, PROJECTS / "linear")
    for name in agency.names:
        agency.stand_at_a002(name)
    bad = agency.names[2]
    agency.ask(bad, "ALTER TABLE clients ADD tier INT")
    page = tmp_path / "own.html"

    first = agency.start("boot", "--report", str(page), holder="i-0abc")
    first.end()
    second = agency.start("boot", holder="i-0def")
    second.end()
    made = agency.run(
        "report", str(first.log), str(second.log), "--html", str(tmp_path / "both.html"), "--json"
    )
    text = agency.run("report", str(first.log))
    holder = str(agency.ask(agency.names[0], "SELECT holder FROM migration_journal LIMIT 1")[0][0])
    journals = agency.run("report", "--run", holder, "--json")
    nobody = agency.run("report", "--run", "nobody")

    assert made.code == Exit.OK, made.stderr
    found = {one["tenant"]: one for one in made.json()["tenants"]}
    assert [one["host"] for one in made.json()["runs"]] == ["i-0abc", "i-0def"]
    assert {name for name, one in found.items() if one["outcome"] == "upgraded"} == {
        *agency.names
    } - {bad}
    assert found[bad]["outcome"] == "failed"
    assert "Duplicate column name 'tier' (1060)" in found[bad]["what"]
    assert f"ebhook upgrade {bad}" in found[bad]["next"]
    assert list(found[agency.names[0]]["revisions"]) == ["a003", "a004", "a005"]
    assert "3 upgraded" in text.stdout
    for written in (page, tmp_path / "both.html"):
        html = written.read_text("utf-8")
        assert all(f">{name}</th>" in html for name in agency.names)
    assert {one["tenant"] for one in journals.json()["tenants"]} >= {agency.names[0]}
    assert journals.json()["revisions"] == ["a003", "a004", "a005"]
    assert nobody.code == Exit.USAGE
