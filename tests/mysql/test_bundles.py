"""The way back, and bundles that are older or newer than a database."""

from __future__ import annotations

import pytest

from ebhook.errors import (
    HalfApplied,
    MigrationFailed,
    RevisionUnknown,
)
from ebhook.events import LockWaiting
from ebhook.lock.named_lock import lock_name
from tests.support.proxy import Where
from tests.support.single_tenant import COUNT, EMAIL, PHONE, Clinic
from tests.support.watching import ask

# --- back again -----------------------------------------------------------------------------------------


def test_a_downgrade_is_journalled_and_the_next_boot_finishes_it(clinic: Clinic) -> None:
    """Killed on the way back, a tenant first goes all the way back, then up to head again."""
    back = f"op.execute({COUNT!r})\nop.drop_column('clients', 'phone')\nop.drop_column('clients', 'email')"
    clinic.statements("a002", EMAIL, PHONE, after="a001", back=back)
    clinic.succeeds()

    clinic.dies("COLUMN email", Where.AFTER, to="a001", downgrade=True)
    half = clinic.half()
    assert half is not None
    assert (half.kind, half.revision) == ("downgrade", "a002")
    ran = clinic.cli("boot")

    assert ran.code == 0, ran.stdout
    assert clinic.version() == "a002"
    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]
    kinds = [(entry.kind, entry.revision) for entry in clinic.entries()]
    assert kinds == [
        ("upgrade", "a001"),
        ("upgrade", "a002"),
        ("downgrade", "a002"),
        ("upgrade", "a002"),
    ]
    assert clinic.half() is None


def test_a_downgrade_that_is_finished_leaves_no_lock_row(clinic: Clinic) -> None:
    clinic.statements("a002", EMAIL, after="a001", back="op.drop_column('clients', 'email')")
    clinic.succeeds()
    clinic.dies("DROP COLUMN email", Where.AFTER, to="a001", downgrade=True)

    clinic.succeeds(to="a001", downgrade=True)

    assert clinic.columns("clients") == ["id", "name", "n"]


def test_a_downgrade_over_a_half_applied_revision_is_refused(clinic: Clinic) -> None:
    """It would undo what is not there."""
    clinic.statements("a002", EMAIL, PHONE, after="a001")
    clinic.dies("COLUMN phone")

    clinic.fails(HalfApplied, to="base", downgrade=True)

    clinic.succeeds()


# --- other bundles ----------------------------------------------------------------------------------------


def test_an_old_bundle_finds_a_newer_database_fine(clinic: Clinic) -> None:
    """The journal's lineage leads back to its head: ahead by two, exit 0, nothing done."""
    newer = [
        clinic.statements("a002", EMAIL, after="a001"),
        clinic.statements("a003", PHONE, after="a002"),
    ]
    clinic.succeeds()
    for path in newer:
        path.unlink()

    ran = {verb: clinic.cli(verb, "--json") for verb in ("boot", "upgrade", "status")}

    assert [one.code for one in ran.values()] == [0, 0, 0]
    assert ran["boot"].json()["tenants"][0]["outcome"] == "ahead"
    (tenant,) = ran["status"].json()["tenants"]
    assert (tenant["state"], tenant["ahead"]) == ("ahead", 2)
    assert clinic.version() == "a003"


def test_an_old_bundle_that_waited_finds_a_newer_database_fine(clinic: Clinic) -> None:
    """While it waits for the lock, a newer bundle takes the tenant past all that it knows."""
    clinic.statements("a002", EMAIL, after="a001")
    blocker = clinic.fleet.connect(clinic.name)
    ask(blocker, f"SELECT GET_LOCK('{lock_name(clinic.name, folds=False)}', 0)")
    run = clinic.start()
    run.await_event(LockWaiting)
    ask(blocker, EMAIL)
    ask(blocker, PHONE)
    ask(blocker, "UPDATE alembic_version SET version_num = 'a003'")
    for id, parent in (("a002", "a001"), ("a003", "a002")):
        ask(
            blocker,
            "INSERT INTO migration_journal (kind, revision, down_revision, finished_at)"
            f" VALUES ('upgrade', '{id}', '{parent}', NOW())",
        )
    blocker.close()

    finished = run.finished()

    assert finished is not None
    assert finished.error is None, str(finished.error)
    assert clinic.version() == "a003"


@pytest.mark.parametrize("lineage", ["none", "another branch"])
def test_an_unknown_revision_without_a_lineage_needs_a_person(clinic: Clinic, lineage: str) -> None:
    """Exit 2, and it is said why; nothing is changed."""
    newer = clinic.statements("b002", EMAIL, after="a001")
    clinic.succeeds()
    newer.unlink()
    if lineage == "none":
        clinic.do("DELETE FROM migration_journal")
    else:
        clinic.statements("a002", PHONE, after="a001")

    boot, status = clinic.cli("boot"), clinic.cli("status", "--json")

    assert boot.code == status.code == 2
    assert status.json()["tenants"][0]["state"] == "unknown_revision"
    expected = "no journal tells" if lineage == "none" else "it builds on a001"
    assert expected in boot.stdout
    assert "phone" not in clinic.columns("clients")
    assert isinstance(clinic.run().error, RevisionUnknown)


def test_edited_after_it_was_applied_is_seen(clinic: Clinic) -> None:
    """``status`` names the revision; it changes nothing about the exit code."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.succeeds()

    clinic.statements("a002", EMAIL, PHONE, after="a001")
    status = clinic.cli("status", "--json")

    assert status.code == 0
    assert status.json()["tenants"][0]["edited"] == ["a002"]
    assert "edited after applied: a002" in clinic.cli("status").stdout


def test_history_tells_what_was_applied_when_by_whom(clinic: Clinic) -> None:
    """Every line, the oldest first, of one tenant or of all; a half applied one is said to be so."""
    clinic.statements("a002", EMAIL, "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    clinic.fails(MigrationFailed, holder="i-0abc")

    one, whole = clinic.cli("history", clinic.name), clinic.cli("history", "--all", "--json")

    assert one.code == whole.code == 0
    assert "(half applied, 1 statement in)" in one.stdout
    assert "Duplicate column name 'name'" in one.stdout
    first, second = whole.json()["history"]
    assert (first["revision"], first["statements"]) == ("a001", 2)
    assert first["seconds"] > 0
    assert first["finished_at"]
    assert second["holder"].startswith("i-0abc:")
    assert second["finished_at"] is None
