"""Whatever a migration does on its connection is heard, by whichever way it goes there."""

from __future__ import annotations

import pytest

from ebhook.database.connection import Connection
from ebhook.errors import MigrationFailed
from ebhook.events import StatementRetried
from tests.conftest import Fleets
from tests.support.proxy import Fate, Query, Where
from tests.support.single_tenant import COUNT, CREATE_LAST, PHONE, Clinic
from tests.support.watching import ask

ONCE = [(1,), (1,), (1,)]


@pytest.mark.parametrize(
    "how",
    [
        'op.get_bind().connection.cursor().execute("UPDATE clients SET n = n + 1")',
        """
        cursor = op.get_bind().connection.cursor()
        cursor.executemany("UPDATE clients SET n = n + 1 WHERE id = %s", [(1,), (2,), (3,)])
        """,
        """
        from pymysql.cursors import DictCursor
        op.get_bind().connection.cursor(DictCursor).execute("UPDATE clients SET n = n + 1")
        """,
        'op.get_bind().connection.cursor().callproc("count_by", (1,))',
        """
        op.get_bind().exec_driver_sql("UPDATE clients SET n = n + 1")
        op.get_bind().connection.commit()
        """,
        """
        op.execute("UPDATE clients SET n = n + 5")
        op.get_bind().connection.rollback()
        op.execute("UPDATE clients SET n = n + 1")
        """,
        """
        with op.get_context().autocommit_block():
            op.execute("UPDATE clients SET n = n + 1")
        """,
        """
        op.get_bind().execute(
            sa.text("UPDATE clients SET n = n + 1 WHERE id = :id"), [{"id": 1}, {"id": 2}, {"id": 3}]
        )
        """,
    ],
    ids=[
        "cursor", "executemany", "another-cursor", "callproc", "commit", "rollback", "autocommit",
        "many",
    ],
)  # fmt: skip
def test_each_way_to_the_server_counts_once(clinic: Clinic, how: str) -> None:
    """Killed after it, and before the next statement; then resumed."""
    clinic.do("CREATE PROCEDURE count_by(IN step INT) UPDATE clients SET n = n + step")
    body = "\n".join(line.removeprefix("        ") for line in how.strip("\n").split("\n"))
    clinic.revision(
        "a002", f"{body}\nop.execute({PHONE!r})\nop.execute({CREATE_LAST!r})", after="a001"
    )
    clinic.dies("COLUMN phone", Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT n FROM clients") == ONCE


def held(clinic: Clinic, id: int) -> Connection:
    """A person's open transaction that has one client."""
    person = clinic.fleet.connect(clinic.name, autocommit=False)
    ask(person, f"SELECT * FROM clients WHERE id = {id} FOR UPDATE")
    return person


@pytest.mark.parametrize(
    "how",
    [
        """
        op.get_bind().execute(
            sa.text("UPDATE clients SET n = n + 1 WHERE id = :id"), [{"id": 1}, {"id": 2}, {"id": 3}]
        )
        """,
        'op.execute("CALL count_each()")',
    ],
    ids=["executemany", "call"],
)
def test_what_waits_is_not_done_twice(clinic: Clinic, how: str) -> None:
    """The second of several statements in one waits for somebody's row: the first is not repeated."""
    clinic.do(
        "CREATE PROCEDURE count_each() BEGIN UPDATE clients SET n = n + 1 WHERE id = 1; "
        "UPDATE clients SET n = n + 1 WHERE id IN (2, 3); END"
    )
    clinic.revision("a002", how, after="a001")
    with held(clinic, 2) as person:
        run = clinic.start(ddl_lock_wait_timeout="1")
        run.await_event(StatementRetried)
        person.rollback()
        finished = run.finished()

    assert finished is not None
    assert finished.error is None
    assert clinic.ask("SELECT n FROM clients ORDER BY id") == ONCE


def test_a_call_that_commits_is_not_tried_again(clinic: Clinic) -> None:
    """What it has committed cannot be taken back: a person is asked."""
    clinic.do(
        "CREATE PROCEDURE count_each() BEGIN UPDATE clients SET n = n + 1 WHERE id = 1; COMMIT; "
        "UPDATE clients SET n = n + 1 WHERE id IN (2, 3); END"
    )
    clinic.statements("a002", "CALL count_each()", after="a001")
    with held(clinic, 2):
        first = clinic.run(ddl_lock_wait_timeout="1")

    assert first.error is not None
    assert clinic.ask("SELECT n FROM clients ORDER BY id") == [(1,), (0,), (0,)]
    second = clinic.run()
    assert "resolve" in str(second.error)
    assert clinic.ask("SELECT n FROM clients ORDER BY id") == [(1,), (0,), (0,)]


def test_row_count_is_the_migrations_own(clinic: Clinic) -> None:
    """The journal says nothing between two statements that change rows."""
    clinic.statements(
        "a002",
        "CREATE TABLE log (m INT)",
        COUNT,
        "INSERT INTO log SELECT ROW_COUNT()",
        after="a001",
    )
    clinic.succeeds()
    assert clinic.ask("SELECT m FROM log") == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "DO RELEASE_ALL_LOCKS()",
        "SELECT release_all_locks ()",
        "SELECT RELEASE_LOCK('ebhook:acme:0')",
    ],
)
def test_the_lock_is_not_given_away(clinic: Clinic, sql: str) -> None:
    """A statement that would free the lock's name is refused, and not run."""
    clinic.statements("a002", sql, PHONE, after="a001")
    error = clinic.fails(MigrationFailed)
    assert "give away the lock" in error.what
    clinic.statements("a002", "SELECT RELEASE_LOCK('our own')", PHONE, after="a001")
    clinic.succeeds()


def test_a_lock_that_was_given_away_unseen_is_noticed(clinic: Clinic) -> None:
    """A procedure has freed it: the version does not move, and the next run does."""
    clinic.do("CREATE PROCEDURE let_go() DO RELEASE_ALL_LOCKS()")
    clinic.statements("a002", PHONE, "CALL let_go()", after="a001")
    error = clinic.fails(MigrationFailed)
    assert "the lock of this tenant was lost" in error.what
    assert clinic.version() == "a001"
    clinic.succeeds()


def test_the_lock_table_may_go_while_it_is_held(clinic: Clinic) -> None:
    """Dropped by hand: the name guards on, and the revision is done."""
    clinic.statements("a002", PHONE, after="a001")

    def drop(query: Query) -> Fate:
        clinic.do("DROP TABLE migration_lock")
        return Fate.ON

    clinic.strike("COLUMN phone", Where.BEFORE, drop)
    finished = clinic.run()
    assert finished.error is None
    assert clinic.version() == "a002"


def test_the_version_is_moved_at_home(clinic: Clinic, fleet: Fleets) -> None:
    """A revision that ends in another tenant's database moves its own version."""
    other = fleet(1).names[0]
    clinic.do(f"CREATE TABLE {other}.alembic_version AS SELECT * FROM alembic_version")
    clinic.statements("a002", PHONE, f"USE {other}", after="a001")
    clinic.succeeds()
    assert clinic.version() == "a002"
    assert clinic.ask(f"SELECT version_num FROM {other}.alembic_version") == [("a001",)]
