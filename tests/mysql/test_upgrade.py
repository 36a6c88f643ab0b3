"""One tenant's upgrade on real servers: whose env.py runs, on which connection, by which statements."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebhook.scratch.installation import Flavour
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import general_log
from tests.support.watching import ask, running

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency("linear", 2)``: a project with so many empty tenants."""

    def make(project: str | Path, count: int = 1, **settings: object) -> Agency:
        return Agency(fleet(count), ebhook, PROJECTS / project, settings)

    return make


def everything(agency: Agency, name: str) -> list[Any]:
    """All that a database is: how its tables look, what the dictionary says of them, their rows."""
    schema = f"table_schema = '{name}'"
    found: list[Any] = [
        agency.ask(
            name,
            "SELECT table_name, engine, row_format, create_time, table_collation, create_options"
            f" FROM information_schema.tables WHERE {schema} ORDER BY table_name",
        ),
        agency.ask(
            name,
            "SELECT table_name, column_name, ordinal_position, column_default, is_nullable,"
            " column_type, collation_name, column_key, extra, column_comment"
            f" FROM information_schema.columns WHERE {schema} ORDER BY table_name, column_name",
        ),
        agency.ask(
            name,
            "SELECT table_name, index_name, seq_in_index, column_name, non_unique"
            f" FROM information_schema.statistics WHERE {schema}"
            " ORDER BY table_name, index_name, seq_in_index",
        ),
    ]
    for (table,) in agency.ask(name, "SHOW TABLES"):
        found.append(agency.ask(name, f"SHOW CREATE TABLE `{table}`"))
        found.append(agency.ask(name, f"SELECT * FROM `{table}`"))
    return found


# --- whose env.py ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("project", "head", "columns"),
    [
        ("engine_from_config", "a002", ["id", "name", "phone"]),
        ("batch", "a002", ["id", "name", "email", "phone"]),
        ("run_arguments", "a002", ["id", "name", "tag"]),
        ("merge", "a004", ["id", "name", "phone", "email"]),
    ],
)
def test_plain_env_is_honoured(agency: Make, project: str, head: str, columns: list[str]) -> None:
    """The application's env.py runs as it is, and brings each tenant to head, once."""
    tenants = agency(project, 2)

    first, second = tenants.run("boot", "--json"), tenants.run("boot", "--json")

    assert (first.code, second.code) == (0, 0), first.stderr
    assert set(tenants.outcomes(first).values()) == {"upgraded"}
    assert set(tenants.outcomes(second).values()) == {"at_head"}
    assert tenants.versions() == {head}
    for name in tenants.names:
        found = tenants.columns(name, "clients")
        assert sorted(found) == sorted(columns)
    assert tenants.lock_rows() == []


@pytest.mark.parametrize("project", ["flask_migrate", "own_connection"])
def test_own_database_of_the_application_stays_as_it_is(
    agency: Make, server: AnyServer, project: str
) -> None:
    """env.py connects to the application's own database; what it would change is the tenant."""
    tenants, own = agency(project, 2), agency("linear")
    (mine,) = own.names
    own.stand(mine, "a001")
    own.ask(mine, "CREATE TABLE clients (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(9))")
    own.ask(mine, "INSERT INTO clients (name) VALUES ('Ada')")
    before = everything(own, mine)

    with general_log(server) as log:
        ran = tenants.run("boot", "--json", APP_DATABASE_URI=own.fleet.url(mine))
        changed = log.changes()

    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}
    assert everything(own, mine) == before
    assert set(changed) == set(tenants.names)
    assert len({tuple(statements) for statements in changed.values()}) == 1


def test_tenant_of_the_application_itself_can_be_one_of_many(agency: Make) -> None:
    """The application's own database is a tenant, too: it is upgraded when its turn comes."""
    tenants = agency("flask_migrate", 2)

    ran = tenants.run("boot", APP_DATABASE_URI=tenants.fleet.url(tenants.names[1]))

    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a003"}


def test_multi_database_env_is_refused(agency: Make) -> None:
    """An env.py that configures twice cannot mean one tenant: refused before anything is touched."""
    tenants, own = agency("flask_migrate_multidb"), agency("linear", 2)
    urls = {
        "APP_DATABASE_URI": own.fleet.url(own.names[0]),
        "APP_AUDIT_URI": own.fleet.url(own.names[1]),
    }

    ran = tenants.run("boot", **urls)

    assert ran.code == 65
    assert "more than once" in ran.stderr
    assert "env_py = false" in ran.stderr
    for database in (*tenants.names, *own.names):
        assert own.ask(database, "SHOW TABLES") == []


def test_other_version_table_by_its_setting(agency: Make) -> None:
    """env.py keeps the revision in schema_version, and ebhook.toml says so."""
    tenants = agency("version_table")
    (name,) = tenants.names

    ran = tenants.run("boot")

    assert ran.code == 0, ran.stderr
    assert tenants.version(name, "schema_version") == "a002"
    assert tenants.ask(name, "SHOW TABLES LIKE 'alembic_version'") == []


def test_other_version_table_without_its_setting_is_refused(agency: Make) -> None:
    """Which table to read must be known before env.py runs: the setting is named, nothing is done."""
    tenants = agency("version_table")

    ran = tenants.run("boot", version_table="alembic_version")

    assert ran.code == 78
    assert 'version_table = "schema_version"' in ran.stderr
    assert tenants.ask(tenants.names[0], "SHOW TABLES") == []


def test_without_env_py(agency: Make) -> None:
    """With `env_py = false` not even an env.py that raises is in the way."""
    tenants = agency("env_raises")

    refused, ran = tenants.run("boot"), tenants.run("boot", env_py="false")

    assert refused.code == 65
    assert "SECRET_KEY is not set" in refused.stderr
    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a001"}


def test_what_migrations_print_is_not_in_the_report(agency: Make) -> None:
    """stdout is one JSON document; every line of env.py and the revisions is on stderr, by tenant."""
    tenants = agency("prints")
    (name,) = tenants.names

    ran = tenants.run("boot", "--json")

    assert ran.code == 0, ran.stderr
    assert ran.json()["head"] == "a002"
    for line in ("env.py says hello", "a001 begins", '{"looks": "like JSON"}'):
        assert f"{name} | {line}" in ran.stderr.splitlines()
    assert "a002 logs" in ran.stderr


def test_connection_of_its_own_is_refused(agency: Make) -> None:
    """A revision that asks its engine for another connection would write there without the lock."""
    tenants = agency("revision_connects")
    (name,) = tenants.names

    ran = tenants.run("boot", "--json")

    assert ran.code == 2
    (tenant,) = ran.json()["tenants"]
    assert (
        "revision a002 asks the engine for a second connection, and would change something there, "
        "without the lock: "
    ) in str(tenant["error"])
    assert "It stands at a001 plus 1 statement of a002" in str(tenant["error"])
    assert tenants.ask(name, "SELECT COUNT(*) FROM clients") == [(0,)]
    assert tenants.lock_rows() == []


# --- how a statement runs -------------------------------------------------------------------------

COMPRESSED = "ALTER TABLE clients ROW_FORMAT=COMPRESSED"
FULLTEXT = "ALTER TABLE clients ADD FULLTEXT KEY (name)"


def add_tier(server: AnyServer, tenants: Agency, like: str | None, **settings: object) -> Any:
    """Runs the ADD COLUMN of a003 on a table that was made `like` that; the log's ALTERs, too."""
    (name,) = tenants.names
    tenants.stand_at_a002(name)
    if like is not None:
        tenants.ask(name, like)
    with general_log(server) as log:
        ran = tenants.run("upgrade", "--to", "a003", "--json", **settings)
        alters = [
            sql for sql in log.changes().get(name, []) if sql.startswith("ALTER TABLE clients")
        ]
    return ran, [sql.rpartition("'standard'")[2].strip(" ,") for sql in alters]


def test_column_is_added_instantly(agency: Make, server: AnyServer) -> None:
    """ALGORITHM=INSTANT is asked first, and on an ordinary table that is all."""
    tenants = agency("linear")
    ran, clauses = add_tier(server, tenants, None)

    assert ran.code == 0, ran.stderr
    assert clauses == ["ALGORITHM=INSTANT"]
    assert "tier" in tenants.columns(tenants.names[0], "clients")


def test_column_is_added_in_place_where_instantly_is_impossible(
    agency: Make, server: AnyServer
) -> None:
    """A compressed table cannot do it instantly: next is in place, with writes going on."""
    tenants = agency("linear")
    ran, clauses = add_tier(server, tenants, COMPRESSED)

    assert ran.code == 0, ran.stderr
    assert clauses == ["ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE"]
    assert "not possible instant" in ran.stderr
    assert "tier" in tenants.columns(tenants.names[0], "clients")


def test_instant_alone_is_refused_where_it_is_impossible(agency: Make, server: AnyServer) -> None:
    """With `algorithm = instant` nothing costlier is tried; the table stays as it was."""
    tenants = agency("linear")
    ran, clauses = add_tier(server, tenants, COMPRESSED, ddl_algorithm="instant")

    assert ran.code == 2
    assert clauses == ["ALGORITHM=INSTANT"]
    assert tenants.columns(tenants.names[0], "clients") == ["id", "name"]
    assert tenants.versions() == {"a002"}
    assert tenants.lock_rows() == []


def test_copy_only_where_the_setting_allows_it(agency: Make, server: AnyServer) -> None:
    """A table with a FULLTEXT key blocks writes while it is rebuilt: refused, until allowed."""
    tenants = agency("linear")
    ran, clauses = add_tier(server, tenants, FULLTEXT)

    assert ran.code == 2
    assert clauses == ["ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE"]
    (tenant,) = ran.json()["tenants"]
    assert "EBHOOK_DDL_ALGORITHM" in str(tenant["error"])

    ran, clauses = tenants.run("upgrade", "--to", "a003", ddl_algorithm="copy"), []
    assert ran.code == 0, ran.stderr
    assert "tier" in tenants.columns(tenants.names[0], "clients")


@pytest.mark.parametrize("way", ["transaction", "lock_tables"])
def test_statement_waits_for_whoever_has_the_table(
    agency: Make, server: AnyServer, way: str
) -> None:
    """It does not queue the application behind it: it gives up, says who is in the way, and tries again."""
    tenants = agency("linear")
    (name,) = tenants.names
    tenants.stand_at_a002(name)
    with tenants.fleet.connect(name) as person, general_log(server) as log:
        if way == "transaction":
            ask(person, "BEGIN")
            ask(person, "SELECT * FROM clients")
        else:
            ask(person, "LOCK TABLES clients WRITE")
        boot = tenants.start("boot", "--json", ddl_lock_wait_timeout=1)
        retried = boot.await_event("StatementRetried", tenant=name)
        ask(person, "COMMIT" if way == "transaction" else "UNLOCK TABLES")
        ran = boot.end()
        changes = log.changes()[name]
        me = int(person.thread_id())  # type: ignore[no-untyped-call]

    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a005"}
    assert "1205" in retried["reason"]
    if server.flavour is Flavour.MYSQL:
        assert f"connection {me} " in retried["blocker"]
        assert f"in the way: connection {me} " in ran.stderr
    tries = [sql for sql in changes if "ADD COLUMN tier" in sql]
    assert len(tries) >= 2
    assert len(set(tries)) == 1


def test_limits_of_the_session(agency: Make, tmp_path: Path) -> None:
    """The connection that runs the DDL neither waits for locks for long, nor lives for hours."""
    project = tmp_path / "project"
    shutil.copytree(PROJECTS / "linear", project)
    for path in project.glob("migrations/versions/a00[2-5]*.py"):
        path.unlink()
    (path,) = project.glob("migrations/versions/a001*.py")
    names = ("lock_wait_timeout", "innodb_lock_wait_timeout", "wait_timeout")
    select = ", ".join(f"@@SESSION.{name} AS {name}" for name in names)
    text = path.read_text("utf-8").replace(
        "def upgrade():\n",
        f'def upgrade():\n    op.execute("CREATE TABLE seen AS SELECT {select}")\n',
    )
    path.write_text(text, "utf-8")
    tenants = agency(project)

    ran = tenants.run("boot", ddl_lock_wait_timeout=7, ddl_wait_timeout=99)

    assert ran.code == 0, ran.stderr
    assert tenants.ask(tenants.names[0], "SELECT * FROM seen") == [(7, 7, 99)]


# --- when the connection goes ---------------------------------------------------------------------


@pytest.mark.parametrize("project", ["slow", "slow_ddl"])
def test_lost_connection_is_never_opened_again_behind_the_lock(
    agency: Make, server: AnyServer, project: str
) -> None:
    """KILL CONNECTION in the middle: the same worker writes nothing more; another one finishes it."""
    tenants = agency(project, EBHOOK_TEST_SLOW=1.5)
    (name,) = tenants.names
    with server.connect() as person, general_log(server) as log:
        boot = tenants.start("boot", "--json")
        boot.await_event("RevisionStarted", revision="a002")
        first = boot.await_event("LockTaken")["connection_id"]
        while first not in running(person, name, "SLEEP"):
            assert boot.process.poll() is None
        ask(person, f"KILL CONNECTION {first}")
        ran = boot.end()
        writers = [one.session for one in log.statements() if one.database == name and one.changes]

    assert ran.code == 0, ran.stderr
    (tenant,) = ran.json()["tenants"]
    assert (tenant["outcome"], tenant["after"]) == ("upgraded", "a003")
    # Two sessions wrote, one after the other, each with a lock of its own.
    taken = [event["connection_id"] for event in boot.events("LockTaken")]
    assert len(taken) == 2
    assert writers == sorted(writers, key=taken.index)
    wanted = {"slow": ["id", "name", "email", "phone"], "slow_ddl": ["id", "name", "phone"]}
    assert tenants.columns(name, "clients") == wanted[project]
    assert tenants.lock_rows() == []


# --- more and less --------------------------------------------------------------------------------


def test_dry_run_shows_and_changes_nothing(agency: Make) -> None:
    """The SQL of every tenant, and not a table, a lock or a journal more than before."""
    tenants = agency("linear", 2)
    first, second = tenants.names
    tenants.stand_at_a002(first)
    before = everything(tenants, first)

    ran = tenants.run("upgrade", "--dry-run", "--json")

    assert ran.code == 0, ran.stderr
    sql = {tenant["tenant"]: " ".join(tenant["sql"]) for tenant in ran.json()["tenants"]}
    assert "CREATE TABLE visit_kinds" in sql[first]
    assert "CREATE TABLE clients" not in sql[first]
    assert "CREATE TABLE clients" in sql[second]
    assert "sort_order = sort_order + 10" in sql[second]
    assert everything(tenants, first) == before
    assert tenants.ask(second, "SHOW TABLES") == []


def test_boot_at_head_takes_no_lock(agency: Make, server: AnyServer) -> None:
    """Nothing to do is one connection, no lock, no write, and no process but this one."""
    tenants = agency("linear", 3)
    for name in tenants.names:
        tenants.stand(name, "a005")

    with general_log(server) as log:
        boot = tenants.start("boot", "--json")
        ran = boot.end()
        logins, statements = log.logins(), log.statements()

    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"at_head"}
    assert boot.events("UpgradeStarted") == []
    # One login is the test's own, which reads the log.
    assert sum(logins.values()) == 2
    assert not [one for one in statements if "GET_LOCK" in one.sql or one.changes]
