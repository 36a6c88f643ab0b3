"""What statements did to the session of a run that died, when another session goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ebhook.errors import RevisionChanged
from tests.conftest import Fleets
from tests.support.proxy import Where
from tests.support.single_tenant import CREATE_LAST, PHONE, Clinic

MID = "CREATE TABLE mid (id INT)"


@dataclass(frozen=True)
class Case:
    """A revision that is killed at the statement that begins with `kill`, and goes on."""

    setup: tuple[str, ...]
    statements: tuple[str, ...]
    kill: str
    question: str
    answer: list[tuple[Any, ...]]
    where: Where = Where.AFTER


# How an undisturbed run ends is written beside each: the answer.
ENDS_AS_UNDISTURBED = {
    "two-temporary-tables-of-one-name": Case(
        (),
        (
            "CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, v INT)",
            "INSERT INTO tmp VALUES (1, 10), (2, 20)",
            "UPDATE clients JOIN tmp USING (id) SET clients.n = clients.n + tmp.v",
            "DROP TEMPORARY TABLE tmp",
            MID,
            "CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, w INT)",
            "INSERT INTO tmp VALUES (1, 5), (2, 6)",
            "UPDATE clients JOIN tmp USING (id) SET clients.n = clients.n + tmp.w",
            "DROP TEMPORARY TABLE tmp",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT n FROM clients ORDER BY id",
        [(15,), (26,), (0,)],
    ),
    "a-base-table-after-a-temporary-one": Case(
        (),
        (
            "CREATE TEMPORARY TABLE stats (id INT PRIMARY KEY, v INT)",
            "INSERT INTO stats VALUES (1, 10), (2, 20)",
            "UPDATE clients JOIN stats USING (id) SET clients.n = clients.n + stats.v",
            "DROP TABLE stats",
            "CREATE TABLE stats (id INT PRIMARY KEY, v INT)",
            MID,
            "INSERT INTO stats VALUES (3, 3)",
            "ALTER TABLE stats ADD COLUMN more INT",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT * FROM stats",
        [(3, 3, None)],
    ),
    "a-base-table-beside-a-temporary-one": Case(
        (),
        (
            "CREATE TEMPORARY TABLE stats (id INT)",
            "CREATE TABLE stats (id INT, base INT)",
            MID,
            "INSERT INTO stats VALUES (1)",
            "INSERT INTO clients (id, name) SELECT id + 10, 'x' FROM stats",
            "DROP TEMPORARY TABLE stats",
            "INSERT INTO stats VALUES (2, 2)",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT id, (SELECT COUNT(*) FROM clients) FROM stats",
        [(2, 4)],
    ),
    "select-into-that-nobody-uses": Case(
        (),
        ("SELECT MAX(n) INTO @m FROM clients", MID, CREATE_LAST),
        "CREATE TABLE mid",
        "SELECT COUNT(*) FROM last",
        [(0,)],
    ),
    "dropped-together-with-a-base-table": Case(
        ("CREATE TABLE a (a INT)",),
        (
            "CREATE TEMPORARY TABLE tmp LIKE clients",
            "DROP TABLE a, tmp",
            "CREATE TABLE tmp (id INT)",
            CREATE_LAST,
            "ALTER TABLE tmp ADD COLUMN n INT",
        ),
        "CREATE TABLE last",
        "SELECT id, n FROM tmp",
        [],
    ),
    "still-to-be-dropped-together": Case(
        ("CREATE TABLE a (a INT)",),
        ("CREATE TEMPORARY TABLE tmp LIKE clients", MID, "DROP TABLE a, tmp", CREATE_LAST),
        "CREATE TABLE mid",
        "SHOW TABLES LIKE 'a'",
        [],
    ),
    "a-trigger-that-sets-a-lost-variable": Case(
        (),
        (
            "SELECT MAX(id) INTO @m FROM clients",
            MID,
            "CREATE TRIGGER t BEFORE INSERT ON mid FOR EACH ROW SET @m = NEW.id",
            "INSERT INTO mid VALUES (7)",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT id FROM mid",
        [(7,)],
    ),
    "time-zone-in-a-conditional-comment": Case(
        ("CREATE TABLE times (at TIMESTAMP NULL)",),
        (
            "/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */",
            "/*!40103 SET TIME_ZONE='+05:00' */",
            MID,
            "INSERT INTO times VALUES ('2020-01-01 05:00:00')",
            "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT UNIX_TIMESTAMP(at) FROM times",
        [(1577836800,)],
    ),
    "time-zone-set-by-a-routine": Case(
        (
            "CREATE TABLE times (at TIMESTAMP NULL)",
            "CREATE PROCEDURE east() SET SESSION time_zone = '+05:00'",
        ),
        ("CALL east()", MID, "INSERT INTO times VALUES ('2020-01-01 05:00:00')", CREATE_LAST),
        "CREATE TABLE mid",
        "SELECT UNIX_TIMESTAMP(at) FROM times",
        [(1577836800,)],
    ),
    "zero-as-an-id": Case(
        ("CREATE TABLE ids (id INT AUTO_INCREMENT PRIMARY KEY)",),
        (
            "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */",
            MID,
            "INSERT INTO ids VALUES (0)",
            "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT id FROM ids",
        [(0,)],
    ),
    "a-setting-from-a-row-that-has-changed": Case(
        ("CREATE TABLE settings (mode VARCHAR(90))", "INSERT INTO settings VALUES ('NO_AUTO_VALUE_ON_ZERO')",
         "CREATE TABLE ids (id INT AUTO_INCREMENT PRIMARY KEY)"),
        (
            "SET SESSION sql_mode = (SELECT mode FROM settings)",
            "UPDATE settings SET mode = ''",
            MID,
            "INSERT INTO ids VALUES (0)",
            CREATE_LAST,
        ),
        "CREATE TABLE mid",
        "SELECT id FROM ids",
        [(0,)],
    ),
    "foreign-keys-off-by-a-routine": Case(
        (
            "CREATE TABLE child (id INT PRIMARY KEY, client INT, FOREIGN KEY (client) REFERENCES clients (id))",
            "CREATE PROCEDURE off() SET FOREIGN_KEY_CHECKS = 0",
        ),
        ("CALL off()", MID, "INSERT INTO child VALUES (1, 99)", CREATE_LAST),
        "CREATE TABLE mid",
        "SELECT client FROM child",
        [(99,)],
    ),
    "names-in-latin1": Case(
        (),
        ("SET NAMES latin1", "CREATE TABLE `café` (id INT)", CREATE_LAST),
        "CREATE TABLE `caf",
        "SELECT COUNT(*) FROM last",
        [(0,)],
    ),
    "a-comment-in-latin1": Case(
        (),
        ("SET NAMES latin1", "ALTER TABLE clients ADD COLUMN b INT COMMENT 'café'", CREATE_LAST),
        "ALTER TABLE clients",
        "SELECT COUNT(*) FROM last",
        [(0,)],
    ),
    "an-unquoted-name": Case(
        (),
        ("CREATE TABLE prix€ (id INT)", CREATE_LAST),
        "CREATE TABLE prix",
        "SELECT COUNT(*) FROM prix€",
        [(0,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS_AS_UNDISTURBED)
def test_a_resumed_revision_ends_as_an_undisturbed_one(clinic: Clinic, name: str) -> None:
    """Rows and schema, whatever the dead session had."""
    case = ENDS_AS_UNDISTURBED[name]
    clinic.do(*case.setup)
    clinic.statements("a002", *case.statements, after="a001")
    clinic.dies(case.kill, case.where)

    clinic.succeeds()

    assert clinic.ask(case.question) == case.answer
    assert "last" in clinic.tables()


REFUSED = {
    "filled-by-a-routine": (
        ("CREATE TABLE base (id INT)", "CREATE PROCEDURE fill() INSERT INTO tmp VALUES (1), (2)"),
        (
            "CREATE TEMPORARY TABLE tmp (id INT)",
            "CALL fill()",
            MID,
            "INSERT INTO base SELECT id FROM tmp",
            CREATE_LAST,
        ),
        "the temporary table tmp",
    ),
    "set-by-a-trigger": (
        (
            "CREATE TABLE base (id INT AUTO_INCREMENT PRIMARY KEY, n INT)",
            "CREATE TABLE other (n INT)",
            "CREATE TRIGGER trg AFTER INSERT ON base FOR EACH ROW SET @last_base = NEW.id",
        ),
        (
            "INSERT INTO base (n) VALUES (5)",
            MID,
            "INSERT INTO other VALUES (@last_base)",
            CREATE_LAST,
        ),
        "@last_base",
    ),
    "read-by-a-trigger": (
        (
            "CREATE TABLE base (n INT)",
            "CREATE TRIGGER trg BEFORE INSERT ON base FOR EACH ROW SET NEW.n = NEW.n + @more",
        ),
        (
            "SELECT MAX(id) INTO @more FROM clients",
            "DELETE FROM clients",
            MID,
            "INSERT INTO base VALUES (5)",
            CREATE_LAST,
        ),
        "@more",
    ),
    "set-by-a-function": (
        (
            "CREATE TABLE base (n INT)",
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC NO SQL BEGIN SET @f = 6; RETURN 1; END",
        ),
        ("SELECT f()", MID, "INSERT INTO base VALUES (@f)", CREATE_LAST),
        "@f",
    ),
    "made-by-a-routine": (
        (
            "CREATE TABLE base (id INT)",
            "CREATE PROCEDURE mk() BEGIN CREATE TEMPORARY TABLE clients (id INT); END",
        ),
        ("CALL mk()", MID, "INSERT INTO clients VALUES (1)", CREATE_LAST),
        "the temporary table clients",
    ),
    "prepared-by-a-routine": (
        ("CREATE PROCEDURE p() PREPARE s FROM 'UPDATE clients SET n = n + 1'",),
        ("CALL p()", MID, "EXECUTE s", CREATE_LAST),
        "the prepared statement s",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_only_the_dead_session_had_is_refused(clinic: Clinic, name: str) -> None:
    """With what it needs, by name; nothing more is changed."""
    setup, statements, lacks = REFUSED[name]
    clinic.do(*setup)
    clinic.statements("a002", *statements, after="a001")
    clinic.dies("CREATE TABLE mid", Where.AFTER)

    error = clinic.fails(RevisionChanged)

    assert f"builds on {lacks}" in error.what
    assert "last" not in clinic.tables()


def test_a_temporary_table_that_was_not_made_is_not_remembered(clinic: Clinic) -> None:
    """The base table of its name is dropped and made once."""
    clinic.do("CREATE TABLE keep (id INT PRIMARY KEY, n INT)", "INSERT INTO keep VALUES (1, 1)")
    clinic.revision(
        "a002",
        """
        try:
            op.execute("CREATE TEMPORARY TABLE keep (c INT) ENGINE=NoSuchEngine")
        except sa.exc.DBAPIError:
            pass
        op.execute("DROP TABLE keep")
        op.execute("CREATE TABLE keep (id INT PRIMARY KEY, n INT, more INT)")
        op.execute("INSERT INTO keep VALUES (2, 2, 2)")
        op.execute("CREATE TABLE last (id INT)")
        """,
        after="a001",
    )
    clinic.dies(CREATE_LAST, Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT * FROM keep") == [(2, 2, 2)]


@pytest.mark.parametrize("where", [None, "DROP TABLE t", "CREATE TABLE t2"])
def test_a_table_is_made_after_the_locked_one_was_dropped(
    clinic: Clinic, where: str | None
) -> None:
    """LOCK TABLES ends with its last table, as it does by itself; on resume it is not locked again."""
    clinic.do("CREATE TABLE t (id INT)")
    clinic.statements(
        "a002",
        "LOCK TABLES t WRITE",
        "DROP TABLE t",
        "CREATE TABLE t2 (id INT)",
        "INSERT INTO t2 VALUES (1)",
        after="a001",
    )
    if where is not None:
        clinic.dies(where, Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT id FROM t2") == [(1,)]


def test_every_revision_begins_in_the_same_session(clinic: Clinic, fleet: Fleets) -> None:
    """What the one before has set, made or prepared is not there."""
    clinic.do("CREATE TABLE seen (a INT, b TEXT, c VARCHAR(9), d VARCHAR(9))")
    clinic.do(
        "CREATE PROCEDURE west() BEGIN SET SESSION time_zone = '-05:00'; SET @hidden = 1; END"
    )
    clinic.statements(
        "a002",
        "SET @v = 1, SESSION foreign_key_checks = 0, sql_mode = 'ANSI_QUOTES'",
        "SET NAMES latin1 COLLATE latin1_bin",
        "CALL west()",
        "CREATE TEMPORARY TABLE clients (id INT)",
        "PREPARE s FROM 'DO 0'",
        after="a001",
    )
    clinic.statements(
        "a003",
        "INSERT INTO seen SELECT COALESCE(@v, @hidden), CONCAT(@@sql_mode, @@time_zone, "
        "@@collation_connection), @@foreign_key_checks, MAX(name) FROM clients",
        "PREPARE s FROM 'DO 0'",
        after="a002",
    )
    ((mode, zone, collation),) = clinic.ask(
        "SELECT @@sql_mode, @@time_zone, @@collation_connection"
    )
    clinic.succeeds()

    ((variable, settings, checks, name),) = clinic.ask("SELECT * FROM seen")
    assert (variable, name) == (None, "Grace")
    assert checks in ("1", "ON")
    assert settings.startswith(f"{mode}{zone}utf8mb4"), (settings, collation)


AUTOCOMMIT = """
connection = op.get_bind()
with op.get_context().autocommit_block():
    op.execute("UPDATE clients SET n = n + 1")
    op.execute("UPDATE clients SET n = n + 10 ")
savepoint = connection.begin_nested()
op.execute("UPDATE clients SET n = n + 100")
savepoint.rollback()
with connection.begin_nested():
    op.execute("UPDATE clients SET n = n + 1000")
"""


@pytest.mark.parametrize("killed", ["n + 1", "n + 10", "SAVEPOINT sa", "n + 1000", "phone"])
def test_what_the_driver_sets_is_not_set_for_it(clinic: Clinic, killed: str) -> None:
    """Autocommit, switched on and off by the driver around some statements, is on resume what the
    driver sets: no savepoint is lost after it."""
    clinic.revision("a002", AUTOCOMMIT + f"op.execute({PHONE!r})", after="a001")
    clinic.dies(killed, Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1011,)]
