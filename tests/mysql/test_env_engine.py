"""env.py keeps its engine: what it asks of a connection holds in the migrations, as it does without ebhook.
And a refusal of ours fails the revision, whatever the version file catches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ebhook.errors import ChainBroken, HalfApplied, MigrationFailed, Stopped
from tests.conftest import AnyServer
from tests.support.single_tenant import EMAIL, Clinic

CONNECT = "with engine.connect() as connection:\n"
CONFIGURE = "        context.configure(connection=connection"
TIME = "SET time_zone = '+05:00'"
LISTEN = f"""
    from sqlalchemy import event
    @event.listens_for(engine, "connect")
    def prepare(driver, record):
        with driver.cursor() as cursor:
            cursor.execute("{TIME}")

    """
KEPT = {
    "init_command": ("poolclass", f'connect_args={{"init_command": "{TIME}"}}, poolclass'),
    "connect event": (CONNECT, f"{LISTEN.strip()}\n    {CONNECT}"),
    "SET on the connection": (
        CONFIGURE,
        f'        connection.exec_driver_sql("{TIME}")\n        connection.commit()\n{CONFIGURE}',
    ),
    "SET on the pool's connection": (
        f"    {CONNECT}",
        f'    {CONNECT}        connection.exec_driver_sql("{TIME}")\n    {CONNECT}',
    ),
    "isolation level": (
        "poolclass",
        f'isolation_level="AUTOCOMMIT", connect_args={{"init_command": "{TIME}"}}, poolclass',
    ),
}
OF_THE_ENGINE = """
bind = op.get_bind()
assert bind.engine.url.database == bind.exec_driver_sql("SELECT DATABASE()").scalar()
op.execute("CREATE TABLE seen (at TIMESTAMP NOT NULL)")
op.execute("INSERT INTO seen VALUES ('2026-01-01 12:00:00')")
"""
FIVE_HOURS_EAST = [(1767250800,)]


def env(clinic: Clinic, *changes: tuple[str, str]) -> None:
    """Changes env.py."""
    path = clinic.folder / "migrations" / "env.py"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


@pytest.mark.parametrize("how", KEPT)
def test_what_env_py_asks_of_its_connection_holds(clinic: Clinic, how: str) -> None:
    """A time zone, set in any of the ways there are; and the engine's URL is the tenant's."""
    pool = ("pool.NullPool", "pool.QueuePool") if "pool's" in how else ("pool.", "pool.")
    env(clinic, KEPT[how], pool)
    clinic.revision("a002", OF_THE_ENGINE, after="a001", back='op.drop_table("seen")')
    clinic.succeeds()

    assert clinic.ask("SELECT UNIX_TIMESTAMP(at) FROM seen") == FIVE_HOURS_EAST
    clinic.succeeds(to="a001", downgrade=True)


def test_options_and_events_of_the_engine_hold(clinic: Clinic) -> None:
    """A serializer of JSON, a schema translation, a rewriting event."""
    rewrite = """
    from sqlalchemy import event
    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def rewrite(conn, cursor, sql, values, context, many):
        return sql.replace("'plain'", "'rewritten'"), values

    """
    env(
        clinic,
        ("poolclass", 'json_serializer=lambda v: "{\\"net\\": 1}", poolclass'),
        (f"    {CONNECT}", f"{rewrite.rstrip(' ')}    {CONNECT}"),
        (CONFIGURE, "        connection = connection.execution_options(\n"
         '            schema_translate_map={"there": engine.url.database})\n'
         + CONFIGURE),
    )  # fmt: skip
    clinic.revision(
        "a002",
        """
        t = op.create_table("prices", sa.Column("id", sa.Integer, primary_key=True),
                            sa.Column("data", sa.JSON), schema="there")
        op.bulk_insert(t, [{"id": 1, "data": {"net": object()}}])
        op.execute("UPDATE clients SET name = 'plain' WHERE id = 1")
        """,
        after="a001",
    )
    clinic.succeeds()

    assert clinic.ask("SELECT CAST(data AS CHAR) FROM prices") == [('{"net": 1}',)]
    assert clinic.ask("SELECT name FROM clients WHERE id = 1") == [("rewritten",)]


def test_what_cannot_be_kept_is_refused_by_name_before_anything_runs(clinic: Clinic) -> None:
    """A creator, and a converter of values: the connection with the lock was made without them."""
    clinic.statements("a002", EMAIL, after="a001")
    env(clinic, ("poolclass", 'connect_args={"conv": {1: str}}, poolclass'))
    assert "its engine has conv" in clinic.fails(ChainBroken).what

    env(clinic, ('connect_args={"conv": {1: str}}', "creator=lambda: None"))
    assert "its engine has creator" in clinic.fails(ChainBroken).what
    assert "email" not in clinic.columns("clients")


def test_other_engines_of_the_application_stay_what_they_are(clinic: Clinic) -> None:
    """A registry that env.py reads before it connects, and one that it cannot reach."""
    registry = """
    import sqlalchemy
    registry = sqlalchemy.create_engine(engine.url.set(database="mysql"))
    with registry.connect() as other:
        assert other.exec_driver_sql("SELECT DATABASE()").scalar() == "mysql"
    try:
        sqlalchemy.create_engine(engine.url.set(database="absent")).connect().exec_driver_sql("DO 1")
    except sqlalchemy.exc.DBAPIError:
        pass

    """
    env(
        clinic,
        (f"    {CONNECT}", f"{registry.rstrip(' ')}    {CONNECT}"),
        KEPT["SET on the connection"],
    )
    clinic.revision("a002", OF_THE_ENGINE + f"op.execute({EMAIL!r})", after="a001")
    clinic.succeeds()

    assert clinic.ask("SELECT UNIX_TIMESTAMP(at) FROM seen") == FIVE_HOURS_EAST
    assert "email" in clinic.columns("clients")


# --- a second connection, and what is caught ------------------------------------------------------


def caught(body: str) -> str:
    """The body of a revision that tolerates whatever goes wrong."""
    inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"try:\n{inner}\nexcept Exception as error:\n    print('there already?', error)"


def test_a_second_connection_of_the_engine_reads(clinic: Clinic) -> None:
    """An inspection of the engine, which opens a connection, is answered on the first one; the column
    that it finds missing is added, once, though the file catches everything."""
    body = """
    have = [c["name"] for c in sa.inspect(op.get_bind().engine).get_columns("clients")]
    if "email" not in have:
        op.add_column("clients", sa.Column("email", sa.String(50)))
    """
    clinic.revision("a002", caught(body), after="a001")
    clinic.succeeds()

    assert clinic.columns("clients")[-1] == "email"


def test_a_second_connection_does_not_write(clinic: Clinic) -> None:
    """It is refused with its line and the cure; caught or not, the version does not move."""
    body = """
    with op.get_bind().engine.begin() as other:
        other.exec_driver_sql("UPDATE clients SET n = 7")
    """
    clinic.revision("a002", caught(body), after="a001")
    error = clinic.fails(MigrationFailed)

    assert "a second connection" in error.what
    assert "UPDATE clients SET n = 7 (versions/a002_jms_1.py, line " in error.what
    assert "sa.inspect(op.get_bind())" in str(error.next)
    assert clinic.ask("SELECT DISTINCT n FROM clients") == [(0,)]
    assert clinic.ask("SELECT version_num FROM alembic_version") == [("a001",)]


@pytest.fixture
def locked_table(clinic: Clinic) -> Iterator[None]:
    """Somebody has an open transaction on the table."""
    with clinic.fleet.connect(clinic.name) as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("SELECT * FROM clients")
        yield
        connection.rollback()


@pytest.mark.usefixtures("locked_table")
def test_giving_up_on_a_lock_cannot_be_caught(clinic: Clinic) -> None:
    """The limit is ours, so the revision fails, and nothing of it runs after that."""
    add = 'op.add_column("clients", sa.Column("email", sa.String(50)))'
    clinic.revision(
        "a002", caught(add) + '\nop.execute("CREATE TABLE more (id INT)")', after="a001"
    )
    clinic.fails(Stopped, ddl_lock_wait_timeout="1", rollout_deadline="4")

    assert clinic.ask("SELECT version_num FROM alembic_version") == [("a001",)]
    assert clinic.ask("SHOW TABLES LIKE 'more'") == []


def test_an_algorithm_that_the_settings_do_not_allow_cannot_be_caught(
    clinic: Clinic, server: AnyServer
) -> None:
    """A stored column needs a copy; where that is allowed the statement as it is written decides."""
    add = 'op.add_column("clients", sa.Column("twice", sa.Integer, sa.Computed("n * 2", True)))'
    clinic.revision("a002", caught(add), after="a001")
    error = clinic.fails(MigrationFailed)
    assert '"copy" (EBHOOK_DDL_ALGORITHM)' in str(error.next)
    assert clinic.ask("SELECT version_num FROM alembic_version") == [("a001",)]

    clinic.succeeds(ddl_algorithm="copy")
    assert clinic.columns("clients")[-1] == "twice"


def test_what_the_server_refuses_by_itself_may_be_caught(clinic: Clinic) -> None:
    """The usual way to add a column that may be there: by any algorithm it is a duplicate."""
    clinic.do(EMAIL)
    add = 'op.add_column("clients", sa.Column("email", sa.String(50)))'
    clinic.revision("a002", caught(add), after="a001")
    clinic.succeeds()


def test_an_env_py_that_catches_everything_is_not_believed(clinic: Clinic) -> None:
    """The revision failed; env.py goes on as if it had not."""
    run = "            context.run_migrations()\n"
    env(clinic, (run * 1, "            try:\n    " + run + "            except Exception: pass\n"))
    clinic.statements("a002", "CREATE TABLE clients (id INT)", after="a001")

    assert "revision a002 failed at statement 1" in clinic.fails(MigrationFailed).what


# --- nothing of it is in -------------------------------------------------------------------------


def test_a_refused_downgrade_was_never_begun(clinic: Clinic) -> None:
    """Its first statement was refused: the next upgrade has nothing to do, and a repaired one goes back."""
    clinic.statements("a002", EMAIL, after="a001", back='op.execute("ALTER TABLE clients DROP q")')
    clinic.succeeds()
    error = clinic.fails(MigrationFailed, to="a001", downgrade=True)
    assert f"ebhook downgrade {clinic.name} a001" in str(error.next)

    clinic.succeeds()
    assert clinic.half() is None

    clinic.statements(
        "a002", EMAIL, after="a001", back='op.execute("ALTER TABLE clients DROP email")'
    )
    clinic.succeeds(to="a001", downgrade=True)


def test_a_refused_upgrade_does_not_forbid_going_back(clinic: Clinic) -> None:
    """Nothing of it is in; what has begun is another matter."""
    clinic.statements("a002", "ALTER TABLE clients DROP q", EMAIL, after="a001")
    clinic.fails(MigrationFailed)
    clinic.succeeds(to="base", downgrade=True)

    clinic.statements("a002", EMAIL, "ALTER TABLE clients DROP q", after="a001")
    clinic.fails(MigrationFailed)
    clinic.fails(HalfApplied, to="base", downgrade=True)


def test_a_version_file_without_downgrade_is_named(clinic: Clinic) -> None:
    """It is that file's fault, not env.py's."""
    path = clinic.statements("a002", EMAIL, after="a001")
    path.write_text(path.read_text().partition("def downgrade")[0])
    clinic.succeeds()
    error = clinic.fails(ChainBroken, to="a001", downgrade=True)

    assert error.what == f"{path} has no downgrade()."


# --- what else env.py may be ----------------------------------------------------------------------


def test_an_async_env_py(clinic: Clinic) -> None:
    """Alembic's own template, by an asynchronous driver: the lock and the journal are below it."""
    template = Path(find_spec("alembic").origin).parent / "templates" / "async" / "env.py"  # type: ignore[union-attr, arg-type]
    text = template.read_text().replace("fileConfig(config.config_file_name)", "pass")
    (clinic.folder / "migrations" / "env.py").write_text(text)
    clinic.statements("a002", EMAIL, after="a001")
    url = clinic.proxy.url(clinic.fleet.template).replace("+pymysql", "+aiomysql")
    clinic.succeeds(tenants_url=url)

    assert clinic.columns("clients")[-1] == "email"


def test_version_files_see_what_env_py_has_done(clinic: Clinic) -> None:
    """They are imported after it: a variable that it sets is there, and `-x` comes from the settings."""
    env(clinic, ("config = context.config\n", "config = context.config\nimport os\n"
         'os.environ["COLOUR"] = context.get_x_argument(as_dictionary=True)["colour"]\n'))  # fmt: skip
    path = clinic.revision(
        "a002", "op.execute(f\"UPDATE clients SET name = '{COLOUR}'\")", after="a001"
    )
    path.write_text(
        path.read_text().replace(
            "\nrevision", '\nimport os\nCOLOUR = os.environ["COLOUR"]\nrevision'
        )
    )
    clinic.succeeds(alembic_x="colour=red")

    assert clinic.ask("SELECT DISTINCT name FROM clients") == [("red",)]


def test_pyproject_says_where_version_files_are(clinic: Clinic) -> None:
    """[tool.alembic] has a second folder: the head is there, and is reached."""
    (clinic.folder / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/migrations"\n'
        'version_locations = ["%(here)s/migrations/versions", "%(here)s/more"]\n'
    )
    path = clinic.statements("a002", EMAIL, after="a001")
    (clinic.folder / "more").mkdir()
    path.rename(clinic.folder / "more" / path.name)
    clinic.succeeds()

    assert clinic.ask("SELECT version_num FROM alembic_version") == [("a002",)]


def test_a_pause_in_python_may_be_longer_than_the_time_out(clinic: Clinic) -> None:
    """The session is kept while its process lives; what the driver knows of the last statement stays."""
    clinic.revision(
        "a002",
        """
        import time
        cursor = op.get_bind().connection.cursor()
        cursor.execute("INSERT INTO clients (id, name) VALUES (9, 'Joan')")
        time.sleep(6.5)
        assert cursor.rowcount == 1
        op.execute("ALTER TABLE clients ADD COLUMN email INT")
        """,
        after="a001",
    )
    clinic.succeeds(ddl_wait_timeout="5")

    assert clinic.columns("clients")[-1] == "email"


# --- where it failed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("op.execute('UPDATE clients SET n = 1')\nraise RuntimeError('Boom')", "a002 failed after statement 1: RuntimeError"),
        ("raise RuntimeError('Boom')", "a002 failed: RuntimeError"),
        ("op.execute('UPDATE clients SET n = 1')\nop.execute('ALTER TABLE clients DROP q')", "failed at statement 2: "),
        ("op.execute('ALTER TABLE alembic_version MODIFY version_num VARCHAR(2)')",
         "failed at statement 1: "),
        ("op.execute(\"INSERT INTO alembic_version VALUES ('a0012')\")\n"
         "op.execute(\"UPDATE alembic_version SET version_num = 'a001x' WHERE version_num = 'a001'\")",
         "a002 failed when its version was to be moved: "),
    ],
    ids=["python", "python first", "statement", "version table", "version row"],
)  # fmt: skip
def test_the_place_of_a_failure_is_true(clinic: Clinic, body: str, says: str) -> None:
    """A statement, the code after one, or the row with the version."""
    clinic.revision("a002", body, after="a001")

    assert says in clinic.fails(MigrationFailed).what
