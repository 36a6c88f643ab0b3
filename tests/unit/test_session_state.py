"""What a statement makes in its session, and what it builds on, by its text alone."""

from __future__ import annotations

import pytest

from ebhook.journal.session_state import SessionState
from ebhook.sql.statement import Kind, kind_of, locking_also, releases_locks, renamed


def stake(sql: str, *before: str) -> set[str]:
    """What would be lost if `sql` were not run again, after `before`."""
    session = SessionState("acme")
    for one in before:
        session.ran(kind_of(one), one)
    if session.varies(kind_of(sql), sql):
        session.loses(kind_of(sql), sql)
    tables = {
        f"the temporary table {name}" for (_, name), here in session.tables.items() if not here
    }
    return set(session.lost) | tables


MADE = "CREATE TEMPORARY TABLE t (id INT)"


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("SET @m = (SELECT 1)", {"@m"}),
        ("SET @M := f(1), @n = 2", {"@m", "@n"}),
        ("set @`odd name` = ROW_COUNT()", {"@odd name"}),
        ("SELECT COUNT(*) INTO @m FROM clients", {"@m"}),
        ("SELECT @m := id FROM clients", {"@m"}),
        ("PREPARE s FROM 'DO 0'", {"the prepared statement s"}),
        ("CREATE TEMPORARY TABLE u AS SELECT 1", {"the temporary table u"}),
        ("CREATE TEMPORARY TABLE u LIKE clients", {"the temporary table u"}),
        ("INSERT INTO t SELECT id FROM clients", {"the temporary table t"}),
        # nothing that could come out otherwise
        ("SET @m = 1", set()),
        ("SET @m = LAST_INSERT_ID()", set()),
        ("SET @m = CONCAT('(SELECT', @n)", set()),
        ("SET NAMES utf8mb4", set()),
        ("SET @old = @@sql_mode, sql_mode = ''", set()),
        ("SET foreign_key_checks = (SELECT 0)", set()),
        ("SET @old = @@sql_mode, sql_mode = (SELECT '')", {"@old"}),
        ("INSERT INTO t VALUES (UNIX_TIMESTAMP())", {"the temporary table t"}),
        ("SELECT id FROM clients WHERE name = 'x@y'", set()),
        ("CREATE TEMPORARY TABLE u (id INT, name VARCHAR(9))", set()),
        ("INSERT INTO t VALUES (1), (2)", set()),
    ],
)
def test_what_is_made_of_rows_is_at_stake(sql: str, lost: set[str]) -> None:
    """A literal gives the same again; rows may not."""
    assert stake(sql, MADE) == lost


@pytest.mark.parametrize(
    ("sql", "own"),
    [
        (MADE, True),
        ("SET @m = 1", True),
        ("INSERT INTO t VALUES (1)", True),
        ("INSERT INTO `T` VALUES (1)", True),
        ("INSERT INTO acme.t VALUES (1)", True),
        ("ALTER TABLE t ADD COLUMN x INT", True),
        ("TRUNCATE t", True),
        ("DROP TABLE t", True),
        ("INSERT INTO other.t VALUES (1)", False),
        ("INSERT INTO clients SELECT * FROM t", False),
        ("UPDATE t JOIN clients USING (id) SET t.id = 1", False),
        ("DROP TABLE t, clients", False),
        ("CREATE TABLE u (id INT)", False),
        ("CREATE TABLE t (id INT)", False),
        ("CREATE TABLE IF NOT EXISTS t LIKE clients", False),
        ("CREATE INDEX i ON t (id)", True),
        ("RENAME TABLE t TO u", True),
        ("INSERT INTO t VALUES (stored(1))", False),
    ],
)
def test_a_temporary_table_is_the_sessions_own(sql: str, own: bool) -> None:
    """What writes to it and to nothing else is."""
    session = SessionState("acme")
    session.ran(Kind.SESSION, MADE)
    assert session.owns(kind_of(sql), sql) is own


def test_a_renamed_table_is_followed() -> None:
    """By its new name, and no longer by its old one."""
    session = SessionState("acme")
    session.ran(Kind.SESSION, MADE)
    session.ran(Kind.DEFINITION, "ALTER TABLE t RENAME TO u")
    assert session.owns(Kind.DATA, "INSERT INTO u VALUES (1)")
    assert not session.owns(Kind.DATA, "INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("sql", "lacks"),
    [
        ("UPDATE clients SET n = @m", "@m"),
        ("UPDATE clients SET n = @`M` + 1", "@m"),
        ("UPDATE clients SET n = @mm", None),
        ("UPDATE clients SET n = @@m", None),
        ("SET @x = @m", "@m"),
        ("SET @m = @m + 1", "@m"),
        ("SET @m = 1", None),
    ],
)
def test_what_builds_on_something_lost_is_told(sql: str, lacks: str | None) -> None:
    """By name; a variable that is set anew is there again."""
    session = SessionState("acme")
    session.loses(Kind.SESSION, "SET @m = (SELECT 1)")
    if kind_of(sql) is Kind.SESSION:
        assert session.makes_again(Kind.SESSION, sql) == lacks
        assert session.missing("@m") == ("@m" if lacks else None)
    else:
        assert session.missing(sql) == lacks


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("ALTER TABLE a RENAME TO b", "b"),
        ("ALTER TABLE a ADD COLUMN x INT, RENAME AS `b`", "b"),
        ("ALTER TABLE a RENAME b", "b"),
        ("ALTER TABLE a RENAME COLUMN x TO y", None),
        ("ALTER TABLE a RENAME INDEX x TO y", None),
    ],
)
def test_the_new_name_of_a_table_is_told(sql: str, name: str | None) -> None:
    """Columns and indexes are renamed, too."""
    found = renamed(sql)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("LOCK TABLES a WRITE", "LOCK TABLES `j` WRITE, a WRITE"),
        ("lock table a READ, b WRITE; -- both", "LOCK TABLES `j` WRITE, a READ, b WRITE"),
        ("UNLOCK TABLES", None),
    ],
)
def test_the_journal_is_locked_with_the_others(sql: str, told: str | None) -> None:
    """First, so that nothing at the end of the statement can hide it."""
    assert locking_also(sql, "`j`") == told


@pytest.mark.parametrize(
    ("sql", "releases"),
    [
        ("DO RELEASE_ALL_LOCKS()", True),
        ("SELECT release_all_locks ( )", True),
        ('SELECT RELEASE_LOCK("ebhook:acme:1")', True),
        ("SELECT RELEASE_LOCK('mine')", False),
        ("INSERT INTO log VALUES ('RELEASE_ALL_LOCKS()')", False),
    ],
)
def test_what_gives_the_lock_away_is_seen(sql: str, releases: bool) -> None:
    """In the statement itself, not in its texts."""
    assert releases_locks(sql) is releases
