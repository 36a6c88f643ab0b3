"""Revisions that failed and were mended, and databases that other tools have touched."""

from __future__ import annotations

import pytest

from ebhook.errors import (
    JournalForeign,
    MigrationFailed,
    RevisionChanged,
)
from ebhook.events import StatementRetried
from tests.conftest import AnyServer, Fleets
from tests.support.proxy import Where
from tests.support.single_tenant import COUNT, EMAIL, PHONE, Clinic
from tests.support.watching import ask

# --- failures, and mending them -----------------------------------------------------------------------


def test_a_refused_statement_is_run_again_after_a_repair_by_hand(clinic: Clinic) -> None:
    """What was in the way is dropped: the table looks different now, and still it did not happen."""
    clinic.statements("a002", COUNT, EMAIL, PHONE, after="a001")
    clinic.do("ALTER TABLE clients ADD COLUMN email INT")
    clinic.fails(MigrationFailed)

    clinic.do("ALTER TABLE clients DROP COLUMN email")
    clinic.succeeds()

    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_a_mended_rest_goes_on(clinic: Clinic) -> None:
    """The usual repair: the failing statement is mended, deployed, and what is in stays in."""
    clinic.statements("a002", EMAIL, COUNT, "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    error = clinic.fails(MigrationFailed)
    assert "plus 2 statements of a002" in error.state

    clinic.statements("a002", EMAIL, COUNT, PHONE, "CREATE TABLE more (id INT)", after="a001")
    clinic.succeeds()

    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_a_rest_that_is_taken_out_is_done(clinic: Clinic) -> None:
    """The failing statement may also simply go."""
    clinic.statements("a002", EMAIL, "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    clinic.fails(MigrationFailed)

    clinic.statements("a002", EMAIL, after="a001")
    clinic.succeeds()


@pytest.mark.parametrize(
    "statements",
    [(PHONE, COUNT), (COUNT, EMAIL), (EMAIL,), (EMAIL.replace("50", "60"), COUNT, PHONE)],
    ids=["another", "the other way round", "fewer", "a little different"],
)
def test_an_edited_beginning_is_refused(clinic: Clinic, statements: tuple[str, ...]) -> None:
    """The refusal lists what is in; with the file as it was, the revision goes on."""
    clinic.statements("a002", EMAIL, COUNT, PHONE, after="a001")
    clinic.dies("COLUMN phone", Where.AFTER)

    clinic.statements("a002", *statements, after="a001")
    error = clinic.fails(RevisionChanged)

    assert EMAIL in error.state
    assert COUNT in error.state
    assert PHONE not in error.state
    assert "a002_jms_1.py" in str(error.next)
    clinic.statements("a002", EMAIL, COUNT, PHONE, after="a001")
    clinic.succeeds()
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_an_edited_statement_in_doubt_is_refused_when_it_happened(clinic: Clinic) -> None:
    """It is in the database as it was written before."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.dies(EMAIL, Where.AFTER)

    clinic.statements("a002", EMAIL.replace("50", "60"), after="a001")
    clinic.fails(RevisionChanged)

    assert clinic.columns("clients")[-1] == "email"


def test_values_that_differ_from_run_to_run_are_refused(clinic: Clinic) -> None:
    """Skipping is for the same statements only; the way out is said, and it works."""
    clinic.revision(
        "a002",
        """
        import uuid
        op.execute(f"UPDATE clients SET name = '{uuid.uuid4()}'")
        op.add_column("clients", sa.Column("email", sa.String(50)))
        """,
        after="a001",
    )
    clinic.dies("COLUMN email", Where.AFTER)

    error = clinic.fails(RevisionChanged)

    assert "differ from run to run" in error.what
    assert "DELETE FROM migration_journal WHERE id = " in str(error.next)
    clinic.do("ALTER TABLE clients DROP COLUMN email", str(error.next).rpartition("and then: ")[2])
    clinic.succeeds()


def test_a_failing_python_line_leaves_no_doubt(clinic: Clinic) -> None:
    """What was seen to succeed counts as in, also when nobody could tell afterwards."""
    clinic.revision(
        "a002",
        'op.execute("TRUNCATE TABLE clients")\nraise RuntimeError("no such agency")',
        after="a001",
    )
    error = clinic.fails(MigrationFailed)
    assert "no such agency" in error.what
    assert "plus 1 statement" in error.state

    clinic.revision("a002", 'op.execute("TRUNCATE TABLE clients")', after="a001")
    clinic.do("INSERT INTO clients (id) VALUES (9)")
    clinic.succeeds()

    assert clinic.ask("SELECT id FROM clients") == [(9,)]


def test_several_statements_in_one_are_explained(clinic: Clinic) -> None:
    """One op.execute is one statement; split in two it goes on."""
    clinic.statements("a002", EMAIL, f"{COUNT}; {PHONE}", after="a001")

    error = clinic.fails(MigrationFailed)

    assert "One op.execute is one statement" in str(error.next)
    clinic.statements("a002", EMAIL, COUNT, PHONE, after="a001")
    clinic.succeeds()
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_a_slip_of_the_pen_is_not_in_doubt(clinic: Clinic) -> None:
    """A statement that the server could not read did not happen."""
    clinic.statements("a002", EMAIL, "UPDAET clients SET n = 1", after="a001")
    clinic.fails(MigrationFailed)

    clinic.statements("a002", EMAIL, COUNT, after="a001")
    clinic.succeeds()


def test_a_half_applied_revision_that_is_no_longer_next_is_refused(clinic: Clinic) -> None:
    """Another revision was put before it; with nothing of it in, it would not matter."""
    clinic.statements("a003", EMAIL, "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    clinic.fails(MigrationFailed)

    clinic.statements("a002", PHONE, after="a001")
    clinic.statements("a003", EMAIL, after="a002")
    error = clinic.fails(RevisionChanged)

    assert "the next one in this chain is a002" in error.what
    assert EMAIL in error.state


def test_a_revision_of_which_nothing_is_in_may_be_replaced(clinic: Clinic) -> None:
    """It failed at its first statement: another one may take its place."""
    clinic.statements("a002", "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    clinic.fails(MigrationFailed)

    (clinic.versions / "a002_jms_1.py").unlink()
    clinic.statements("b002", EMAIL, after="a001")
    clinic.succeeds()

    assert clinic.version() == "b002"


# --- what other tools left ----------------------------------------------------------------------------

IN_THE_WAY = {
    1050: ("CREATE TABLE visits (id INT)", "visits", "CREATE TABLE visits (id INT)"),
    1060: ("ALTER TABLE clients ADD COLUMN tier INT", "tier", "ALTER TABLE clients ADD COLUMN tier INT"),
    1061: ("CREATE INDEX ix ON clients (n)", "ix", "CREATE INDEX ix ON clients (n)"),
    1091: ("ALTER TABLE clients DROP COLUMN name", "name", "ALTER TABLE clients DROP COLUMN name"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "made", "object", "sql"), [(k, *v) for k, v in IN_THE_WAY.items()]
)
def test_what_another_tool_did_is_named_and_can_be_accepted(
    clinic: Clinic, number: int, made: str, object: str, sql: str
) -> None:
    """The error says which object is in the way and what to do; ``resolve --applied`` does it."""
    clinic.do(made)
    clinic.statements("a002", COUNT, sql, PHONE, after="a001")

    first = clinic.cli("boot")

    assert first.code == 2
    assert object in first.stdout
    assert f"({number})" in first.stdout
    assert f"ebhook resolve {clinic.name}. Then: ebhook upgrade {clinic.name}" in first.stdout
    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    assert clinic.cli("boot").code == 0
    assert clinic.columns("clients").count("phone") == 1
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_a_database_without_a_journal_is_adopted_where_it_stands(clinic: Clinic) -> None:
    """Only what comes after its version is run, and only that is in the history."""
    clinic.do("DROP TABLE migration_journal", "DROP TABLE migration_lock")
    clinic.statements("a002", EMAIL, after="a001")

    clinic.succeeds()

    assert [entry.revision for entry in clinic.entries()] == ["a002"]


def test_another_table_of_that_name_is_left_alone(clinic: Clinic) -> None:
    """The error says which setting gives the journal another name, and that works."""
    clinic.do("DROP TABLE migration_journal", "CREATE TABLE migration_journal (id INT, text TEXT)")
    clinic.statements("a002", EMAIL, after="a001")

    error = clinic.fails(JournalForeign)

    assert "EBHOOK_JOURNAL_TABLE" in str(error.next)
    assert "EBHOOK_JOURNAL_TABLE" in clinic.cli("status").stdout
    finished = clinic.run(journal_table="ebhook_journal")
    assert finished.error is None
    assert clinic.ask("SELECT COUNT(*) FROM ebhook_journal") == [(1,)]
    assert clinic.ask("SELECT COUNT(*) FROM migration_journal") == [(0,)]


def test_a_dump_from_the_middle_is_resumed_where_it_is_restored(
    clinic: Clinic, fleet: Fleets, server: AnyServer
) -> None:
    """The lock's row and the journal come with it; the holder is not there, the statements are."""
    clinic.statements("a002", EMAIL, COUNT, PHONE, after="a001")
    clinic.dies("COLUMN phone", Where.AFTER)
    restored = fleet(1)
    (name,) = restored.names
    with server.connect() as connection:
        for (table,) in ask(connection, f"SHOW TABLES FROM {clinic.name}"):
            ask(connection, f"CREATE TABLE {name}.{table} LIKE {clinic.name}.{table}")
            ask(connection, f"INSERT INTO {name}.{table} SELECT * FROM {clinic.name}.{table}")
    other = Clinic(restored, clinic.ebhook, clinic.proxy, clinic.folder.with_name("other"))
    other.folder = clinic.folder
    assert len(other.ask("SELECT * FROM migration_lock")) == 1

    other.succeeds()

    assert other.columns("clients") == ["id", "name", "n", "email", "phone"]
    assert other.ask("SELECT DISTINCT n FROM clients") == [(1,)]
    clinic.succeeds()


def test_a_table_that_somebody_has_locked_is_waited_for(clinic: Clinic) -> None:
    """Before a definition its table is looked at: that, too, is tried again when it is in use."""
    clinic.statements("a002", EMAIL, after="a001")
    connection = clinic.fleet.connect(clinic.name)
    ask(connection, "LOCK TABLES clients WRITE")

    run = clinic.start(ddl_lock_wait_timeout="1")
    run.await_event(StatementRetried)
    connection.close()
    finished = run.finished()

    assert finished is not None
    assert finished.error is None
