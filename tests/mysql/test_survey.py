"""The survey, through ``status`` on real servers: every state, cheaply, whatever one tenant is like."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymysql.connections import Connection

from ebhook.database.connection import connect
from ebhook.database.url import fill
from ebhook.holder import Holder
from ebhook.lock.lock import TenantLock
from tests.conftest import AnyServer, Ebhook, Fleet, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import general_log
from tests.support.watching import ask, until

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency(3)``: so many empty tenants of the project `linear`, whose head is a005."""

    def make(count: int, project: str = "linear") -> Agency:
        return Agency(fleet(count), ebhook, PROJECTS / project)

    return make


def standings(agency: Agency, *names: str, code: int = 0, **settings: object) -> dict[str, Any]:
    """What ``status --json`` says, by tenant, in the order in which it says it."""
    ran = agency.run("status", "--json", *names, **settings)
    assert ran.code == code, ran.stderr
    return {tenant["tenant"]: tenant for tenant in ran.json()["tenants"]}


@contextmanager
def login(server: AnyServer, grants: dict[str, str]) -> Iterator[str]:
    """A new user, and what it may do where: ``{"acme": "SELECT"}``. Yields ``user:password``."""
    user = f"u{secrets.token_hex(4)}"
    with server.connect() as connection:
        ask(connection, f"CREATE USER {user}@'%%' IDENTIFIED BY %s", "pass@word:/%")
        try:
            for database, privileges in grants.items():
                ask(connection, f"GRANT {privileges} ON `{database}`.* TO {user}@'%'")
            yield f"{user}:pass%40word%3A%2F%25"
        finally:
            ask(connection, f"DROP USER {user}@'%'")


def as_user(template: str, credentials: str) -> str:
    """The URL template with another login."""
    scheme, _, rest = template.partition("://")
    return f"{scheme}://{credentials}@{rest.rpartition('@')[2]}"


# --- what a tenant can be -------------------------------------------------------------------------


def test_every_state_has_its_name(agency: Make) -> None:
    """At head, behind, empty, at a revision that nobody knows, and not there at all."""
    tenants = agency(4)
    at_head, behind, empty, unknown = tenants.names
    tenants.stand(at_head, "a005")
    tenants.stand(behind, "a003")
    tenants.stand(unknown, "ffff")
    absent = f"{empty}_gone"

    found = standings(tenants, code=2, tenants_names=",".join([*tenants.names, absent]))

    assert [
        (t["tenant"], t["state"], t["revision"], t["behind"], t["lock"]) for t in found.values()
    ] == [
        (at_head, "at_head", "a005", 0, None),
        (behind, "behind", "a003", 2, None),
        (empty, "empty", None, 5, None),
        (unknown, "unknown_revision", "ffff", None, None),
        (absent, "refused", None, None, None),
    ]
    assert "ffff" in str(found[unknown]["error"])
    assert f"no database '{absent}'" in str(found[absent]["error"])


def test_exit_code_says_how_bad_it_is(agency: Make) -> None:
    """0 when all are at head, 1 when one is behind, 2 when a person is needed."""
    tenants = agency(3)
    first, second, third = tenants.names
    tenants.stand(first, "a005")
    tenants.stand(second, "a001")
    tenants.stand(third, "ffff")

    standings(tenants, first, code=0)
    standings(tenants, first, second, code=1)
    standings(tenants, code=2)


def test_two_branches_are_both_there(agency: Make) -> None:
    """A tenant that stands on both branches before their merge lacks the merge and what follows."""
    tenants = agency(1, project="merge")
    (name,) = tenants.names
    tenants.stand(name, "b002", "a002")

    (found,) = standings(tenants, code=1).values()

    assert (found["state"], found["revision"], found["behind"]) == ("behind", "a002,b002", 2)


def test_emptied_version_table_is_as_good_as_none(agency: Make) -> None:
    """``alembic downgrade base`` leaves the table without a row: an empty tenant."""
    tenants = agency(1)
    tenants.stand(tenants.names[0])

    (found,) = standings(tenants, code=1).values()

    assert (found["state"], found["behind"]) == ("empty", 5)


# --- one connection, whatever the number ----------------------------------------------------------


def test_hundreds_of_tenants_by_one_connection(agency: Make, server: AnyServer) -> None:
    """More than two batches: in order, each in its own state, by one login."""
    tenants = agency(501)
    wanted = {0: "at_head", 199: "behind", 200: "at_head", 201: "behind", 399: "at_head"}
    wanted |= {400: "unknown_revision", 500: "at_head"}
    at = {"at_head": "a005", "behind": "a001", "unknown_revision": "ffff"}
    for number, state in wanted.items():
        tenants.stand(tenants.names[number], at[state])

    with login(server, {"%": "SELECT"}) as credentials, general_log(server) as log:
        url = as_user(tenants.fleet.template, credentials)
        found = standings(tenants, code=2, tenants_url=url)
        assert log.logins()[credentials.partition(":")[0]] == 1

    assert tuple(found) == tenants.names
    states = [tenant["state"] for tenant in found.values()]
    assert states == [wanted.get(number, "empty") for number in range(501)]


def test_one_connection_per_server_and_login(agency: Make, server: AnyServer) -> None:
    """Tenants with three logins, one of them on another host: three connections, nine tenants."""
    tenants = agency(9)
    for name in tenants.names:
        tenants.stand(name, "a005")
    thirds = [tenants.names[i::3] for i in range(3)]
    with (
        login(server, dict.fromkeys(thirds[0], "SELECT")) as first,
        login(server, dict.fromkeys(thirds[1] + thirds[2], "SELECT")) as second,
        registry(tenants.fleet) as (query_url, register),
    ):
        elsewhere = tenants.fleet.template.replace("127.0.0.1", "localhost")
        for names, template in zip(
            thirds,
            [
                as_user(tenants.fleet.template, first),
                as_user(tenants.fleet.template, second),
                as_user(elsewhere, second),
            ],
            strict=True,
        ):
            register(names, template)
        with general_log(server) as log:
            found = standings(
                tenants,
                **by_registry(query_url),
            )
            logins = log.logins()

    assert tuple(found) == tenants.names
    assert {tenant["state"] for tenant in found.values()} == {"at_head"}
    assert logins[first.partition(":")[0]] == 1
    assert logins[second.partition(":")[0]] == 2


def test_unreachable_server_takes_only_its_own_tenants_along(agency: Make) -> None:
    """Two tenants on a server that is not there; the others are read."""
    tenants = agency(4)
    for name in tenants.names:
        tenants.stand(name, "a005")
    gone = tenants.fleet.template.replace(f":{tenants.fleet.server.port}/", ":1/")
    with registry(tenants.fleet) as (query_url, register):
        register(tenants.names[:2], tenants.fleet.template)
        register(tenants.names[2:], gone)
        found = standings(
            tenants,
            code=75,
            connect_timeout=1,
            **by_registry(query_url),
        )

    states = [tenant["state"] for tenant in found.values()]
    assert states == ["at_head", "at_head", "unreachable", "unreachable"]


def test_one_agencys_broken_row_is_its_own_matter(agency: Make) -> None:
    """A URL that is none, and a database by two names: those are refused, with what is wrong, and the
    rest is upgraded; boot.on_failure may excuse them."""
    tenants = agency(2)
    first, second = tenants.names
    with registry(tenants.fleet) as (url, register):
        register((first, second), tenants.fleet.template)
        register(("broken",), "postgres://u:hunter2@h/x")
        register(("one", "other"), tenants.fleet.url("shared"))
        ran = tenants.run("boot", "--json", **by_registry(url))
        excused = tenants.run("boot", "--json", boot_on_failure="start", **by_registry(url))

    assert ran.code == 2, ran.stderr
    assert tenants.outcomes(ran) == {
        **dict.fromkeys((first, second), "upgraded"),
        **dict.fromkeys(("broken", "one", "other"), "refused"),
    }
    assert "'broken'" in ran.stderr
    assert "names the driver 'postgres'" in ran.stderr
    assert "'other' and 'one' are the same database" in ran.stderr
    assert excused.code == 0, excused.stderr
    assert excused.json()["excused"] == 2


def by_registry(url: str) -> dict[str, Any]:
    """The settings for tenants that a registry database lists."""
    query = "SELECT name, url FROM tenants ORDER BY name"
    return {
        "tenants_names": None,
        "tenants_url": None,
        "tenants_query": query,
        "tenants_query_url": url,
    }


@contextmanager
def registry(fleet: Fleet) -> Iterator[tuple[str, Callable[[tuple[str, ...], str], None]]]:
    """A registry database: its URL, and how to put tenants with a URL template there."""
    name = f"registry_{secrets.token_hex(3)}"
    with fleet.server.connect() as connection:
        ask(connection, f"CREATE DATABASE {name}")
        ask(connection, f"CREATE TABLE {name}.tenants (name VARCHAR(64), url VARCHAR(250))")

        def register(names: tuple[str, ...], template: str) -> None:
            for tenant in names:
                url = template.replace("{tenant}", tenant)
                ask(connection, f"INSERT INTO {name}.tenants VALUES (%s, %s)", tenant, url)

        try:
            yield fleet.server.url(name), register
        finally:
            ask(connection, f"DROP DATABASE {name}")


# --- one that is different among many -------------------------------------------------------------


def test_tenant_without_privileges_among_many(agency: Make, server: AnyServer) -> None:
    """A database that this login may not see, and one that it may not read: the rest is read."""
    tenants = agency(5)
    for name in tenants.names:
        tenants.stand(name, "a005")
    hidden, unreadable, *readable = tenants.names
    grants = dict.fromkeys(readable, "SELECT") | {unreadable: "CREATE"}
    with login(server, grants) as credentials:
        url = as_user(tenants.fleet.template, credentials)
        found = standings(tenants, code=2, tenants_url=url)

    assert [found[name]["state"] for name in readable] == ["at_head"] * 3
    for name in (hidden, unreadable):
        assert found[name]["state"] == "refused"
        assert "refused" in str(found[name]["error"])
        assert "pass@word" not in str(found[name]["error"])


def test_foreign_version_table_among_many(agency: Make) -> None:
    """A table that is called alembic_version and is something else: only its tenant is refused."""
    tenants = agency(3)
    first, odd, last = tenants.names
    tenants.stand(first, "a005")
    tenants.stand(last, "a005")
    tenants.ask(odd, "CREATE TABLE alembic_version (number INT)")

    found = standings(tenants, code=2)

    assert [found[name]["state"] for name in (first, odd, last)] == [
        "at_head",
        "refused",
        "at_head",
    ]
    assert "version_num" in str(found[odd]["error"])


def test_locked_table_does_not_stop_the_reading(agency: Make) -> None:
    """Somebody has LOCK TABLES … WRITE on one version table: that tenant is told, the rest is read."""
    tenants = agency(3)
    for name in tenants.names:
        tenants.stand(name, "a005")
    busy = tenants.names[1]
    with tenants.fleet.connect(busy) as person:
        ask(person, "LOCK TABLES alembic_version WRITE")
        found = standings(tenants, code=75, ddl_lock_wait_timeout=1)

    assert [tenant["state"] for tenant in found.values()] == ["at_head", "unreachable", "at_head"]
    assert "1205" in str(found[busy]["error"])


def test_lost_connection_in_the_middle_is_told(agency: Make, server: AnyServer) -> None:
    """The survey's session is ended while it waits for a table: its tenants were not reached."""
    tenants = agency(2)
    for name in tenants.names:
        tenants.stand(name, "a005")
    with tenants.fleet.connect(tenants.names[1]) as person:
        ask(person, "LOCK TABLES alembic_version WRITE")
        reading = tenants.start("status", "--json", ddl_lock_wait_timeout=60)
        query = (
            "SELECT id FROM information_schema.processlist"
            " WHERE state LIKE 'Waiting for table metadata lock' AND info LIKE %s"
        )
        ((session,),) = until(
            lambda: ask(person, query, f"%{tenants.names[1]}%"), "the survey waits"
        )
        ask(person, f"KILL CONNECTION {session}")
        ran = reading.end()

    assert ran.code == 75, ran.stderr
    assert {tenant["state"] for tenant in ran.json()["tenants"]} == {"unreachable"}
    assert "was lost" in str(ran.json()["tenants"][0]["error"])


def test_character_sets_are_mixed(agency: Make, server: AnyServer) -> None:
    """Databases in any character set: their version tables and lock rows are read together."""
    charsets = ["latin1", "utf8mb4", "utf16", "ascii", "utf8mb4 COLLATE utf8mb4_unicode_ci"]
    with server.connect() as connection:
        own = ask(connection, "SHOW COLLATION LIKE 'utf8mb4_0900_ai_ci'")
        charsets += (
            ["utf8mb4 COLLATE utf8mb4_0900_ai_ci"] if own else ["utf8mb4 COLLATE utf8mb4_bin"]
        )
    tenants = agency(len(charsets))
    for name, charset in zip(tenants.names, charsets, strict=True):
        tenants.ask(name, f"ALTER DATABASE `{name}` CHARACTER SET {charset}")
        tenants.stand(name, "a005")
        tenants.ask(name, "CREATE TABLE migration_lock (id INT, holder VARCHAR(50))")
        tenants.ask(name, f"INSERT INTO migration_lock VALUES (1, 'by {charset}')")

    found = standings(tenants)

    assert {tenant["state"] for tenant in found.values()} == {"at_head"}
    holders = [tenant["lock"]["holder"] for tenant in found.values()]
    assert holders == [f"by {charset}" for charset in charsets]


def test_databases_of_every_character_set_are_upgraded(agency: Make) -> None:
    """What boot makes in them is read back as it should be."""
    charsets = ["latin1", "utf16", "utf8mb4 COLLATE utf8mb4_bin", "ascii"]
    tenants = agency(len(charsets))
    for name, charset in zip(tenants.names, charsets, strict=True):
        tenants.ask(name, f"ALTER DATABASE `{name}` CHARACTER SET {charset}")

    ran = tenants.run("boot")

    assert ran.code == 0, ran.stderr
    assert {tenant["state"] for tenant in standings(tenants).values()} == {"at_head"}


# --- locks ----------------------------------------------------------------------------------------


def session(tenants: Agency, name: str) -> tuple[Connection[Any], TenantLock]:
    connection = connect(fill(tenants.fleet.template, name), database=name, timeout=10)
    return connection, TenantLock(connection, name, "migration_lock", named=True)


def hold(lock: TenantLock, instance: str) -> Any:
    holder = Holder(instance, 412, "prod", "v512", "boot", "")
    return lock.held(holder, wait=0, emit=lambda event: None, done=lambda: False)


def test_locks_are_told_apart(agency: Make) -> None:
    """Held, held though its row was deleted, left by the dead, made by hand, and none."""
    tenants = agency(5)
    living, deleted, dead, frozen, free = tenants.names
    for name in tenants.names:
        tenants.stand(name, "a005")
    for name in (dead, frozen):
        connection, lock = session(tenants, name)
        with hold(lock, "i-dead"):
            left = tenants.ask(name, "SELECT token FROM migration_lock")
        if name == dead:
            tenants.ask(
                name,
                "INSERT INTO migration_lock (id, token, holder) "
                f"VALUES (1, '{left[0][0]}', 'i-dead')",
            )
        connection.close()
    tenants.ask(frozen, "INSERT INTO migration_lock (holder) VALUES ('Bea')")
    first, second = session(tenants, living), session(tenants, deleted)
    with hold(first[1], "i-1"), hold(second[1], "i-2"):
        tenants.ask(deleted, "DELETE FROM migration_lock")
        locks = {name: tenant["lock"] for name, tenant in standings(tenants).items()}
        owners = [int(connection.thread_id()) for connection, _ in (first, second)]  # type: ignore[no-untyped-call]
    for connection, _ in (first, second):
        connection.close()

    told = {
        name: lock and (lock["holder"], lock["alive"], lock["frozen"])
        for name, lock in locks.items()
    }
    assert told == {
        living: ("i-1", True, False),
        deleted: (None, True, False),
        dead: ("i-dead", False, False),
        frozen: ("Bea", False, True),
        free: None,
    }
    assert [locks[name]["connection_id"] for name in (living, deleted)] == owners
    assert locks[living]["version_label"] == "v512"
    assert locks[living]["since"]
