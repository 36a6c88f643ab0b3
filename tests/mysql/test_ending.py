"""A statement is ended on the server that still has our lock, and nobody else's ever is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest
from pymysql.err import MySQLError

from ebhook.database.connection import connect, rows, run, scalar
from ebhook.database.url import fill
from ebhook.lock.named_lock import lock_name
from ebhook.rollout.ending import InFlight, end_statement
from ebhook.settings import LockSettings, Settings
from ebhook.tenant import Tenant
from tests.conftest import AnyServer, Fleets
from tests.support.watching import running, until


@contextmanager
def sleeping(tenant: Tenant, *, locked: bool) -> Iterator[tuple[int, threading.Event]]:
    """A session of the tenant that runs a long statement, with its lock or without: its number, and
    what is set when the statement has ended."""
    connection = connect(tenant.url, database=tenant.database, timeout=10)
    folds = bool(scalar(connection, "SELECT @@lower_case_table_names"))
    if locked:
        name = lock_name(tenant.database, folds=folds)
        assert scalar(connection, "SELECT GET_LOCK(%s, 0)", name)
    id = int(scalar(connection, "SELECT CONNECTION_ID()"))
    ended = threading.Event()

    def sleep() -> None:
        with suppress(MySQLError):
            rows(connection, "SELECT SLEEP(20)")
        ended.set()

    thread = threading.Thread(target=sleep)
    thread.start()
    try:
        yield id, ended
    finally:
        with closing(connect(tenant.url, database=None, timeout=10)) as other, suppress(MySQLError):
            run(other, "KILL CONNECTION %s", id)
        thread.join()
        connection.close()


@pytest.mark.parametrize(
    ("named", "locked", "older", "ends"),
    [
        (True, True, False, True),
        (True, False, False, False),  # after a fail-over the number is somebody else's
        (True, True, True, False),  # the server was started after our session began
        (False, False, False, True),  # without named locks: by the list of sessions
    ],
)
def test_only_our_own_statement_is_ended(
    server: AnyServer, fleet: Fleets, named: bool, locked: bool, older: bool, ends: bool
) -> None:
    """Whose session it is, the server is asked first."""
    (name,) = (agency := fleet(1)).names
    tenant = Tenant(name, fill(agency.template, name))
    settings = Settings(lock=LockSettings(named=named))
    with sleeping(tenant, locked=locked) as (id, ended), server.connect() as person:
        until(lambda: running(person, name, "SLEEP("), "the statement runs")
        flight = InFlight(tenant)
        flight.took_lock(id, time.monotonic() - (10**7 if older else 0))

        end_statement(flight, settings)

        assert ended.wait(5 if ends else 0.5) is ends


def test_a_server_that_is_away_ends_nothing_and_keeps_nobody(fleet: Fleets) -> None:
    """What cannot be ended from here is the next step's."""
    agency = fleet(1)
    url = replace(fill(agency.template, agency.names[0]), port=9)
    flight = InFlight(Tenant("acme", url), connection_id=1)
    began = time.monotonic()

    end_statement(flight, Settings(connect_timeout=1))

    assert time.monotonic() - began < 5
