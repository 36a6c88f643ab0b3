"""`ebhook stamp`: a database that no migration made is adopted where it is what the chain makes, and nowhere else."""

from __future__ import annotations

from ebhook.errors import Exit
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency


def test_a_database_made_by_hand_is_adopted(
    fleet: Fleets, ebhook: Ebhook, server: AnyServer
) -> None:
    """Two are alike, one has more: that one is refused with the difference and left as it is; the others go on
    with an upgrade."""
    agency = Agency(fleet(3), ebhook, PROJECTS / "linear", {"scratch_url": server.url()})
    for name in agency.names:
        agency.stand_at_a002(name)
        agency.ask(name, "DROP TABLE alembic_version")
    one, two, other = agency.names
    agency.ask(other, "ALTER TABLE clients ADD tier INT")

    stuck = agency.run("upgrade", one)
    told = agency.run("doctor", one)
    dry = agency.run("stamp", one, "a002", "--dry-run")
    assert agency.version(one) is None
    ran = agency.run("stamp", *agency.names, "a002")

    assert stuck.code == Exit.PERSON
    assert f"ebhook stamp {one} REVISION" in stuck.stdout + stuck.stderr
    assert "has tables (2) and no revision" in told.stdout
    assert f"ebhook stamp {one} REVISION --dry-run" in told.stdout
    assert "(2 tables compared); dry run: nothing was written" in dry.stdout
    assert ran.code == Exit.PERSON, ran.stdout + ran.stderr
    # What the upgrade left half applied is to be finished, not to be stamped over.
    assert f"{one}: revision a001 is half done" in ran.stdout
    assert f"{two}: base → a002 (2 tables compared)" in ran.stdout
    assert f"{other}: is not what the chain makes at a002 (-):" in ran.stdout
    assert "+ `tier` int" in ran.stdout
    assert [agency.version(name) for name in agency.names] == [None, "a002", None]
    assert agency.lock_rows() == []
    assert "alembic_version" not in {row[0] for row in agency.ask(other, "SHOW TABLES")}
    history = agency.run("history", two, "--json").json()["history"]
    assert [(line["kind"], line["revision"]) for line in history] == [("stamp", "a002")]
    assert agency.run("upgrade", two).code == Exit.OK
    again = agency.run("stamp", two, "a005", "--json")
    assert again.json()["tenants"][0]["before"] == again.json()["tenants"][0]["after"] == "a005"


def test_what_a_stamp_refuses(fleet: Fleets, ebhook: Ebhook, server: AnyServer) -> None:
    """A tenant that has a revision, a revision that is not there, a tenant that is not there; --unchecked writes
    what it is told, and says so in the journal."""
    agency = Agency(fleet(1), ebhook, PROJECTS / "linear", {"scratch_url": server.url()})
    (name,) = agency.names
    agency.stand_at_a002(name)

    elsewhere = agency.run("stamp", name, "a001")
    unknown = agency.run("stamp", name, "nothing")
    nobody = agency.run("stamp", "acme", "a001")
    both = agency.run("stamp", name, "a001", "--unchecked", "--dry-run")
    alone = agency.run("stamp", name)
    moved = agency.run("stamp", name, "a003", "--unchecked")

    assert elsewhere.code == Exit.PERSON
    assert f"{name}: stands at a002 already: it is no database to adopt." in elsewhere.stdout
    assert [one.code for one in (unknown, nobody, both, alone)] == [Exit.USAGE] * 4
    assert moved.code == Exit.OK, moved.stdout
    assert "a002 → a003 (unchecked)" in moved.stdout
    assert agency.version(name) == "a003"
    (note,) = agency.ask(name, "SELECT note FROM migration_journal")[0]
    assert note == "stamped, not compared (--unchecked); it stood at a002"
