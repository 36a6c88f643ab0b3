"""What a report looks like: for people, for programs, for GitHub, as SARIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ebhook.lint.checking import Report
from ebhook.lint.formats import FORMATS
from ebhook.lint.formats.corrected import source_of
from ebhook.lint.rules import by_id
from tests.support.lint_cases import Case, case, judged

BODY = """\
def add(table):
    op.add_column(table, sa.Column("größe", sa.Integer(), nullable=False))


def upgrade():
    for table in ("cases", "users"):
        add(table)
    op.drop_column("cases", "note")  # ebhook: allow EBH002 -- never read, 100% sure
    op.execute("UPDATE users SET name = '50%, or: more' WHERE 1 = 1")


def downgrade():
    op.add_column("cases", sa.Column("note", sa.Text()))
    for table in ("users", "cases"):
        op.drop_column(table, "größe")
"""


@pytest.fixture
def report(tmp_path: Path) -> Report:
    source_of.cache_clear()
    made: Case = case("EBH040", True, "for formats", BODY)
    return judged(made.write(tmp_path))


def test_text_names_the_place_the_reason_and_the_correction(report: Report, tmp_path: Path) -> None:
    """One finding for a line of a loop, with the other tables named below it."""
    text = FORMATS["text"](report, tmp_path)

    assert "migrations/versions/b002_jms_2_a_case.py:15:5: EBH040" in text
    assert text.count(": EBH040 a NOT NULL column") == 1
    assert "And 1 more like this, by the same line:" in text
    assert (
        'op.add_column(table, sa.Column("größe", sa.Integer(), nullable=False, server_default'
        in text
    )
    assert "4 findings in 1 file, 1 allowed; 1 of 2 revisions judged" in text
    assert "EBH002" not in text


def test_text_of_a_good_chain_is_one_line(tmp_path: Path) -> None:
    """No findings, no noise."""
    good = case("EBH001", False, "good", "def upgrade():\n    op.execute('CREATE TABLE b (id INT PRIMARY KEY)')\n\n\ndef downgrade():\n    op.drop_table('b')\n")  # fmt: skip

    text = FORMATS["text"](judged(good.write(tmp_path)), tmp_path)

    assert text.startswith("No findings; 1 of 2 revisions judged in ")
    assert text.count("\n") == 1


def test_json_has_everything(report: Report, tmp_path: Path) -> None:
    """A contract: these keys, with lines and columns from 1."""
    document = json.loads(FORMATS["json"](report, tmp_path))

    assert document["exit_code"] == 1
    assert (document["judged"], document["revisions"]) == (1, 2)
    finding = document["findings"][0]
    assert finding["rule"] == "EBH040"
    assert finding["revision"] == "b002"
    assert finding["file"] == "migrations/versions/b002_jms_2_a_case.py"
    assert (finding["line"], finding["column"], finding["end_column"]) == (15, 5, 75)
    assert finding["sql"].startswith("ALTER TABLE")
    assert [place["line"] for place in finding["called_from"]] == [20]
    assert finding["edits"][0]["text"] == ', server_default=sa.text("0")'
    assert document["allowed"][0]["reason"] == "never read, 100% sure"


def test_github_annotations_escape_what_has_a_meaning(report: Report, tmp_path: Path) -> None:
    """Newlines and percent signs in messages; commas and colons in properties, too."""
    lines = FORMATS["github"](report, tmp_path).splitlines()

    assert len(lines) == len(report.findings) + 1
    errors = [line for line in lines if line.startswith("::error ")]
    assert len(errors) == len(report.findings)
    first = errors[0]
    assert "file=migrations/versions/b002_jms_2_a_case.py,line=15," in first
    assert ",col=5," in first
    assert "%0A" in first
    assert "50%25, or: more" in errors[-1]
    assert lines[-1].startswith("::notice ")


def test_sarif_has_the_structure_that_the_standard_requires(report: Report, tmp_path: Path) -> None:
    """SARIF 2.1.0: the required properties, indexes that fit, regions in order."""
    log = json.loads(FORMATS["sarif"](report, tmp_path))

    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "ebhook lint"
    assert [rule["id"] for rule in driver["rules"]] == sorted(by_id())
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    assert run["columnKind"] == "unicodeCodePoints"
    (base,) = run["originalUriBaseIds"]
    assert run["originalUriBaseIds"][base]["uri"] == tmp_path.as_uri() + "/"
    assert run["invocations"][0]["executionSuccessful"] is True
    assert len(run["results"]) == len(report.findings) + len(report.allowed)
    for result in run["results"]:
        _check_result(result, driver["rules"], base)
    (suppressed,) = [result for result in run["results"] if "suppressions" in result]
    assert suppressed["suppressions"] == [
        {"kind": "inSource", "justification": "never read, 100% sure"}
    ]


def _check_result(result: dict[str, Any], rules: list[dict[str, Any]], base: str) -> None:
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["message"]["text"]
    assert result["level"] == "error"
    assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
    for location in (*result["locations"], *result.get("relatedLocations", ())):
        place = location["physicalLocation"]
        assert place["artifactLocation"]["uriBaseId"] == base
        assert not place["artifactLocation"]["uri"].startswith("/")
        _check_region(place["region"])
    for fix in result.get("fixes", ()):
        for change in fix["artifactChanges"]:
            assert change["artifactLocation"]["uri"]
            for replacement in change["replacements"]:
                _check_region(replacement["deletedRegion"])
                assert isinstance(replacement["insertedContent"]["text"], str)


def _check_region(region: dict[str, int]) -> None:
    begin = (region["startLine"], region["startColumn"])
    assert min(begin) >= 1
    assert begin <= (region["endLine"], region["endColumn"])
