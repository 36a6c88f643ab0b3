"""The journal's own statements mean the same whatever a migration has set in the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ebhook.errors import InDoubt
from tests.conftest import AnyServer, Fleets
from tests.support.proxy import Where
from tests.support.single_tenant import CREATE_LAST, EMAIL, Clinic
from tests.support.watching import ask

SETTINGS = {
    "ascii": ("SET NAMES ascii",),
    "big5": ("SET NAMES big5",),
    "results": ("SET character_set_results = NULL", "SET collation_connection = latin1_bin"),
    "rows": (
        "SET SESSION sql_select_limit = 1, max_join_size = 1, sql_safe_updates = 1",
        "SET SESSION sql_quote_show_create = 0",
        "SET timestamp = 1000",
    ),
    "mode": ("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'",),
    "lenient": ("SET SESSION sql_mode = ''", "SET @@session.completion_type = 1"),
    "autocommit": ("SET autocommit = 1",),
    "read-only": (
        "SET SESSION TRANSACTION READ ONLY",
        "SELECT 1",
        "SET SESSION TRANSACTION READ WRITE",
        "COMMIT",
    ),
    "locked": ("LOCK TABLES clients WRITE", "UPDATE clients SET n = n + 0", "UNLOCK TABLES"),
}
MARIADB = {"oracle": ("SET SESSION sql_mode = 'ORACLE,EMPTY_STRING_IS_NULL'",)}


@pytest.mark.parametrize("name", [*SETTINGS, *MARIADB])
def test_the_journal_does_not_obey_the_migrations_settings(clinic: Clinic, name: str) -> None:
    """Killed between and in the middle of statements, it ends as it would have by itself."""
    setting = (SETTINGS | MARIADB)[name]
    if name in MARIADB and "MariaDB" not in str(clinic.ask("SELECT VERSION()")):
        return
    clinic.statements(
        "a002",
        *setting,
        "INSERT INTO clients (id, name) VALUES (10, 'x'), (11, 'y')",
        "CREATE TABLE one (id INT COMMENT 'it''s')",
        "UPDATE clients SET n = n + 1 WHERE id >= 10",
        "CREATE TABLE two (id INT)",
        CREATE_LAST,
        after="a001",
    )
    clinic.dies("CREATE TABLE one", Where.AFTER)
    clinic.dies("CREATE TABLE two", Where.AFTER)

    clinic.succeeds()

    assert clinic.ask("SELECT id, n FROM clients WHERE id >= 10") == [(10, 1), (11, 1)]
    (*_, entry) = clinic.entries()
    assert entry.statements[-1] == CREATE_LAST
    assert entry.checksum is not None


LOOKS_THAT_DO_NOT_TELL = {
    "brackets": (
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT)", "INSERT INTO t VALUES (1, 1)"),
        "ALTER TABLE t DROP COLUMN b, ADD COLUMN (b INT)",
        "ALTER TABLE t DROP",
    ),
    "no-spaces": (
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT)",),
        "ALTER TABLE`t`DROP`b`,ADD`b`INT",
        "ALTER TABLE`t`",
    ),
    "not-transactional": (
        ("CREATE TABLE m (n INT) ENGINE=MyISAM", "INSERT INTO m VALUES (0)"),
        "UPDATE m SET n = n + 1",
        "UPDATE m SET",
    ),
    "in-memory": (
        ("CREATE TABLE m (n INT) ENGINE=MEMORY", "INSERT INTO m VALUES (0)"),
        "INSERT INTO m VALUES (1)",
        "INSERT INTO m",
    ),
}


@pytest.mark.parametrize("name", LOOKS_THAT_DO_NOT_TELL)
def test_what_a_look_does_not_tell_is_asked(clinic: Clinic, name: str) -> None:
    """The statement may have happened or not: neither is assumed."""
    setup, statement, words = LOOKS_THAT_DO_NOT_TELL[name]
    clinic.do(*setup)
    clinic.statements("a002", statement, CREATE_LAST, after="a001")
    clinic.dies(words, Where.AFTER)

    clinic.fails(InDoubt)


def test_an_event_that_has_fired_is_asked_about(clinic: Clinic) -> None:
    """It is absent again, as before it was made; while it is there it was made."""
    at = "ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 HOUR"
    clinic.statements(
        "a002", f"CREATE EVENT once {at} DO DELETE FROM clients", CREATE_LAST, after="a001"
    )
    clinic.dies("CREATE EVENT once ON", Where.AFTER)
    clinic.do("ALTER EVENT once RENAME TO aside")
    clinic.fails(InDoubt)
    clinic.do("ALTER EVENT aside RENAME TO once")

    clinic.succeeds()


def test_set_default_role_commits_with_the_position(clinic: Clinic) -> None:
    """Rows that it commits are not written twice."""
    clinic.do("DROP USER IF EXISTS ebhook_role", "CREATE USER ebhook_role")
    is_mysql = "MariaDB" not in str(clinic.ask("SELECT VERSION()"))
    role = (
        "SET DEFAULT ROLE NONE TO ebhook_role" if is_mysql else "SET PASSWORD FOR ebhook_role = ''"
    )
    clinic.statements("a002", "UPDATE clients SET n = n + 1", role, CREATE_LAST, after="a001")
    clinic.dies(role[:12], Where.AFTER)

    clinic.succeeds()

    assert set(clinic.ask("SELECT n FROM clients")) == {(1,)}
    clinic.do("DROP USER ebhook_role")


def test_a_half_applied_tenant_is_copied_under_another_name(clinic: Clinic, fleet: Fleets) -> None:
    """Its own tables are looked at, not those that it was copied from."""
    clinic.statements("a002", EMAIL, CREATE_LAST, after="a001")
    clinic.dies("COLUMN email", Where.AFTER)
    old, new = clinic.name, fleet(1).names[0]
    for table in ("clients", "alembic_version", "migration_journal"):
        clinic.do(f"CREATE TABLE {new}.{table} LIKE {old}.{table}")
        clinic.do(f"INSERT INTO {new}.{table} SELECT * FROM {old}.{table}")
    clinic.do(f"ALTER TABLE {new}.clients DROP COLUMN email")  # copied just before it was in
    clinic.succeeds()
    older = f"shape = NULL, pending_objects = REPLACE(pending_objects, 'null,', '\"{old}\",')"
    newer = f"shape = 2, pending_objects = REPLACE(pending_objects, '\"{old}\",', 'null,')"

    clinic.do(f"UPDATE {new}.migration_journal SET {older} WHERE finished_at IS NULL")
    asked = clinic.run(tenants_names=new).error
    clinic.do(f"UPDATE {new}.migration_journal SET {newer} WHERE finished_at IS NULL")
    done = clinic.run(tenants_names=new).error

    assert isinstance(asked, InDoubt)
    assert f"/{old}." in str(asked)
    assert done is None
    assert "email" in clinic.columns(f"{new}.clients")


@pytest.fixture
def odd_server(server: AnyServer) -> Iterator[None]:
    """A server whose defaults for new sessions are none that anybody expects."""
    mode = "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES"
    with server.connect() as connection:
        if "MariaDB" in str(ask(connection, "SELECT VERSION()")):
            mode = "ORACLE,EMPTY_STRING_IS_NULL"
        ((before,),) = ask(connection, "SELECT @@GLOBAL.sql_mode")
        ask(connection, f"SET GLOBAL sql_mode = '{mode}'")
        ask(connection, "SET GLOBAL sql_select_limit = 1, GLOBAL sql_safe_updates = 1")
        yield
        ask(connection, f"SET GLOBAL sql_mode = '{before}'")
        ask(connection, "SET GLOBAL sql_select_limit = DEFAULT, GLOBAL sql_safe_updates = 0")


@pytest.mark.usefixtures("odd_server")
def test_the_survey_does_not_obey_the_servers_defaults(clinic: Clinic, fleet: Fleets) -> None:
    """Every tenant is read, and brought to head."""
    clinic.statements("a002", EMAIL, CREATE_LAST, after="a001")
    names = ",".join([clinic.name, *fleet(2).names])

    ran = clinic.cli("upgrade", tenants_names=names)
    status = clinic.cli("status", "--json", tenants_names=names)

    assert ran.code == 0, ran
    assert {one["revision"] for one in status.json()["tenants"]} == {"a002"}
