"""What is read off the head of a SQL statement: how it meets its transaction, and what it touches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.journal.in_doubt import Pending, Verdict, atomic_ddl, decide
from ebhook.sql.statement import (
    Kind,
    Object,
    Touched,
    conditional,
    is_several,
    kind_of,
    may_commit,
    plain,
    table_of,
    temporary,
    touched,
    written,
)

MYSQL, MARIADB = "8.4.3", "10.11.19-MariaDB-0+deb12u1"


# --- the text without what does not count -----------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("  SELECT\n\t1 ; ", "SELECT 1"),
        ("SELECT 1 -- one\n, 2", "SELECT 1 , 2"),
        ("SELECT 1--1", "SELECT 1--1"),
        ("SELECT 1 --", "SELECT 1"),
        ("# first\nSELECT 1", "SELECT 1"),
        ("/* a */SELECT/* b\n */1/**/", "SELECT 1"),
        ("SELECT '/* x */  -- y'", "SELECT '/* x */  -- y'"),
        ('SELECT `a  b`,"c  d"', 'SELECT `a  b`,"c  d"'),
        (r"SELECT 'it\'s  a' ,  'b''  c'", r"SELECT 'it\'s  a' , 'b''  c'"),
        ("SELECT /*+ MAX_EXECUTION_TIME(1) */ 1", "SELECT 1"),
        ("SELECT /*! STRAIGHT_JOIN */ 1", "SELECT /*! STRAIGHT_JOIN */ 1"),
        ("SELECT /*M! 1 */", "SELECT /*M! 1 */"),
        ("", ""),
    ],
)
def test_comments_and_odd_spaces_are_taken_out(sql: str, left: str) -> None:
    """What is in quotes stays, and so does a comment that the server runs."""
    assert plain(sql) == left


@given(st.text())
def test_any_text_at_all_can_be_read(sql: str) -> None:
    """Nothing that a migration sends makes the reading of it fail."""
    kind_of(sql)
    touched(sql)
    written(sql)
    temporary(sql)
    is_several(sql)


# --- kinds -----------------------------------------------------------------------------------------

READS = r"""
SELECT 1
(SELECT 1) UNION (SELECT 2)
select * from clients for update
SELECT 'UPDATE clients SET a = 1; DROP TABLE x'
SELECT '/*! not a comment */'
SHOW CREATE TABLE clients
DESCRIBE clients
DESC clients
EXPLAIN UPDATE clients SET a = 1
VALUES ROW(1)
TABLE clients
CHECKSUM TABLE clients
WITH a AS (SELECT 1) SELECT * FROM a
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n
WITH a AS (SELECT ') UPDATE') SELECT * FROM a
/* UPDATE */ SELECT 1
-- DROP TABLE x\n SELECT 1"""

SESSIONS = r"""
SET @a = 1
SET SESSION sql_mode = ''
SET NAMES utf8mb4
USE other
BEGIN
START TRANSACTION
COMMIT
ROLLBACK
ROLLBACK TO SAVEPOINT sa_savepoint_1
SAVEPOINT sa_savepoint_1
RELEASE SAVEPOINT sa_savepoint_1
LOCK TABLES clients WRITE
UNLOCK TABLES
DO SLEEP(1)
FLUSH TABLES
KILL QUERY 7
PREPARE s FROM 'ALTER TABLE clients ADD COLUMN a INT'
DEALLOCATE PREPARE s
CREATE TEMPORARY TABLE t (id INT)
CREATE OR REPLACE TEMPORARY TABLE t (id INT)
create temporary table if not exists t select * from clients
DROP TEMPORARY TABLE IF EXISTS t"""

DATAS = r"""
INSERT INTO clients VALUES (1)
insert ignore into clients select * from others
INSERT INTO clients VALUES ('/*! x */')
UPDATE clients SET a = 1
UPDATE clients, others SET a = 1
DELETE FROM clients
REPLACE INTO clients VALUES (1)
LOAD DATA LOCAL INFILE 'x' INTO TABLE clients
WITH a AS (SELECT 1) UPDATE clients JOIN a SET b = 1
WITH a AS (SELECT 1) DELETE FROM clients WHERE id IN (SELECT * FROM a)
/* why */\n  UPDATE clients SET a = 1
SET STATEMENT max_statement_time = 5 FOR UPDATE clients SET a = 1"""

DEFINITIONS = r"""
CREATE TABLE clients (id INT)
CREATE TABLE clients AS SELECT 1
ALTER TABLE clients ADD COLUMN a INT
ALTER\nTABLE\nclients ADD COLUMN a INT
DROP TABLE clients
RENAME TABLE a TO b
TRUNCATE clients
CREATE UNIQUE INDEX i ON clients (a)
CREATE TRIGGER t BEFORE INSERT ON clients FOR EACH ROW SET NEW.a = 1
CREATE OR REPLACE VIEW v AS SELECT 1
ALTER DATABASE CHARACTER SET utf8mb4
GRANT SELECT ON clients TO reporting
ANALYZE TABLE clients
ANALYZE LOCAL TABLE clients
OPTIMIZE TABLE clients
SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE clients ADD COLUMN a INT"""

OPAQUES = r"""
CALL repair_clients()
EXECUTE s
/*!50003 UPDATE clients SET a = 1 */
/*M!100100 UPDATE clients SET a = 1 */
CREATE /*!50003 TRIGGER t */ BEFORE INSERT ON clients FOR EACH ROW SET NEW.a = 1
ANALYZE UPDATE clients SET a = 1
ANALYZE FORMAT=JSON DELETE FROM clients
BEGIN NOT ATOMIC UPDATE clients SET a = a + 1; END
WITH a AS (SELECT 1)
XA START 'x'
HANDLER clients OPEN
DELIMITER //
UPDAET clients SET a = 1
;"""


def kinds() -> list[tuple[Kind, str]]:
    return [
        (kind, line.replace("\\n", "\n"))
        for kind, lines in (
            (Kind.READ, READS),
            (Kind.SESSION, SESSIONS),
            (Kind.DATA, DATAS),
            (Kind.DEFINITION, DEFINITIONS),
            (Kind.OPAQUE, OPAQUES),
        )
        for line in lines.strip().splitlines()
    ]


@pytest.mark.parametrize(("kind", "sql"), kinds(), ids=lambda value: str(value)[:60])
def test_each_statement_is_of_its_kind(kind: Kind, sql: str) -> None:
    """Rows change inside the transaction, definitions end it, and what is not known is opaque."""
    assert kind_of(sql) is kind


@pytest.mark.parametrize(("kind", "sql"), kinds(), ids=lambda value: str(value)[:60])
def test_case_and_comments_change_no_kind(kind: Kind, sql: str) -> None:
    """A statement in small letters behind a comment is still the same statement."""
    if "/*" not in sql:
        assert kind_of(f"/* JMS-1 */ {sql.lower()} -- done") is kind


@pytest.mark.parametrize(
    ("sql", "several"),
    [
        ("UPDATE a SET b = 1; UPDATE c SET d = 1", True),
        ("UPDATE a SET b = 1;", False),
        ("UPDATE a SET b = 'x; y'", False),
        ("UPDATE a SET b = 1 -- x; y", False),
        (
            "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW BEGIN SET @x = 1; SET @y = 2; END",
            False,
        ),
    ],
)
def test_several_statements_in_one_text_are_seen(sql: str, several: bool) -> None:
    """A routine's body is one statement with it."""
    assert is_several(sql) is several


# --- objects ---------------------------------------------------------------------------------------


def table(*names: str) -> tuple[Object, ...]:
    return tuple(Object("TABLE", None, name) for name in names)


def one(kind: str, name: str, schema: str | None = None) -> tuple[Object, ...]:
    return (Object(kind, schema, name),)


TOUCHED = {
    # tables
    "CREATE TABLE clients (id INT)": Touched(table("clients")),
    "\nCREATE TABLE clients (\n\tid INTEGER NOT NULL\n)\n\n": Touched(table("clients")),
    "CREATE TABLE IF NOT EXISTS clients (id INT)": Touched(table("clients"), repeatable=True),
    "CREATE TABLE `odd ``name` (id INT)": Touched(table("odd `name")),
    'CREATE TABLE "odd ""name" (id INT)': Touched(table('odd "name')),
    "CREATE TABLE acme.clients (id INT)": Touched(one("TABLE", "clients", "acme")),
    "CREATE TABLE `acme` . `clients` (id INT)": Touched(one("TABLE", "clients", "acme")),
    "CREATE TABLE a LIKE b": Touched(table("a")),
    "CREATE TABLE a AS SELECT * FROM b": Touched(table("a"), fills=True),
    "CREATE TABLE a (id INT) SELECT 1 AS id": Touched(table("a"), fills=True),
    "CREATE TABLE a TABLE b": Touched(table("a"), fills=True),
    "CREATE TABLE a VALUES ROW(1)": Touched(table("a"), fills=True),
    "CREATE TABLE IF NOT EXISTS a SELECT 1": Touched(table("a"), repeatable=True, fills=True),
    "CREATE TABLE a (b VARCHAR(9) COMMENT 'SELECT one')": Touched(table("a")),
    "CREATE TABLE a (b INT) PARTITION BY RANGE (b) (PARTITION p VALUES LESS THAN (1))": Touched(
        table("a")
    ),
    "CREATE TABLE a (b INT) PARTITION BY LIST (b) (PARTITION p VALUES IN (1))": Touched(table("a")),
    "CREATE OR REPLACE TABLE a (id INT)": Touched(table("a"), shows=False),
    "CREATE OR REPLACE TABLE a AS SELECT 1": Touched(table("a"), shows=False, fills=True),
    "ALTER TABLE clients ADD COLUMN a INT": Touched(table("clients")),
    "alter  table clients add a int": Touched(table("clients")),
    "ALTER ONLINE TABLE clients ADD COLUMN a INT": Touched(table("clients")),
    "ALTER TABLE IF EXISTS clients ADD COLUMN a INT": Touched(table("clients")),
    "ALTER TABLE acme.clients ENGINE=InnoDB": Touched(one("TABLE", "clients", "acme")),
    "ALTER TABLE a EXCHANGE PARTITION p WITH TABLE b": Touched(table("a"), shows=False),
    "ALTER TABLE a TRUNCATE PARTITION p": Touched(table("a"), shows=False),
    "ALTER TABLE a DISCARD TABLESPACE": Touched(table("a"), shows=False),
    "ALTER TABLE a NOWAIT EXCHANGE PARTITION p WITH TABLE b": Touched(table("a"), shows=False),
    "ALTER TABLE a WAIT 5 TRUNCATE PARTITION p": Touched(table("a"), shows=False),
    "ALTER TABLE a CHANGE b c INT, CHANGE c b INT AFTER id": Touched(table("a"), shows=False),
    "ALTER TABLE a RENAME COLUMN b TO `c`, RENAME COLUMN c TO b": Touched(table("a"), shows=False),
    "ALTER TABLE a DROP b, ADD COLUMN b INT": Touched(table("a"), shows=False),
    "ALTER TABLE a DROP COLUMN b, ADD COLUMN c INT": Touched(table("a")),
    "ALTER TABLE a CHANGE b b BIGINT, CHANGE c d INT": Touched(table("a")),
    "ALTER TABLE a DROP PRIMARY KEY, ADD PRIMARY KEY (b)": Touched(table("a")),
    "ALTER TABLE a ADD COLUMN import VARCHAR(9)": Touched(table("a")),
    "ALTER TABLE a ADD COLUMN b INT AS (COALESCE(c, 0))": Touched(table("a")),
    "ALTER TABLE a ADD COLUMN b VARCHAR(9) COMMENT ', IMPORT'": Touched(table("a")),
    "DROP TABLE a": Touched(table("a")),
    "DROP TABLE a, `b`,c": Touched(table("a", "b", "c")),
    "DROP TABLE IF EXISTS a": Touched(table("a"), repeatable=True),
    "DROP TABLES a, b": Touched(table("a", "b")),
    "RENAME TABLE a TO b": Touched(table("a", "b")),
    "RENAME TABLE a TO old, new TO a": Touched(table("new", "old")),
    "RENAME TABLE acme.a TO `b`": Touched((*one("TABLE", "a", "acme"), *table("b"))),
    "RENAME TABLE `a,b` TO c": Touched(table("a,b", "c")),
    "RENAME TABLE a TO t, b TO a, t TO b": Touched(table("a", "b", "t"), shows=False),
    "TRUNCATE TABLE a": None,
    # indexes
    "CREATE INDEX i ON clients (a)": Touched(table("clients")),
    "CREATE UNIQUE INDEX `on` ON clients (a)": Touched(table("clients")),
    "CREATE FULLTEXT INDEX i ON acme.clients (a)": Touched(one("TABLE", "clients", "acme")),
    "CREATE INDEX i USING BTREE ON clients (a)": Touched(table("clients")),
    "DROP INDEX i ON clients": Touched(table("clients")),
    # views and routines
    "CREATE VIEW v AS SELECT 1": Touched(table("v")),
    "CREATE OR REPLACE VIEW v AS SELECT 1": Touched(table("v"), repeatable=True),
    "CREATE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1": Touched(
        table("v")
    ),
    "ALTER VIEW v AS SELECT 2": Touched((), repeatable=True),
    "DROP VIEW v": Touched(table("v")),
    "CREATE TRIGGER t BEFORE INSERT ON clients FOR EACH ROW SET NEW.a = 1": Touched(
        one("TRIGGER", "t")
    ),
    "CREATE DEFINER=root@localhost TRIGGER t BEFORE INSERT ON c FOR EACH ROW SET @a = 1": Touched(
        one("TRIGGER", "t")
    ),
    "CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON c FOR EACH ROW SET @a = 1": Touched(
        one("TRIGGER", "t"), repeatable=True
    ),
    "DROP TRIGGER t": Touched(one("TRIGGER", "t")),
    "DROP TRIGGER IF EXISTS acme.t": Touched(one("TRIGGER", "t", "acme"), repeatable=True),
    "CREATE PROCEDURE p() SELECT 1": Touched(one("PROCEDURE", "p")),
    "CREATE FUNCTION f() RETURNS INT RETURN 1": Touched(one("FUNCTION", "f")),
    "DROP PROCEDURE p": Touched(one("PROCEDURE", "p")),
    "ALTER PROCEDURE p COMMENT 'x'": Touched((), repeatable=True),
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1": Touched(one("EVENT", "e")),
    "ALTER EVENT e RENAME TO f": None,
    # the rest
    "ALTER DATABASE CHARACTER SET utf8mb4": Touched((), repeatable=True),
    "ALTER DATABASE acme COLLATE utf8mb4_bin": Touched((), repeatable=True),
    "ANALYZE TABLE a": Touched((), repeatable=True),
    "OPTIMIZE TABLE a": Touched((), repeatable=True),
    "CREATE DATABASE IF NOT EXISTS acme": Touched((), repeatable=True),
    "CREATE DATABASE acme": None,
    "GRANT SELECT ON a TO b": None,
    "CREATE SEQUENCE s": None,
    "CREATE TABLE": None,
    "DROP TABLE": None,
    "RENAME TABLE a": None,
}


@pytest.mark.parametrize(("sql", "expected"), TOUCHED.items(), ids=lambda value: str(value)[:60])
def test_a_definition_names_what_it_touches(sql: str, expected: Touched | None) -> None:
    """The objects whose look tells whether the statement happened; None is for a person to decide."""
    assert touched(sql) == expected


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("ALTER TABLE clients ADD COLUMN a INT", "clients"),
        ("ALTER TABLE acme.clients ADD COLUMN a INT", None),
        ("DROP TABLE a, b", None),
        ("DROP TRIGGER t", None),
        ("UPDATE clients SET a = 1", None),
    ],
)
def test_the_one_table_of_a_definition_is_told(sql: str, name: str | None) -> None:
    """None when there are several, it is elsewhere, or it is no table."""
    assert table_of(sql) == name


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("INSERT INTO t VALUES (1)", "t"),
        ("INSERT LOW_PRIORITY IGNORE `t` SELECT * FROM real_one", "t"),
        ("REPLACE t VALUES (1)", "t"),
        ("UPDATE t SET a = 1", "t"),
        ("UPDATE t AS x SET x.a = 1", "t"),
        ("UPDATE t JOIN real_one SET real_one.a = t.a", None),
        ("UPDATE t, real_one SET a = 1", None),
        ("DELETE FROM t WHERE a = 1", "t"),
        ("DELETE FROM t, real_one USING t JOIN real_one", None),
        ("DELETE real_one FROM t JOIN real_one", None),
        ("TRUNCATE TABLE t", "t"),
        ("ALTER TABLE t ADD COLUMN a INT", "t"),
        ("CREATE INDEX i ON t (a)", "t"),
        ("DROP TABLE t", "t"),
        ("DROP TABLE t, real_one", None),
        ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "t"),
        ("SELECT * FROM t", None),
    ],
)
def test_the_one_table_that_is_written_to_is_told(sql: str, name: str | None) -> None:
    """None when others may be written to as well."""
    found = written(sql)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("CREATE TEMPORARY TABLE t (id INT)", ("CREATE", ("t",))),
        ("\nCREATE TEMPORARY TABLE IF NOT EXISTS `T` AS SELECT 1", ("CREATE", ("T",))),
        ("DROP TEMPORARY TABLE a, b", ("DROP", ("a", "b"))),
        ("CREATE TABLE t (id INT)", None),
        ("CREATE TEMPORARY TABLE", None),
    ],
)
def test_temporary_tables_are_told(sql: str, found: tuple[str, tuple[str, ...]] | None) -> None:
    """By the word in the statement that makes or drops them."""
    made = temporary(sql)
    told = (made[0], tuple(one.name for one in made[1])) if made is not None else None
    assert told == found


# --- the verdict -----------------------------------------------------------------------------------


def innodb(columns: str) -> str:
    return f"CREATE TABLE `a` (\n  {columns}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"


OLD, NEW = innodb("`id` int"), innodb("`id` int,\n  `b` int")
MYISAM = OLD.replace("InnoDB", "MyISAM")
A, B = table("a", "b")
HAPPENED, NOT, UNKNOWN = Verdict.HAPPENED, Verdict.NOT, Verdict.UNKNOWN
AGAIN = Verdict.AGAIN


@pytest.mark.parametrize(
    ("objects", "before", "now", "facts", "verdict"),
    [
        # one object
        ((A,), (OLD,), (NEW,), {}, HAPPENED),
        ((A,), (OLD,), (OLD,), {}, NOT),
        ((A,), (None,), (NEW,), {}, HAPPENED),
        ((A,), (None,), (None,), {}, NOT),
        ((A,), (OLD,), (None,), {}, HAPPENED),
        # several: all of them tell the same, or nobody knows
        ((A, B), (OLD, None), (None, OLD), {}, HAPPENED),
        ((A, B), (OLD, None), (OLD, None), {}, NOT),
        ((A, B), (OLD, OLD), (None, OLD), {}, UNKNOWN),
        # nothing to look at
        (None, (), (), {}, UNKNOWN),
        # it may have happened and not show; it can no more than that
        ((A,), (OLD,), (OLD,), {"shows": False}, UNKNOWN),
        ((A,), (OLD,), (NEW,), {"shows": False}, HAPPENED),
        ((A,), (None,), (NEW,), {"shows": False}, HAPPENED),
        ((A,), (None,), (None,), {"shows": False}, NOT),
        ((A,), (OLD,), (None,), {"shows": False}, UNKNOWN),
        # filled as a whole
        ((A,), (None,), (NEW,), {"fills": True}, HAPPENED),
        ((A,), (None,), (None,), {"fills": True}, NOT),
        ((A,), (None,), (NEW,), {"fills": True, "shows": False}, UNKNOWN),
        ((A,), (None,), (NEW,), {"fills": True, "repeatable": True}, HAPPENED),
        # running it again is as good, where it cannot be told
        ((), (), (), {"repeatable": True}, AGAIN),
        ((A,), (MYISAM,), (NEW,), {"repeatable": True}, AGAIN),
        ((A, B), (OLD, OLD), (None, OLD), {"repeatable": True}, AGAIN),
        ((A,), (OLD,), (NEW,), {"repeatable": True}, HAPPENED),
        ((A,), (OLD,), (OLD,), {"repeatable": True}, NOT),
        # another engine, another server
        ((A,), (MYISAM,), (NEW,), {}, UNKNOWN),
        ((A,), (OLD,), (MYISAM,), {}, UNKNOWN),
        ((A,), (OLD,), (NEW,), {"server": "8.0.36"}, UNKNOWN),
        # the server itself said that it failed: then it did not happen, whatever changed since
        ((A,), (OLD,), (NEW,), {"failed": True}, NOT),
        ((A,), (OLD,), (OLD,), {"failed": True, "server": "8.0.36"}, NOT),
        (None, (), (), {"failed": True}, NOT),
        (None, (), (), {"failed": True, "server": "5.7.44"}, UNKNOWN),
        ((A, B), (OLD, OLD), (OLD, OLD), {"failed": True}, NOT),
        ((A, B), (OLD, OLD), (None, OLD), {"failed": True}, UNKNOWN),
    ],
)
def test_the_verdict_follows_from_the_looks(
    objects: tuple[Object, ...] | None,
    before: tuple[str | None, ...],
    now: tuple[str | None, ...],
    facts: dict[str, object],
    verdict: Verdict,
) -> None:
    """As before: it did not happen; every object changed: it did; anything else is for a person."""
    pending = Pending("…", objects, before, **({"server": MYSQL} | facts))  # type: ignore[arg-type]

    assert decide(pending, now, MYSQL) is verdict


@pytest.mark.parametrize(
    "server", ["5.7.44-log", "10.5.27-MariaDB", "10.2.1-MariaDB-log", "unheard of"]
)
def test_without_atomic_ddl_a_person_is_asked(server: str) -> None:
    """A statement that may be half done is never judged by its looks."""
    pending = Pending("ALTER TABLE a ADD COLUMN b INT", (A,), (OLD,), server=server)

    assert not atomic_ddl(server)
    assert decide(pending, (NEW,), server) is UNKNOWN
    assert decide(pending, (OLD,), server) is UNKNOWN


@pytest.mark.parametrize(
    ("server", "verdict"),
    [
        ("8.0.20", UNKNOWN),
        ("8.0.21-log", HAPPENED),
        ("9.7.4-2", HAPPENED),
        ("8.0.mysql_aurora.3.04.0", UNKNOWN),
        (MARIADB, HAPPENED),
    ],
)
def test_a_filled_table_is_whole_where_the_server_makes_it_so(
    server: str, verdict: Verdict
) -> None:
    """MySQL commits CREATE … SELECT in one since 8.0.21."""
    pending = Pending("CREATE TABLE a SELECT 1", (A,), (None,), fills=True, server=server)

    assert decide(pending, (NEW,), server) is verdict


@pytest.mark.parametrize(
    "server",
    [
        "8.0.36",
        "8.4.3",
        "9.7.4-2",
        "8.0.mysql_aurora.3.04.0",
        MARIADB,
        "10.6.0-MariaDB",
        "11.4.2-MariaDB",
    ],
)
def test_servers_with_atomic_ddl_are_known(server: str) -> None:
    """MySQL since 8.0, MariaDB since 10.6, by what they say of themselves."""
    assert atomic_ddl(server)


@pytest.mark.parametrize(
    ("sql", "commits"),
    [
        ("SET @a = 1", False),
        ("SET SESSION sql_mode = ''", False),
        ("SET @@session.sql_mode = ''", False),
        ("set names latin1", False),
        ("SAVEPOINT a", False),
        ("ROLLBACK TO a", False),
        ("USE other", False),
        ("CREATE TEMPORARY TABLE t (id INT)", False),
        ("SET DEFAULT ROLE NONE TO u", True),
        ("SET PASSWORD = 'x'", True),
        ("SET GLOBAL sql_mode = ''", True),
        ("SET autocommit = 1", True),
        ("SET ROLE r", True),
        ("LOCK TABLES t WRITE", True),
        ("START TRANSACTION", True),
        ("COMMIT", True),
        ("FLUSH TABLES", True),
    ],
)
def test_what_may_commit_is_not_overlooked(sql: str, commits: bool) -> None:
    """All but a short list: who does not know writes the position first."""
    assert may_commit(sql) is commits


@pytest.mark.parametrize(
    ("sql", "name", "shows"),
    [
        ("CREATE TABLE prix€ (id INT)", "prix€", True),
        ("ALTER TABLE`t`ADD`b`INT", "t", True),
        ("ALTER TABLE t DROP b, ADD (b INT)", "t", False),
        ("ALTER TABLE t DROP COLUMN b, ADD COLUMN (a DECIMAL(1,2), `b` INT)", "t", False),
        ("ALTER TABLE`t`DROP`b`,ADD`b`INT", "t", False),
        ("ALTER TABLE t DROP b, ADD (c INT DEFAULT (b))", "t", True),
        ("CREATE EVENT e ON SCHEDULE AT NOW() DO SELECT 1", "e", False),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "e", True),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENDS '2030-01-01' DO SELECT 1", "e", False),
    ],
)
def test_a_look_tells_only_where_it_does(sql: str, name: str, shows: bool) -> None:
    """Names as MySQL takes them, and statements after which an object may look as before."""
    found = touched(sql)
    assert found is not None
    assert [one.name for one in found.objects] == [name]
    assert found.shows is shows


def test_a_function_of_a_shared_library_is_not_looked_at() -> None:
    """SHOW CREATE FUNCTION does not know it."""
    assert touched("CREATE FUNCTION f RETURNS STRING SONAME 'f.so'") is None


@pytest.mark.parametrize(
    ("sql", "inner"),
    [
        ("/*!40101 SET NAMES utf8 */", "SET NAMES utf8"),
        ("/*M!100100 SET @a=1 */;", "SET @a=1"),
        ("/*! DO 1 */ /*! DO 2 */", None),
        ("SELECT 1 /*!40101 , 2 */", None),
    ],
)
def test_what_a_conditional_comment_holds(sql: str, inner: str | None) -> None:
    """When it is all of the statement."""
    assert conditional(sql) == inner
