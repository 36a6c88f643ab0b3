"""What a session has for itself, when the revision that built on it is resumed by another session."""

from __future__ import annotations

import pytest

from ebhook.errors import RevisionChanged
from tests.conftest import Fleets
from tests.support.proxy import Where
from tests.support.single_tenant import COUNT, CREATE_LAST, PHONE, Clinic

TOTAL = "ALTER TABLE clients ADD COLUMN total INT"


@pytest.mark.parametrize(
    "statements",
    [
        # filled from rows that are changed by what is in
        (
            "CREATE TEMPORARY TABLE t AS SELECT id, n + 1 AS x FROM clients",
            COUNT,
            TOTAL,
            "UPDATE clients JOIN t USING (id) SET total = x",
        ),
        (
            "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, x INT)",
            "INSERT INTO t SELECT id, n FROM clients",
            COUNT,
            TOTAL,
            "UPDATE clients JOIN t USING (id) SET total = x",
        ),
        # changed together with other tables
        (
            "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, x INT)",
            "INSERT INTO t (id) VALUES (1), (2), (3)",
            "UPDATE t JOIN clients USING (id) SET t.x = clients.n * 10",
            TOTAL,
            "UPDATE clients JOIN t USING (id) SET total = x",
        ),
        # variables
        (
            "SET @m = (SELECT SUM(id) FROM clients)",
            "UPDATE clients SET id = id + 10",
            TOTAL,
            "UPDATE clients SET total = @m",
        ),
        (
            "SELECT SUM(id) INTO @m FROM clients",
            "UPDATE clients SET id = id + 10",
            TOTAL,
            "UPDATE clients SET total = @m",
        ),
        (
            "SET @m = 0",
            "UPDATE clients SET n = (@m := @m + 1)",
            TOTAL,
            "UPDATE clients SET total = @m",
        ),
        ("SET @m = 0", "CALL six(@m)", TOTAL, "UPDATE clients SET total = @m"),
        (
            "SET @m = (SELECT MAX(id) FROM clients)",
            "SET @l = @m + 1",
            TOTAL,
            "UPDATE clients SET total = @l",
        ),
    ],
    ids=["filled", "filled-later", "changed-beside", "set", "into", "assigned", "out", "of"],
)
def test_what_is_lost_is_not_built_on(clinic: Clinic, statements: tuple[str, ...]) -> None:
    """Made anew it would be something else: the rest is refused, and nothing is changed."""
    clinic.do("CREATE PROCEDURE six(OUT m INT) SET m = 6")
    clinic.statements("a002", *statements, after="a001")
    clinic.dies(statements[-1], Where.BEFORE)
    before = clinic.ask("SELECT * FROM clients ORDER BY id")
    error = clinic.fails(RevisionChanged)

    assert "gone with the session" in error.what
    assert clinic.ask("SELECT * FROM clients ORDER BY id") == before


def test_what_was_prepared_is_lost(clinic: Clinic) -> None:
    """Its text may mean something else by now."""
    clinic.statements("a002", "PREPARE s FROM 'DO 0'", PHONE, TOTAL, "EXECUTE s", after="a001")
    clinic.dies("COLUMN total", Where.AFTER)

    assert "the prepared statement s" in clinic.fails(RevisionChanged).what


@pytest.mark.parametrize(
    "statements",
    [
        # of literals: made and filled again
        (
            "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, x INT)",
            "INSERT INTO t VALUES (1, 10), (2, 10), (3, 10)",
            TOTAL,
            "UPDATE clients JOIN t USING (id) SET total = x",
        ),
        # renamed
        (
            "CREATE TEMPORARY TABLE t (id INT PRIMARY KEY, x INT)",
            "ALTER TABLE t RENAME TO u",
            "INSERT INTO u VALUES (1, 10), (2, 10), (3, 10)",
            TOTAL,
            "UPDATE clients JOIN u USING (id) SET total = x",
        ),
        # lost, and made once more before it is used
        (
            "CREATE TEMPORARY TABLE t AS SELECT id, n AS x FROM clients",
            "DROP TEMPORARY TABLE t",
            TOTAL,
            "CREATE TEMPORARY TABLE t AS SELECT id, 10 AS x FROM clients",
            "UPDATE clients JOIN t USING (id) SET total = x",
        ),
        (
            "SET @m = (SELECT SUM(n) FROM clients)",
            TOTAL,
            "SET @m = 10",
            "UPDATE clients SET total = @m",
        ),
        ("SET @m = 10", TOTAL, "UPDATE clients SET total = @m"),
        # lost, and only dropped
        (
            "CREATE TEMPORARY TABLE t AS SELECT id FROM clients",
            "PREPARE s FROM 'SELECT 1'",
            TOTAL,
            "UPDATE clients SET total = 10",
            "DROP TEMPORARY TABLE t",
            "DEALLOCATE PREPARE s",
        ),
    ],
    ids=["literals", "renamed", "anew", "set-anew", "literal", "dropped"],
)
def test_what_comes_out_the_same_is_made_again(clinic: Clinic, statements: tuple[str, ...]) -> None:
    """Nothing is asked where the session can have again what it had."""
    clinic.statements("a002", *statements, after="a001")
    clinic.dies("UPDATE clients", Where.BEFORE)

    clinic.succeeds()

    assert set(clinic.ask("SELECT total FROM clients")) == {(10,)}


def test_prepared_by_what_the_schema_has_is_prepared_again(clinic: Clinic) -> None:
    """The old way to add what may be there already, after a crash between its statements."""
    clinic.statements(
        "a002",
        PHONE,
        "SET @sql = (SELECT IF(COUNT(*), 'DO 0', 'ALTER TABLE clients ADD COLUMN total INT') "
        "FROM information_schema.columns WHERE table_name = 'clients' AND column_name = 'total' "
        "AND table_schema = DATABASE())",
        "PREPARE s FROM @sql",
        "EXECUTE s",
        "DEALLOCATE PREPARE s",
        CREATE_LAST,
        after="a001",
    )
    clinic.dies("PREPARE s", Where.BEFORE)
    clinic.dies(CREATE_LAST, Where.AFTER)

    clinic.succeeds()

    assert clinic.columns("clients")[-2:] == ["phone", "total"]


@pytest.mark.parametrize(
    "first",
    [
        "SET @m = (SELECT SUM(n) FROM clients)",
        "CREATE TEMPORARY TABLE old AS SELECT id, n FROM clients",
        "PREPARE s FROM 'UPDATE clients SET n = n + 1'",
    ],
)
def test_what_it_was_made_of_may_be_gone(clinic: Clinic, first: str) -> None:
    """A resumed revision does not stumble over what it need not make again."""
    clinic.statements("a002", first, "ALTER TABLE clients DROP COLUMN n", CREATE_LAST, after="a001")
    clinic.dies(CREATE_LAST, Where.AFTER)

    clinic.succeeds()


def test_a_table_of_another_database_is_not_the_temporary_one(
    clinic: Clinic, fleet: Fleets
) -> None:
    """A name with a schema means what it says."""
    other = fleet(1).names[0]
    clinic.do(f"CREATE TABLE {other}.clients (id INT)")
    clinic.statements(
        "a002",
        "CREATE TEMPORARY TABLE clients (id INT)",
        "INSERT INTO clients VALUES (7)",
        f"INSERT INTO {other}.clients SELECT id FROM clients",
        "DROP TEMPORARY TABLE clients",
        PHONE,
        CREATE_LAST,
        after="a001",
    )
    clinic.dies(CREATE_LAST, Where.BEFORE)

    clinic.succeeds()

    assert clinic.ask(f"SELECT id FROM {other}.clients") == [(7,)]


def test_temporary_tables_dropped_together_are_gone(clinic: Clinic) -> None:
    """What is made by their names afterwards is a table like any other."""
    clinic.statements(
        "a002",
        "CREATE TEMPORARY TABLE t1 (id INT)",
        "CREATE TEMPORARY TABLE t2 (id INT)",
        "DROP TABLE t1, t2",
        "CREATE TABLE t1 (id INT)",
        "INSERT INTO t1 VALUES (1)",
        PHONE,
        after="a001",
    )
    clinic.dies("COLUMN phone", Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT COUNT(*) FROM t1") == [(1,)]
