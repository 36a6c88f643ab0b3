"""Statements read into changes: MySQL's and MariaDB's grammar, as people write it."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.lint.changes.columns import (
    AddColumn,
    DropColumn,
    ModifyColumn,
    RenameColumn,
    SetDefault,
)
from ebhook.lint.changes.keys import (
    AddCheck,
    AddForeignKey,
    AddIndex,
    AddPrimary,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
    RenameIndex,
)
from ebhook.lint.changes.rows import Data, OpaqueStatement, Read, SessionStatement, TemporaryTable
from ebhook.lint.changes.tables import (
    Convert,
    CreateTable,
    DropTable,
    Rebuild,
    RenameTable,
    SetOption,
    Toggle,
    Truncate,
)
from ebhook.lint.changes.things import AlterThing, CreateThing, DropThing
from ebhook.lint.schema.schema import Schema
from ebhook.lint.sql.reading import count, read
from ebhook.sql.tokens import Unreadable

TYPES = {
    "ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 0 AFTER b": [AddColumn],
    "ALTER TABLE `t` ADD (a INT, b INT, KEY x (b))": [AddColumn, AddColumn, AddIndex],
    "alter table t add column if not exists c int": [AddColumn],
    "ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT": [AddColumn],
    "ALTER TABLE t DROP COLUMN a, ADD COLUMN b INT": [DropColumn, AddColumn],
    "ALTER TABLE t DROP a": [DropColumn],
    "ALTER TABLE t MODIFY c VARCHAR(20) NOT NULL": [ModifyColumn],
    "ALTER TABLE t CHANGE COLUMN a b INT UNSIGNED": [ModifyColumn],
    "ALTER TABLE t RENAME TO b": [RenameTable],
    "ALTER TABLE t RENAME COLUMN a TO b, RENAME INDEX c TO d": [RenameColumn, RenameIndex],
    "RENAME TABLE a TO b, c TO d": [RenameTable, RenameTable],
    "ALTER TABLE t ALTER COLUMN c SET DEFAULT 5": [SetDefault],
    "ALTER TABLE t ALTER c DROP DEFAULT": [SetDefault],
    "ALTER TABLE t ALTER INDEX i INVISIBLE": [Toggle],
    "ALTER TABLE t ADD UNIQUE INDEX x (a, b(10))": [AddIndex],
    "ALTER TABLE t ADD FULLTEXT KEY x (a) WITH PARSER ngram": [AddIndex],
    "ALTER TABLE t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES b (c) ON DELETE SET NULL": [
        AddForeignKey
    ],
    "ALTER TABLE t ADD CHECK (a > 1), DROP CHECK b": [AddCheck, DropConstraint],
    "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)": [DropPrimary, AddPrimary],
    "ALTER TABLE t DROP FOREIGN KEY x": [DropForeignKey],
    "ALTER TABLE t DEFAULT CHARSET utf8mb4 COLLATE = utf8mb4_bin COMMENT 'x'": [SetOption] * 3,
    "ALTER TABLE t CONVERT TO CHARACTER SET latin1": [Convert],
    "ALTER TABLE t PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (5))": [Rebuild],
    "ALTER TABLE t DROP PARTITION p": [Rebuild],
    "ALTER TABLE t ORDER BY a, FORCE": [Rebuild],
    "CREATE UNIQUE INDEX a ON t (b DESC) USING BTREE": [AddIndex],
    "CREATE INDEX a ON t ((lower(b)))": [AddIndex],
    "DROP INDEX a ON t": [DropIndex],
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, KEY (id)) ENGINE=InnoDB": [CreateTable],
    "CREATE TABLE IF NOT EXISTS a LIKE b": [CreateTable],
    "CREATE TABLE a (PRIMARY KEY (x)) SELECT * FROM b": [CreateTable],
    "CREATE TEMPORARY TABLE a (id INT)": [TemporaryTable],
    "CREATE OR REPLACE TABLE a (id INT)": [CreateTable],
    "DROP TABLE IF EXISTS a, b CASCADE": [DropTable, DropTable],
    "TRUNCATE t": [Truncate],
    "OPTIMIZE TABLE a, b": [Rebuild, Rebuild],
    "CREATE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1": [CreateThing],
    "CREATE OR REPLACE PROCEDURE p() BEGIN DELETE FROM a; DELETE FROM b; END": [CreateThing],
    "DROP TRIGGER IF EXISTS t": [DropThing],
    "ALTER DATABASE x CHARACTER SET utf8mb4": [AlterThing],
    "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2": [Data],
    "REPLACE INTO t VALUES (1)": [Data],
    "UPDATE a JOIN b ON a.x = b.x SET a.y = b.y WHERE b.z": [Data],
    "WITH c AS (SELECT 1 AS x) DELETE FROM t WHERE x IN (SELECT x FROM c)": [Data],
    "LOAD DATA LOCAL INFILE 'x' INTO TABLE t": [Data],
    "(SELECT 1) UNION (SELECT 2)": [Read],
    "SHOW TABLES": [Read],
    "SET @a = 1": [SessionStatement],
    "CALL p()": [OpaqueStatement],
    "/*!40101 ALTER TABLE t DROP a */": [DropColumn],
    "-- why\nALTER TABLE t /* here */ DROP a # now": [DropColumn],
}  # fmt: skip


@pytest.mark.parametrize("sql", TYPES)
def test_what_a_statement_does(sql: str) -> None:
    """Each clause is one change, in order."""
    assert [type(one) for one in read(sql, Schema())] == TYPES[sql]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t ADDD x INT",
        "ALTER TABLE t ADD COLUMN x",
        "CREATE TABLE a (x INT",
        "CREATE TABLE a (x INT,, y INT)",
        "CREATE UNIQUE TABLE a (x INT)",
        "DROP TABLE",
        "UPDATE t SET",
        "INSERT INTO t VALUES (1",
        "please",
        "🙂",
    ],
)
def test_what_is_no_sql_is_said_to_be_unreadable(sql: str) -> None:
    """Never a crash, never a guess."""
    with pytest.raises(Unreadable):
        read(sql, Schema())


WORDS = [
    "ALTER", "TABLE", "t", "ADD", "COLUMN", "DROP", "(", ")", ",", ";", "INT", "NOT", "NULL", "'x'",
    "DEFAULT", "`y`", "KEY", "CREATE", "UNIQUE", "REFERENCES", "CHECK", "INDEX", "ON", "UPDATE", "SET",
    "WHERE", "=", "1", "CONSTRAINT", "PRIMARY", "MODIFY", "RENAME", "TO", "ENGINE", "COMMENT", "AFTER",
    "PARTITION", "BY", "AS", "SELECT", "FROM",
]  # fmt: skip


@given(
    st.lists(
        st.sampled_from(WORDS) | st.text(string.printable, max_size=4),
        max_size=14,
    )
)
def test_any_text_is_read_or_unreadable(words: list[str]) -> None:
    """Whatever a migration executes: no other exception, no endless loop."""
    with suppress(Unreadable):
        read(" ".join(words), Schema())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("INT", "INTEGER(11)"),
        ("BOOL", "TINYINT(1)"),
        ("TINYINT", "TINYINT(4)"),
        ("DOUBLE", "FLOAT(53)"),
        ("FLOAT", "FLOAT(24)"),
        ("DECIMAL", "NUMERIC(10, 0)"),
        ("DATETIME", "DATETIME(0)"),
        ("VARCHAR(5)", "VARCHAR(5) DEFAULT NULL"),
        ("CHAR", "CHAR(1) NULL"),
    ],
)
def test_what_the_server_keeps_alike_is_read_alike(one: str, other: str) -> None:
    """Two ways to say a type, and NULL where it goes without saying, are no change of a column."""
    first, second = (read(f"CREATE TABLE t (c {text})", Schema())[0] for text in (one, other))

    assert isinstance(first, CreateTable)
    assert isinstance(second, CreateTable)
    assert first.made == second.made


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("DELETE c FROM cases c JOIN users u ON u.id = c.owner", ("cases",)),
        ("DELETE FROM a USING a JOIN b WHERE a.x = b.x", ("a",)),
        ("UPDATE cases c JOIN users u ON u.id = c.owner SET u.name = c.title", ("users",)),
        ("UPDATE cases c, users u SET c.x = u.x, u.y = c.y WHERE u.id = c.id", ("cases", "users")),
        ("UPDATE central.t SET t.a = 1", ("central.t",)),
        ("INSERT INTO central.t SELECT * FROM s", ("central.t",)),
        ("UPDATE tenant.t SET a = 1", ("t",)),
    ],
)
def test_whose_rows_change(sql: str, tables: tuple[str, ...]) -> None:
    """Through aliases and joins; another database with its name, the agency's own without."""
    (change,) = read(sql, Schema())

    assert isinstance(change, Data)
    assert change.tables == tables


@pytest.mark.parametrize(
    ("sql", "bounded"),
    [
        ("UPDATE t SET a = 1", False),
        ("UPDATE t SET a = 1 WHERE 1", False),
        ("UPDATE t SET a = 1 WHERE (1 = 1)", False),
        ("UPDATE t SET a = 1 WHERE TRUE", False),
        ("DELETE FROM t", False),
        ("DELETE a FROM a JOIN b ON a.x = b.x", False),
        ("UPDATE t SET a = 1 WHERE id = 1", True),
        ("UPDATE t SET a = 1 LIMIT 100", True),
        ("DELETE FROM t WHERE a IS NULL", True),
        ("DELETE FROM t WHERE 0", True),
        ("INSERT INTO t SELECT * FROM s", True),
    ],
)
def test_whether_all_rows_are_meant(sql: str, bounded: bool) -> None:
    """A condition that is always true is none."""
    (change,) = read(sql, Schema())

    assert isinstance(change, Data)
    assert change.bounded is bounded


def test_statements_are_counted_as_the_server_would_see_them() -> None:
    """Semicolons in texts, comments and bodies do not count; one at the end does not either."""
    assert count("UPDATE a SET b = ';' /* ; */ -- ;\n WHERE c = 1;") == 1
    assert count("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @x = 1; END") == 1
    assert count("DROP FUNCTION IF EXISTS f; CREATE FUNCTION f() BEGIN SET @x = 1; END") == 2
    assert count("UPDATE a SET b = 1 WHERE c; DELETE FROM d WHERE e") == 2


def test_a_column_is_read_in_full() -> None:
    """Type, character set, default, comment and place."""
    (change,) = read(
        "ALTER TABLE t ADD COLUMN `e` ENUM('a', 'it''s') CHARACTER SET latin1 COLLATE latin1_bin "
        "DEFAULT 'a' NOT NULL COMMENT 'it\\'s' AFTER d",
        Schema(),
    )

    assert isinstance(change, AddColumn)
    column = change.column
    assert (column.name, column.nullable, column.comment, column.place) == ("e", False, "it's", "d")
    assert column.type.arguments == ("'a'", "'it''s'")
    assert (column.type.charset, column.type.collation) == ("latin1", "latin1_bin")
    assert column.default is not None
    assert column.default.text == "'a'"


def test_create_or_replace_drops_what_was_there() -> None:
    """MariaDB's: to the previous release it is a table that is gone."""
    before = read("CREATE TABLE a (id INT)", Schema())[0]
    assert isinstance(before, CreateTable)

    found = read("CREATE OR REPLACE TABLE a (id INT)", Schema({"a": before.made}))

    assert [type(one) for one in found] == [DropTable, CreateTable]


# Plain to the servers, if not every day's: none of them is EBH091.
PLAIN = """\
UPDATE IGNORE t SET a = 1 WHERE id = 1
DELETE QUICK FROM t WHERE id = 1
DELETE t.* FROM t JOIN u ON u.id = t.id
DELETE FROM t USING t JOIN u ON u.id = t.id
CREATE TABLE t (id INT, CONSTRAINT pk PRIMARY KEY pk (id))
ALTER TABLE t ADD PRIMARY KEY pk (id)
ALTER TABLE t TRUNCATE PARTITION p0
CREATE USER 'u'@'h' IDENTIFIED BY 'x'
DROP USER IF EXISTS 'u'@'h', v
ALTER TABLE t SECONDARY_UNLOAD
DO f()
DROP TABLE t WAIT 5
RENAME TABLE IF EXISTS t TO u
RENAME TABLE t NOWAIT TO u
TRUNCATE TABLE t WAIT 5
ALTER TABLE t RENAME INDEX IF EXISTS a TO b
ALTER TABLE t DROP PERIOD FOR p
ALTER TABLE t CONVERT PARTITION p0 TO TABLE u
ALTER TABLE t CONVERT TABLE u TO PARTITION p0 VALUES LESS THAN (5)
SET STATEMENT max_statement_time=5 FOR UPDATE t SET a = 1 WHERE id = 1
UPDATE t FOR PORTION OF p FROM '2020-01-01' TO '2021-01-01' SET a = 1
DELETE FROM t FOR PORTION OF p FROM '2020-01-01' TO '2021-01-01' WHERE id = 1
ANALYZE FORMAT=JSON DELETE FROM t WHERE id = 1
CREATE TABLE t (s TIMESTAMP(6) AS ROW START, e TIMESTAMP(6) AS ROW END, PERIOD FOR SYSTEM_TIME (s, e))
""".splitlines()


@pytest.mark.parametrize("sql", PLAIN)
def test_plain_forms_are_read(sql: str) -> None:
    """Both servers' own, among them those that only MariaDB has."""
    assert read(sql, Schema())
