"""The journal on real servers: each statement once, whatever dies, fails, or is mended in between."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    HalfApplied,
    InDoubt,
    JournalForeign,
    MigrationFailed,
    RevisionChanged,
    RevisionUnknown,
)
from ebhook.events import LockWaiting, StatementRetried
from ebhook.lock import lock_name
from ebhook.scratch import Flavour, server
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.faults.clinic import (
    CLIENTS,
    COUNT,
    CREATE_LAST,
    EMAIL,
    PEOPLE,
    PHONE,
    VERSION,
    Clinic,
    positions,
)
from tests.faults.content import contents, differences
from tests.faults.proxy import Fate, Proxy, Query, Where
from tests.faults.watching import ask, until

BINARY = "ALTER TABLE clients MODIFY COLUMN name VARBINARY(50)"

# --- where the position is written ------------------------------------------------------------------


def test_position_goes_before_a_definition_and_with_the_data(clinic: Clinic) -> None:
    """One small statement each, all in the transactions that there are anyway: one COMMIT."""
    clinic.statements("a002", EMAIL, COUNT, COUNT, PHONE, after="a001")

    clinic.said.clear()
    clinic.succeeds()

    short = positions(clinic.said)
    start = short.index("ALTER TABLE") - 3
    assert short[start : short.index("COMMIT", start) + 1] == [
        "SHOW CREATE",
        "SELECT @@VERSION,",
        "J",
        "ALTER TABLE",
        "UPDATE CLIENTS",
        "UPDATE CLIENTS",
        "SHOW CREATE",
        "J",
        "ALTER TABLE",
        "UPDATE ALEMBIC_VERSION",
        "J",
        "DELETE FROM",  # the lock's row, with the last revision
        "COMMIT",
    ]


def test_the_end_of_a_revision_goes_with_the_next_definition(clinic: Clinic) -> None:
    """Which commits what is open: no COMMIT but the last."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.statements("a003", PHONE, after="a002")

    clinic.said.clear()
    clinic.succeeds()

    short = positions(clinic.said)
    start = short.index("ALTER TABLE")
    assert short[start : short.index("COMMIT", start) + 1] == [
        "ALTER TABLE",
        "UPDATE ALEMBIC_VERSION",
        "SHOW CREATE",
        "J",  # one end, and one beginning
        "ALTER TABLE",
        "UPDATE ALEMBIC_VERSION",
        "J",
        "DELETE FROM",  # the lock's row, with the last revision
        "COMMIT",
    ]


@pytest.mark.parametrize(
    "fails",
    [
        'raise ValueError("before any statement")',
        'op.execute("SELECT no_such_column FROM clients")',
        "op.execute(\"UPDATE clients SET n = 'word'\")",
        'op.execute("ALTER TABLE clients ADDD COLUMN slip INT")',  # refused unread: nothing commits
        'op.execute("ALTER TABLE clients ADD COLUMN name INT")',
        'op.execute("RELEASE_ALL_LOCKS()")',
        'op.execute("SET no_such_variable = 1")',
        'op.execute("CREATE TEMPORARY TABLE clients (id INT, id INT)")',
        "op.get_bind().rollback(); raise ValueError",
    ],
)
def test_the_end_of_a_revision_is_kept_whatever_the_next_one_does(
    clinic: Clinic, fails: str
) -> None:
    clinic.statements("a002", EMAIL, after="a001")
    clinic.revision("a003", fails, after="a002")

    clinic.fails(MigrationFailed)

    assert clinic.version() == "a002"
    assert [one.revision for one in clinic.entries() if one.finished_at] == ["a001", "a002"]
    clinic.statements("a003", PHONE, after="a002")
    clinic.succeeds()
    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]


def test_a_slip_of_the_pen_that_is_caught_leaves_no_doubt(clinic: Clinic) -> None:
    """It is refused unread, with the end of the revision before still open; then a kill."""
    slip = 'try: op.execute("CREATE SEQUENCE s1 NOSUCH OPTION")\nexcept Exception: pass\n'
    clinic.statements("a002", EMAIL, after="a001")
    clinic.revision("a003", f"{slip}op.execute({COUNT!r})", after="a002")
    clinic.dies("n = n + 1")

    clinic.succeeds()

    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE old (id INT) ENGINE=MyISAM",
        "ALTER TABLE clients ENGINE = MyISAM",
        "CREATE TABLE old (id INT)",
    ],
)
def test_an_end_that_could_not_be_told_does_not_wait(clinic: Clinic, statement: str) -> None:
    """Tables of another engine leave doubt, so the time in which a kill could is short."""
    clinic.statements("a002", "SET default_storage_engine = MyISAM", statement, after="a001")
    clinic.statements("a003", PHONE, after="a002")
    clinic.dies("COLUMN phone")

    clinic.succeeds()

    assert clinic.columns("clients") == ["id", "name", "n", "phone"]


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
def test_an_end_that_was_not_committed_is_done_by_the_next_run(
    clinic: Clinic, where: Where
) -> None:
    """Killed around the definition that would have committed it: nothing is run twice."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.statements("a003", PHONE, after="a002")
    clinic.dies("COLUMN phone", where)
    assert clinic.version() == ("a001" if where is Where.BEFORE else "a002")
    clinic.changes()

    clinic.succeeds()

    assert clinic.changes() == ([PHONE] if where is Where.BEFORE else [])
    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]


def test_an_end_that_the_server_undid_is_not_told(clinic: Clinic) -> None:
    """A look at a table can be the victim of a deadlock, which undoes the version that waits."""
    clinic.do("CREATE TABLE aaa (id INT)")
    clinic.statements("a002", EMAIL, after="a001")
    clinic.statements("a003", "ALTER TABLE aaa ADD COLUMN n INT", after="a002")
    there_and_back = (
        "RENAME TABLE aaa TO a2, alembic_version TO v2, v2 TO alembic_version, a2 TO aaa"
    )
    other = threading.Thread(target=clinic.do, args=(there_and_back,))

    def cross(query: Query) -> Fate:
        """It has `aaa` for itself, and waits for the version's table."""
        other.start()
        waiting = (
            "SELECT 1 FROM information_schema.processlist"
            " WHERE state LIKE 'Waiting for%' AND db = DATABASE()"
        )
        until(lambda: clinic.ask(waiting), "the other session waits")
        return Fate.ON

    clinic.strike("`aaa`", Where.BEFORE, cross)
    clinic.changes()
    error = clinic.run().error
    other.join()

    assert isinstance(error, Deadlocked), error
    assert clinic.version() == "a001"
    clinic.succeeds()
    assert clinic.version() == "a003"
    assert clinic.changes().count(EMAIL) == 1


def test_an_end_that_a_read_only_server_refuses_is_not_told(clinic: Clinic) -> None:
    """A fail-over between two revisions: where it stands is said as it is, and the next run goes on."""
    clinic.do(
        "CREATE TABLE other (id INT)",
        "CREATE USER IF NOT EXISTS no_super@'%' IDENTIFIED BY 'secret'",
        f"GRANT ALL ON `{clinic.name}`.* TO no_super@'%'",
    )
    clinic.statements("a002", EMAIL, after="a001")
    clinic.statements("a003", "ALTER TABLE other ADD COLUMN n INT", after="a002")

    def fail_over(query: Query) -> Fate:
        clinic.do("SET GLOBAL read_only = ON")
        return Fate.ON

    clinic.strike("`other`", Where.BEFORE, fail_over)
    clinic.changes()
    url = f"mysql+pymysql://no_super:secret@127.0.0.1:{clinic.proxy.port}/{{tenant}}"
    try:
        error = clinic.run(tenants_url=url).error
    finally:
        clinic.do("SET GLOBAL read_only = OFF")

    assert error is not None
    assert "is read-only" in error.what
    assert "It stands at a001" in error.state
    assert clinic.version() == "a001"
    clinic.succeeds(tenants_url=url)
    assert clinic.version() == "a003"
    assert clinic.changes().count(EMAIL) == 1


@pytest.mark.parametrize("then", ["ALTER TABLE clients ADD COLUMN phone INT", COUNT])
def test_an_end_whose_row_somebody_deleted_is_told_in_full(clinic: Clinic, then: str) -> None:
    clinic.statements("a002", EMAIL, after="a001")
    clinic.revision(
        "a003",
        f"""
        engine = sa.create_engine({clinic.fleet.server.url(clinic.name)!r})
        with engine.begin() as other:
            other.execute(sa.text("DELETE FROM migration_journal"))
        op.execute({then!r})
        """,
        after="a002",
    )

    clinic.succeeds()

    ends = [(one.revision, one.down_revision, one.position) for one in clinic.entries()]
    assert sorted(ends) == [("a002", "a001", 1), ("a003", "a002", 1)]
    assert clinic.entries()[0].statements == (EMAIL,)


MANY = [f"CREATE TABLE t{number:02} (id INT)" for number in range(30)]


def test_many_new_tables_are_not_looked_at_one_by_one(clinic: Clinic) -> None:
    """After a few, the names of all tables are read once. What is there is looked at as ever."""
    clinic.do("CREATE TABLE T25 (id INT)")
    clinic.statements("a002", *MANY, "ALTER TABLE t29 ADD COLUMN n INT", after="a001")

    clinic.said.clear()
    clinic.succeeds()

    looks = [said.rpartition(".")[2].strip("`") for said in clinic.said if "SHOW CREATE" in said]
    assert looks == [*(f"t{number:02}" for number in range(8)), "t25", "t29"]
    assert sum("SELECT table_name" in said for said in clinic.said) == 1


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
def test_a_new_table_that_was_not_looked_at_is_decided(clinic: Clinic, where: Where) -> None:
    clinic.statements("a002", *MANY, after="a001")
    clinic.dies("TABLE t20", where)
    clinic.changes()

    clinic.succeeds()

    assert clinic.changes() == MANY[20 if where is Where.BEFORE else 21 :]


@pytest.mark.parametrize(
    "makes",
    [
        "CREATE TABLE other (id INT)",
        "CREATE TABLE `Other` (id INT)",
        "RENAME TABLE t01 TO other",
        "ALTER TABLE t01 RENAME TO other",
        "CREATE VIEW other AS SELECT 1",
        "CALL make_other()",
    ],
)
def test_a_table_that_has_come_meanwhile_is_looked_at(clinic: Clinic, makes: str) -> None:
    """Whatever made it: once it may be there, its name alone says nothing."""
    clinic.do("CREATE PROCEDURE make_other() CREATE TABLE other (id INT)")
    again = "CREATE TABLE other (id INT, more INT)"
    clinic.statements("a002", *MANY, makes, again, after="a001")

    clinic.said.clear()
    if "`Other`" in makes:  # another table, where case counts
        clinic.succeeds()
    else:
        clinic.fails(MigrationFailed)
        half = clinic.half()
        assert half is not None
        assert half.pending is not None
        assert half.pending.before[0] is not None

    assert f"SHOW CREATE TABLE `{clinic.name}`.`other`" in clinic.said


def test_position_of_a_refused_definition_is_durable_too(clinic: Clinic) -> None:
    """The implicit commit comes before the refusal."""
    clinic.statements("a002", COUNT, "ALTER TABLE clients ADD COLUMN name INT", after="a001")

    clinic.fails(MigrationFailed)

    half = clinic.half()
    assert half is not None
    assert half.position == 1
    assert half.pending is not None
    assert half.pending.failed
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(1,)]


def test_a_long_loop_is_told_at_its_end(clinic: Clinic) -> None:
    """A thousand changes in one transaction cost the journal a few statements, and no more."""
    clinic.revision(
        "a002", 'for i in range(1000): op.execute(f"UPDATE clients SET n = {i}")', after="a001"
    )

    clinic.said.clear()
    clinic.succeeds()

    assert len([text for text in clinic.said if "migration_journal`" in text]) < 10


# --- after a crash ------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
@pytest.mark.parametrize("words", ["COLUMN email", "COLUMN phone", "n = n + 1", VERSION])
def test_a_resumed_revision_does_each_statement_once(
    clinic: Clinic, words: str, where: Where
) -> None:
    """Wherever it died: data and columns are as if it had not."""
    clinic.statements("a002", EMAIL, COUNT, PHONE, COUNT, after="a001")

    clinic.dies(words, where)
    clinic.succeeds()

    assert clinic.columns("clients") == ["id", "name", "n", "email", "phone"]
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(2,)]
    assert clinic.version() == "a002"


def test_statements_that_are_in_are_not_sent_again(clinic: Clinic) -> None:
    """After three of four, the fourth alone is run, and the history has them all."""
    clinic.statements("a002", EMAIL, COUNT, PHONE, CREATE_LAST, after="a001")
    clinic.dies("COLUMN phone", Where.AFTER)
    clinic.changes()

    clinic.succeeds()

    assert clinic.changes() == [CREATE_LAST]
    entry = clinic.entries()[-1]
    assert (entry.revision, entry.position) == ("a002", 4)
    assert entry.statements == (EMAIL, COUNT, PHONE, CREATE_LAST)


# What a migration may do besides: each body is run, killed with all of it in, and resumed.
BODIES = {
    "bulk_insert": """
        op.bulk_insert(sa.table("clients", sa.column("id")), [{"id": i} for i in range(10, 40)])
    """,
    "a loop over rows that it changes": """
        for (id,) in op.get_bind().execute(sa.text("SELECT id FROM clients WHERE n = 0")):
            op.execute(f"UPDATE clients SET n = n + {id} WHERE id = {id}")
    """,
    "a column that it reads and drops": """
        rows = op.get_bind().execute(sa.text("SELECT id, name FROM clients ORDER BY id")).all()
        op.execute("CREATE TABLE names (id INT, name VARCHAR(50))")
        for id, name in rows:
            op.get_bind().execute(
                sa.text("INSERT INTO names VALUES (:id, :name)"), {"id": id, "name": name}
            )
        op.drop_column("clients", "name")
    """,
    "a table that is made only once": """
        inspector = sa.inspect(op.get_bind())
        if "email" not in [column["name"] for column in inspector.get_columns("clients")]:
            op.add_column("clients", sa.Column("email", sa.String(50)))
        if not inspector.has_table("visits"):
            op.create_table("visits", sa.Column("id", sa.Integer(), primary_key=True))
    """,
    "new ids": """
        op.execute("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT)")
        op.execute("CREATE TABLE b (a INT)")
        a = op.get_bind().execute(sa.text("INSERT INTO a (n) VALUES (1), (2)")).lastrowid
        op.execute("ALTER TABLE b ADD COLUMN c INT")
        op.execute(f"INSERT INTO b VALUES ({a}, 1)")
        op.execute("INSERT INTO a (n) VALUES (3)")
        op.execute("ALTER TABLE b ADD COLUMN d INT")
        op.execute("INSERT INTO b VALUES (LAST_INSERT_ID(), 2, 2)")
    """,
    "an id in a variable": """
        op.execute("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY)")
        op.execute("INSERT INTO a VALUES ()")
        op.execute("SET @a = LAST_INSERT_ID()")
        op.execute("CREATE TABLE b (a INT)")
        op.execute("INSERT INTO b VALUES (@a)")
    """,
    "RETURNING where the server has it": """
        t = op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("x", sa.Integer()))
        connection = op.get_bind()
        if connection.dialect.insert_returning:
            ids = list(connection.execute(t.insert().returning(t.c.id), [{"x": 1}, {"x": 2}]).scalars())
        else:
            ids = [1, 2]
            connection.execute(t.insert(), [{"x": 1}, {"x": 2}])
        op.execute("ALTER TABLE t ADD COLUMN y INT")
        op.execute(f"UPDATE t SET y = 7 WHERE id = {max(ids)}")
    """,
    "row counts": """
        op.execute("ALTER TABLE clients ADD COLUMN done INT")
        while op.get_bind().execute(
            sa.text("UPDATE clients SET done = 1, n = n + 1 WHERE done IS NULL LIMIT 1")
        ).rowcount:
            op.execute("INSERT INTO clients (id, done) SELECT MAX(id) + 10, 2 FROM clients")
        op.execute("ALTER TABLE clients MODIFY done INT NOT NULL")
    """,
    "autocommit_block": """
        with op.get_context().autocommit_block():
            op.execute("UPDATE clients SET n = n + 1")
            op.execute("ALTER TABLE clients ADD COLUMN email VARCHAR(50)")
            op.execute("UPDATE clients SET n = n + 1")
            op.execute("START TRANSACTION")
            op.execute("UPDATE clients SET n = 99")
            op.execute("ROLLBACK")
    """,
    "COMMIT and ROLLBACK": """
        op.execute("UPDATE clients SET n = n + 1")
        op.execute("COMMIT")
        op.execute("UPDATE clients SET n = 99")
        op.execute("ROLLBACK")
        op.execute("UPDATE clients SET n = n + 1")
    """,
    "savepoints": """
        with op.get_bind().begin_nested():
            op.execute("UPDATE clients SET n = n + 1")
        savepoint = op.get_bind().begin_nested()
        op.execute("UPDATE clients SET n = 99")
        savepoint.rollback()
        op.execute("UPDATE clients SET n = n + 1")
    """,
    "temporary tables": """
        op.execute("CREATE TEMPORARY TABLE t (id INT, x INT)")
        op.execute("INSERT INTO t SELECT id, 5 FROM clients")
        op.execute("ALTER TABLE t ADD COLUMN y INT DEFAULT 2")
        op.execute("ALTER TABLE clients ADD COLUMN x INT")
        op.execute("UPDATE t SET x = x + y")
        op.execute("UPDATE clients JOIN t USING (id) SET clients.x = t.x, n = n + 1")
        op.execute("DROP TABLE t")
        op.execute("ALTER TABLE clients ADD COLUMN y INT")
    """,
    "an error that it catches": """
        from sqlalchemy.exc import OperationalError, IntegrityError
        try:
            op.execute("ALTER TABLE clients ADD COLUMN name INT")
        except OperationalError:
            op.execute("UPDATE clients SET n = n + 10")
        try:
            op.execute("INSERT INTO clients (id) VALUES (1)")
        except IntegrityError:
            op.execute("UPDATE clients SET n = n + 10")
        try:
            op.get_bind().execute(sa.text("SELECT * FROM nothing"))
        except sa.exc.ProgrammingError:
            op.execute("CREATE TABLE nothing (id INT)")
    """,
    "an ORM session": """
        from sqlalchemy.orm import Session, declarative_base
        class Client(declarative_base()):
            __tablename__ = "clients"
            id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
            name = sa.Column(sa.String(50))
        op.execute("ALTER TABLE clients ADD COLUMN x INT")
        session = Session(op.get_bind())
        session.add_all([Client(id=10, name="Barbara"), Client(id=11, name="Edsger")])
        session.flush()
        session.get(Client, 1).name = "Augusta"
        session.flush()
        session.delete(session.get(Client, 2))
        session.commit()
        op.execute("ALTER TABLE clients ADD COLUMN y INT")
    """,
    "LOCK TABLES": """
        op.execute("LOCK TABLES clients WRITE")
        op.execute("UPDATE clients SET n = n + 1")
        op.execute("ALTER TABLE clients ADD COLUMN x INT")
        op.execute("UNLOCK TABLES")
    """,
    "prepared statements": """
        op.execute("SET @s = IF(1, 'UPDATE clients SET n = n + 1', 'DO 0')")
        op.execute("PREPARE s FROM @s")
        op.execute("EXECUTE s")
        op.execute("DEALLOCATE PREPARE s")
    """,
    "percent signs": """
        op.execute("UPDATE clients SET name = '100%' WHERE name LIKE 'A%a'")
        op.execute("UPDATE clients SET name = DATE_FORMAT('2026-05-04', '%d.%m.') WHERE id = 3")
        op.get_bind().execute(sa.text("UPDATE clients SET n = n + :x WHERE name LIKE '%%'"), {"x": 5})
    """,
    "values of all types": """
        op.execute("CREATE TABLE v (a DECIMAL(9,3), b DATETIME(6), c DATE, d TIME, e BLOB, f JSON,"
                   " g BIGINT UNSIGNED, h DOUBLE, i BIT(9), j YEAR, k VARCHAR(9), l ENUM('x', 'y'))")
        op.execute("INSERT INTO v VALUES (1.5, '2026-01-02 03:04:05.678901', '2026-01-02', '-12:34:56',"
                   " x'00ff', '{}', 18446744073709551615, 0.1, b'101', 2026, 'é\U0001f600', 'y')")
        row = op.get_bind().execute(sa.text("SELECT * FROM v")).one()
        op.execute("CREATE TABLE w LIKE v")
        op.get_bind().exec_driver_sql(
            "INSERT INTO w VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", tuple(row)
        )
        op.execute("DROP TABLE v")
    """,
    "views, triggers and routines": """
        op.execute("CREATE VIEW v AS SELECT id FROM clients")
        op.execute("CREATE TRIGGER t AFTER INSERT ON clients FOR EACH ROW SET @x = NEW.id")
        op.execute("CREATE PROCEDURE p() UPDATE clients SET n = n + 1")
        op.execute("CALL p()")
        op.execute("DROP PROCEDURE p")
    """,
    "many tables": """
        op.execute("CREATE TABLE a AS SELECT id FROM clients")
        op.execute("CREATE TABLE b LIKE clients")
        op.execute("RENAME TABLE a TO c, b TO a")
        op.execute("DROP TABLE a, c")
    """,
    "another database": """
        home = op.get_bind().execute(sa.text("SELECT DATABASE()")).scalar()
        op.execute("USE information_schema")
        op.execute(f"ALTER TABLE {home}.clients ADD COLUMN x INT")
        op.execute(f"USE {home}")
        op.execute("UPDATE clients SET n = n + 1")
    """,
    "another sql_mode": """
        op.execute("SET SESSION sql_mode = 'ANSI_QUOTES'")
        op.execute('ALTER TABLE "clients" ADD COLUMN "x" INT')
        op.execute('ALTER TABLE "clients" ADD COLUMN "y" INT')
        op.execute("SET SESSION sql_mode = DEFAULT")
    """,
    "batch_alter_table": """
        with op.batch_alter_table("clients") as batch:
            batch.add_column(sa.Column("x", sa.Integer()))
            batch.alter_column("name", existing_type=sa.String(50), nullable=False)
            batch.create_index("ix", ["x"])
    """,
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_whatever_a_migration_does_is_done_once(clinic: Clinic, fleet: Fleets, body: str) -> None:
    """Killed twice at the last of it: a resumed run ends as one that never died."""
    calm = Clinic(fleet(1), clinic.ebhook, clinic.proxy, clinic.folder.with_name("calm"))
    calm.statements("a001", CLIENTS, PEOPLE)
    calm.revision("a002", body, after="a001")
    calm.succeeds()
    clinic.revision("a002", body, after="a001")

    clinic.dies(VERSION)
    clinic.dies(VERSION, Where.AFTER)
    clinic.succeeds()

    found = contents(clinic.fleet.server, [clinic.name, calm.name])
    assert differences(found[calm.name], found[clinic.name]) == []


# --- in doubt ---------------------------------------------------------------------------------------

BOTH = "CREATE TABLE a (id INT) ; CREATE TABLE b (id INT, x INT)"
ROUTINES = "CREATE PROCEDURE p() UPDATE clients SET n = n + 1"
# Statement → what has to be there before it. The server tells whether each of these happened.
DECIDED = {
    "CREATE TABLE t (id INT)": "",
    "CREATE TABLE t LIKE clients": "",
    "CREATE TABLE IF NOT EXISTS t (id INT)": "",
    "CREATE TABLE t AS SELECT * FROM clients": "",
    "ALTER TABLE clients ADD COLUMN x INT, DROP COLUMN name": "",
    "ALTER TABLE clients RENAME TO customers": "",
    "ALTER TABLE clients ENGINE=InnoDB": "",
    "CREATE INDEX ix ON clients (name)": "",
    "DROP TABLE a": BOTH,
    "RENAME TABLE a TO old, b TO a": BOTH,
    "CREATE VIEW v AS SELECT id FROM clients": "",
    "CREATE OR REPLACE VIEW v AS SELECT id FROM clients": "CREATE VIEW v AS SELECT 1 AS one",
    "ALTER VIEW v AS SELECT id FROM clients": "CREATE VIEW v AS SELECT 1 AS one",
    "DROP VIEW v": "CREATE VIEW v AS SELECT 1 AS one",
    "CREATE TRIGGER t BEFORE INSERT ON clients FOR EACH ROW SET NEW.n = 1": "",
    "CREATE PROCEDURE p() SELECT 1": "",
    "DROP PROCEDURE p": ROUTINES,
    "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1": "",
    "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO SET @x = 1": "",
    "ALTER DATABASE CHARACTER SET utf8mb4": "",
    "OPTIMIZE TABLE clients": "",
}
# Of these, running them once more is as good …
AGAIN = {
    "ALTER TABLE clients ENGINE=InnoDB",
    "ALTER VIEW v AS SELECT id FROM clients",
    "ALTER DATABASE CHARACTER SET utf8mb4",
    "OPTIMIZE TABLE clients",
}
PAIR = "CREATE TABLE pair (id INT, a INT, b INT)"
PARTS = (
    "CREATE TABLE parts (id INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (10)) ; "
    "CREATE TABLE part (id INT)"
)
# … and of these a person is asked when they have been sent, or, as for CALL, even if they have not.
ASKED = {
    "CALL p()": (ROUTINES, {Where.BEFORE, Where.AFTER}),
    "TRUNCATE TABLE clients": ("", {Where.AFTER}),
    "RENAME TABLE a TO c, b TO a, c TO b": (BOTH, {Where.AFTER}),
    "ALTER TABLE pair CHANGE a b INT, CHANGE b a INT AFTER id": (PAIR, {Where.AFTER}),
    "ALTER TABLE pair DROP COLUMN b, ADD COLUMN b INT": (PAIR, {Where.AFTER}),
}
# MariaDB has words of its own.
ASKED_ON_MARIADB = {
    "ALTER TABLE parts NOWAIT EXCHANGE PARTITION p WITH TABLE part": PARTS,
    "ALTER TABLE parts WAIT 5 TRUNCATE PARTITION p": PARTS,
    "CREATE OR REPLACE TABLE pair (id INT, a INT, b INT)": PAIR,
}


@pytest.mark.parametrize(("sql", "setting"), DECIDED.items())
def test_a_definition_in_doubt_is_decided_by_looking(
    clinic: Clinic, sql: str, setting: str
) -> None:
    """Killed just before it, and then just after: the next run knows, and asks nobody."""
    if setting:
        clinic.do(*setting.split(" ; "))
    clinic.statements("a002", COUNT, sql, CREATE_LAST, after="a001")

    clinic.dies(sql, Where.BEFORE)
    clinic.dies(sql, Where.AFTER)
    clinic.changes()
    clinic.succeeds()

    repeated = [CREATE_LAST] if sql not in AGAIN else [sql, CREATE_LAST]
    assert clinic.changes() == repeated


@pytest.mark.parametrize("where", [Where.BEFORE, Where.AFTER])
@pytest.mark.parametrize(("sql", "setting", "asked"), [(k, *v) for k, v in ASKED.items()])
def test_what_cannot_be_told_is_asked(
    clinic: Clinic, sql: str, setting: str, asked: set[Where], where: Where
) -> None:
    """The question names the statement; the answer is believed, and the rest goes on."""
    if setting:
        clinic.do(*setting.split(" ; "))
    clinic.statements("a002", PHONE, sql, CREATE_LAST, after="a001")
    clinic.dies(sql, where)

    if where in asked:
        error = clinic.fails(InDoubt)
        assert "stopped at statement 2" in error.what
        assert sql in error.what
        said = clinic.cli(
            "resolve", clinic.name, "--applied" if where is Where.AFTER else "--not-applied"
        )
        assert said.code == 0, said.stderr
    clinic.succeeds()

    assert "last" in clinic.tables()
    assert clinic.columns("clients").count("phone") == 1


@pytest.mark.parametrize(("sql", "setting"), ASKED_ON_MARIADB.items())
def test_what_mariadb_cannot_tell_is_asked(
    clinic: Clinic, server: AnyServer, sql: str, setting: str
) -> None:
    """Neither done twice nor left out: rows that came meanwhile stay."""
    if server.flavour is not Flavour.MARIADB:
        return  # it has no such statements
    clinic.do(*setting.split(" ; "))
    clinic.statements("a002", sql, after="a001")
    clinic.dies(sql, Where.AFTER)
    clinic.fails(InDoubt)


def test_resolve_shows_the_statement_and_its_table_then_and_now(clinic: Clinic) -> None:
    """Exit 2 and no change, as long as nobody says which; refused when nothing is in doubt (64)."""
    clinic.do("CREATE TABLE old (id INT) ENGINE=MyISAM")
    clinic.statements("a002", "ALTER TABLE old ADD COLUMN x INT", after="a001")
    assert clinic.cli("resolve", clinic.name).code == 64
    clinic.dies("ALTER TABLE old", Where.AFTER)

    shown = clinic.cli("resolve", clinic.name)
    as_json = clinic.cli("resolve", clinic.name, "--json")

    assert shown.code == as_json.code == 2
    assert "ALTER TABLE old ADD COLUMN x INT" in shown.stdout
    assert "+  `x` int" in shown.stdout
    assert as_json.json()["resolved"] is None
    assert clinic.cli("boot").code == 2

    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    assert clinic.cli("resolve", clinic.name, "--applied").code == 64
    assert clinic.cli("boot").code == 0
    assert clinic.columns("old") == ["id", "x"]
    history = clinic.cli("history", clinic.name).stdout
    assert "statement 1 of a002 counts as applied" in history


def test_resolve_takes_one_word(clinic: Clinic) -> None:
    ran = clinic.cli("resolve", clinic.name, "--applied", "--not-applied")

    assert ran.code == 64
    assert "either --applied or --not-applied" in ran.stderr


def test_bytes_that_are_no_text_are_kept_as_escapes(clinic: Clinic) -> None:
    """In a statement that goes to the driver as it is; told again after a crash, it is the same."""
    add = r"""cursor.execute(b"INSERT INTO clients (id, name) VALUES (9, X'41'), (10, _binary'\xff')")"""
    cursor = "cursor = op.get_bind().connection.cursor()"
    clinic.revision(
        "a002", f"op.execute({BINARY!r})\n{cursor}\n{add}\nop.execute({EMAIL!r})", after="a001"
    )
    clinic.dies("COLUMN email")

    clinic.succeeds()

    assert clinic.ask("SELECT COUNT(*) FROM clients WHERE id > 8") == [(2,)]


def test_resolve_refuses_what_is_decided(clinic: Clinic) -> None:
    """A statement whose table tells is not up for an opinion."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.dies(EMAIL, Where.AFTER)

    said = clinic.cli("resolve", clinic.name, "--not-applied")

    assert said.code == 64
    assert "happened" in said.stderr
    clinic.succeeds()


@pytest.mark.parametrize("version", ["5.7.44-log", "10.5.27-MariaDB", "8.0.1"])
def test_another_server_than_before_is_asked_about(clinic: Clinic, version: str) -> None:
    """A dump of an old server, or one without atomic DDL: how things looked there proves nothing."""
    clinic.statements("a002", EMAIL, after="a001")
    clinic.dies(EMAIL, Where.AFTER)
    ((id, facts),) = clinic.ask(
        "SELECT id, pending_objects FROM migration_journal WHERE finished_at IS NULL"
    )
    changed = json.dumps(json.loads(facts) | {"server": version})
    clinic.do(
        f"UPDATE migration_journal SET pending_objects = '{_escaped(changed)}' WHERE id = {id}"
    )

    clinic.fails(InDoubt)

    assert clinic.cli("resolve", clinic.name, "--applied").code == 0
    clinic.succeeds()


def test_a_migration_cannot_swallow_the_question(clinic: Clinic) -> None:
    """One that catches everything gets the same answer to every further statement."""
    clinic.revision(
        "a002",
        """
        from contextlib import suppress
        for statement in ["CALL p()", "UPDATE clients SET n = 50", "CREATE TABLE last (id INT)"]:
            with suppress(Exception):
                op.execute(statement)
        """,
        after="a001",
    )
    clinic.do(ROUTINES)
    clinic.dies("CALL p()", Where.AFTER)

    clinic.fails(InDoubt)

    assert "last" not in clinic.tables()
    assert clinic.version() == "a001"


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
    assert "a002_jms_1.py" in error.next
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
    assert "DELETE FROM migration_journal WHERE id = " in error.next
    clinic.do("ALTER TABLE clients DROP COLUMN email", error.next.rpartition("and then: ")[2])
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

    assert "One op.execute is one statement" in error.next
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
    assert f"ebhook resolve {clinic.name} --applied" in first.stdout
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

    assert "EBHOOK_JOURNAL_TABLE" in error.next
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
    assert "half done, 1 in" in one.stdout
    assert "Duplicate column name 'name'" in one.stdout
    first, second = whole.json()["history"]
    assert (first["revision"], first["statements"]) == ("a001", 2)
    assert first["seconds"] > 0
    assert first["finished_at"]
    assert second["holder"].startswith("i-0abc:")
    assert second["finished_at"] is None


# --- losing the connection --------------------------------------------------------------------------------


def test_a_loss_that_the_migration_swallows_is_still_a_loss(clinic: Clinic) -> None:
    """It is reported as a lost connection, to be looked at again, and not as a failed migration."""
    clinic.revision(
        "a002",
        f"""
        try:
            op.execute({EMAIL!r})
        except Exception:
            pass
        op.execute({PHONE!r})
        """,
        after="a001",
    )
    clinic.strike("COLUMN email", Where.AFTER, lambda query: Fate.CUT)

    clinic.fails(ConnectionLost)

    clinic.calm()
    clinic.succeeds()
    assert clinic.columns("clients")[-2:] == ["email", "phone"]


def test_a_killed_session_is_a_lost_connection(clinic: Clinic, server: AnyServer) -> None:
    """KILL CONNECTION while a statement runs is no fault of the migration."""
    clinic.statements("a002", "UPDATE clients SET n = n + SLEEP(20)", EMAIL, after="a001")

    def kill(query: Query) -> Fate:
        with server.connect() as connection:
            ask(connection, f"KILL CONNECTION {query.session.id}")
        return Fate.ON

    clinic.strike("SLEEP(20)", Where.INSIDE, kill)

    clinic.fails(ConnectionLost)
    clinic.calm()
    clinic.statements("a002", COUNT, EMAIL, after="a001")
    clinic.succeeds()


@pytest.mark.parametrize("flavour", list(Flavour))
def test_a_wait_that_undoes_the_transaction_is_not_simply_tried_again(
    flavour: Flavour, ebhook: Ebhook, tmp_path: Path
) -> None:
    """With innodb_rollback_on_timeout a lock wait time-out undoes what came before, too."""
    with server(flavour, ["--innodb-rollback-on-timeout=ON"]) as own, Proxy(own) as proxy:
        clinic = Clinic(Fleets(own)(1), ebhook, proxy, tmp_path / "project")
        clinic.statements("a001", CLIENTS, PEOPLE)
        clinic.succeeds()
        clinic.statements(
            "a002",
            "UPDATE clients SET n = n + 1 WHERE id = 1",
            "UPDATE clients SET n = n + 10 WHERE id = 3",
            after="a001",
        )
        person = own.connect(database=clinic.name, autocommit=False)
        ask(person, "UPDATE clients SET name = 'x' WHERE id = 3")
        error = clinic.fails(Deadlocked, ddl_lock_wait_timeout="1")
        person.close()
        clinic.succeeds()

        assert "innodb_rollback_on_timeout" in error.what
        assert clinic.ask("SELECT n FROM clients ORDER BY id") == [(1,), (0,), (10,)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


# --- what was found by looking for it ---------------------------------------------------------------


@pytest.mark.parametrize(
    "read", ["SELECT name FROM clients", "SELECT COUNT(*), MAX(name) FROM clients"]
)
def test_odd_line_ends_in_what_was_read(clinic: Clinic, read: str) -> None:
    """U+2028 ends a line for Python, and none in the journal."""
    clinic.do("UPDATE clients SET name = _utf8mb4 x'41E280A842' WHERE id = 1")
    clinic.revision(
        "a002",
        f"op.get_bind().execute(sa.text({read!r})).all()\n"
        f"op.execute({COUNT!r})\nop.execute({PHONE!r})",
        after="a001",
    )
    clinic.dies("COLUMN phone", Where.AFTER)
    clinic.succeeds()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM clients WHERE name LIKE '%@old.com'",
        "SELECT id FROM clients WHERE n < 9 FOR UPDATE",
    ],
    ids=["at-sign", "for-update"],
)
def test_rows_that_a_loop_follows_are_given_again(clinic: Clinic, query: str) -> None:
    """Whatever is in the query's text: the loop takes the same way as the first time."""
    clinic.do("UPDATE clients SET name = CONCAT(name, '@old.com')")
    clinic.revision(
        "a002",
        f"""
        for (id,) in op.get_bind().execute(sa.text({query!r})).all():
            op.execute(f"UPDATE clients SET name = 'new', n = n + 10 WHERE id = {{id}}")
        op.execute({PHONE!r})
        op.execute({CREATE_LAST!r})
        """,
        after="a001",
    )
    clinic.dies(CREATE_LAST, Where.BEFORE)
    clinic.succeeds()
    assert set(clinic.ask("SELECT n FROM clients")) == {(10,)}


def test_what_was_set_aside_stays_aside(clinic: Clinic) -> None:
    """A revision of which nothing is in was replaced by one that rolls back at its beginning."""
    clinic.statements("a002", "ALTER TABLE clients ADD COLUMN name INT", after="a001")
    clinic.fails(MigrationFailed)
    (clinic.versions / "a002_jms_1.py").unlink()
    clinic.statements("b002", "ROLLBACK", COUNT, PHONE, CREATE_LAST, after="a001")
    clinic.dies(CREATE_LAST, Where.BEFORE)
    clinic.succeeds()
    assert set(clinic.ask("SELECT n FROM clients")) == {(1,)}


@pytest.mark.parametrize("end", [";", " -- all of it", " # all of it"])
def test_tables_are_locked_whatever_ends_the_statement(clinic: Clinic, end: str) -> None:
    """The journal's table is locked with them."""
    clinic.statements(
        "a002", "LOCK TABLES clients WRITE" + end, COUNT, "UNLOCK TABLES", after="a001"
    )
    clinic.succeeds()


def test_a_failure_under_locked_tables_is_settled(clinic: Clinic) -> None:
    """A statement that was seen to end is in, and nobody is asked."""
    locked = ("LOCK TABLES clients WRITE", "TRUNCATE TABLE clients")
    clinic.revision(
        "a002",
        f"op.execute({locked[0]!r})\nop.execute({locked[1]!r})\nraise RuntimeError",
        after="a001",
    )
    clinic.fails(MigrationFailed)
    clinic.statements("a002", *locked, "UNLOCK TABLES", after="a001")
    clinic.succeeds()


@pytest.mark.parametrize("id", ["a002", "b002"])
def test_what_may_be_repeated_may_not_be_replaced(clinic: Clinic, id: str) -> None:
    """IF NOT EXISTS has made the table in its first shape: another text is not the same."""
    clinic.statements("a002", "CREATE TABLE IF NOT EXISTS t (id INT)", after="a001")
    clinic.dies("CREATE TABLE IF", Where.AFTER)
    (clinic.versions / "a002_jms_1.py").unlink()
    clinic.statements(id, "CREATE TABLE IF NOT EXISTS t (id INT, x INT)", after="a001")
    clinic.fails(RevisionChanged)


def test_safe_updates_are_no_trouble(clinic: Clinic) -> None:
    """An idiom of MySQL Workbench's scripts, left on at the end."""
    clinic.statements("a002", COUNT, "SET SQL_SAFE_UPDATES = 1", after="a001")
    clinic.succeeds()


def test_no_password_is_kept(clinic: Clinic) -> None:
    """Neither of the login, in an error, nor of a user that a revision makes."""
    password = "Tr0ub4dor-and-3"
    clinic.do(
        f"CREATE USER IF NOT EXISTS kept@'%' IDENTIFIED BY '{password}'",
        "GRANT ALL ON *.* TO kept@'%'",
    )
    clinic.revision(
        "a002",
        f"""
        op.execute("ALTER USER kept@'%' IDENTIFIED BY '{password}'")
        url = op.get_context().environment_context.config.get_main_option("sqlalchemy.url")
        raise RuntimeError(url)
        """,
        after="a001",
    )
    url = f"mysql+pymysql://kept:{password}@127.0.0.1:{clinic.proxy.port}/{{tenant}}"
    clinic.fails(MigrationFailed, tenants_url=url)
    (kept,) = clinic.ask("SELECT * FROM migration_journal WHERE finished_at IS NULL")
    assert "kept" in str(kept)
    assert password not in str(kept)
