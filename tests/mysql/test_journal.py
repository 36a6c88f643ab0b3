"""The journal on real servers: each statement once, whatever dies in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    MigrationFailed,
    RevisionChanged,
)
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import server
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.content import contents, differences
from tests.support.proxy import Fate, Proxy, Query, Where
from tests.support.single_tenant import (
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
from tests.support.watching import ask, until

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
        "LOCK",
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
        "LOCK",
        "SHOW CREATE",
        "J",  # one end, and one beginning
        "ALTER TABLE",
        "UPDATE ALEMBIC_VERSION",
        "LOCK",
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
    entry = [one for one in clinic.entries() if one.kind == "upgrade"][-1]
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
