"""Behind a proxy that splits reads from writes, GET_LOCK guards nothing: ebhook notices, and stops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ebhook.errors import Exit, LockUnavailable, MigrationFailed
from ebhook.scratch.installation import locate
from ebhook.scratch.packages import fetch
from ebhook.scratch.process import Server
from tests.conftest import SERVERS_FOLDER, AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.proxy import Fate, Query, Where
from tests.support.single_tenant import EMAIL, Clinic
from tests.support.splitting_proxy import SplittingProxy


@pytest.fixture(scope="module")
def replica(server: AnyServer) -> Iterator[Server]:
    """Another server of the same flavour, in the place of a replica: its named locks are its own."""
    installation = locate(server.flavour) or fetch(server.flavour, print)
    other = Server(installation, parent=SERVERS_FOLDER, password="")
    try:
        other.start()
        yield other
    finally:
        other.close()


def test_two_writers_never_run_at_once(
    server: AnyServer, replica: Server, fleet: Fleets, ebhook: Ebhook
) -> None:
    """Each gets its lock from another server; neither writes a row, a statement, or a version."""
    one = Agency(fleet(1), ebhook, PROJECTS / "linear")
    (name,) = one.names
    with replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}`")
    with SplittingProxy(server, replica) as here, SplittingProxy(server, server) as there:
        urls = [proxy.url(one.fleet.template) for proxy in (here, there)]
        runs = [one.start("upgrade", "--json", tenants_url=url) for url in urls]
        ended = [run.end() for run in runs]
    for ran, proxy in zip(ended, (here, there), strict=True):
        assert ran.code == Exit.PERSON, ran.stdout + ran.stderr
        assert "a proxy sends reads and writes to different sessions" in ran.stdout
        assert any(other and "GET_LOCK" in text for other, text in proxy.statements)
    assert one.tables(name) <= {"migration_lock"}
    assert one.lock_rows() == []


def test_a_living_holder_keeps_its_row(server: AnyServer, replica: Server, clinic: Clinic) -> None:
    """Who got GET_LOCK from a replica takes nobody for dead: the holder's row stays, its work is done."""
    with replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{clinic.name}`")
    clinic.statements("a002", EMAIL, after="a001")

    def come_by_the_proxy(_: Query) -> Fate:
        with SplittingProxy(server, replica) as proxy:
            error = clinic.fails(LockUnavailable, tenants_url=proxy.url(clinic.fleet.template))
        assert "Nothing was changed." in str(error)
        assert len(clinic.ask("SELECT token FROM migration_lock")) == 1
        return Fate.ON

    clinic.strike("COLUMN email", Where.BEFORE, come_by_the_proxy)
    clinic.succeeds()
    assert clinic.version() == "a002"


def test_the_version_does_not_move_in_another_session(server: AnyServer, clinic: Clinic) -> None:
    """The proxy turns to another session in mid-revision: its end is not written there."""
    clinic.statements("a002", EMAIL, after="a001")
    seen: list[str] = []

    def after_the_column(text: str) -> bool:
        seen.append(text)
        return any(one.startswith("ALTER TABLE clients ADD COLUMN email") for one in seen[:-1])

    with SplittingProxy(server, server, after_the_column, autocommit=False) as proxy:
        error = clinic.fails(MigrationFailed, tenants_url=proxy.url(clinic.fleet.template))
    assert "the lock of this tenant was lost" in error.what
    assert clinic.version() == "a001"
    clinic.succeeds()
    assert clinic.version() == "a002"


def test_a_lock_that_was_not_there_at_the_end_is_told(server: AnyServer, clinic: Clinic) -> None:
    """RELEASE_LOCK's answer is read: where it comes from another session, the run does not pass for good."""
    clinic.statements("a002", EMAIL, after="a001")
    with SplittingProxy(server, server, lambda text: "RELEASE_LOCK" in text) as proxy:
        error = clinic.fails(LockUnavailable, tenants_url=proxy.url(clinic.fleet.template))
    assert "It was not held to the end" in str(error)
    assert clinic.version() == "a002"


def test_doctor_recognises_it(
    server: AnyServer, replica: Server, fleet: Fleets, ebhook: Ebhook
) -> None:
    """Two servers behind one address, two sessions of one server, and no proxy at all are told apart."""
    one = Agency(fleet(1), ebhook, PROJECTS / "linear")
    with replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{one.names[0]}`")
    for second, words in ((replica, "server_id"), (server, "connection")):
        with SplittingProxy(server, second) as proxy:
            ran = one.run("doctor", "--json", tenants_url=proxy.url(one.fleet.template))
        (said,) = [f for f in ran.json()["findings"] if f["check"] == "proxy"]
        assert (said["level"], ran.code) == ("fail", Exit.FINDINGS)
        assert "several sessions" in said["text"]
        assert words in said["text"]
