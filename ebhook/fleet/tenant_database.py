"""A tenant's database, opened: its connection, its lock and its journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from pymysql.err import MySQLError

from ebhook.database.connection import (
    SILENCE,
    Connection,
    allow_silence,
    connect_patiently,
    explain,
    set_and_track,
)
from ebhook.journal.table import Journal
from ebhook.lock.lock import TenantLock
from ebhook.settings import Settings
from ebhook.tenant import Tenant


class TenantDatabase:
    """One connection to a tenant, with the journal and the lock that the settings name."""

    def __init__(self, connection: Connection, tenant: Tenant, settings: Settings) -> None:
        self.connection = connection
        self.tenant = tenant
        self._settings = settings

    @cached_property
    def journal(self) -> Journal:
        tenant, table = self.tenant, self._settings.journal.table
        return Journal(self.connection, tenant.name, tenant.database, table)

    @cached_property
    def lock(self) -> TenantLock:
        """Asks the server for its name when it is first used."""
        lock = self._settings.lock
        return TenantLock(self.connection, self.tenant.name, lock.table, named=lock.named)


@contextmanager
def open_tenant(
    tenant: Tenant, settings: Settings, *, deadline: float | None = None
) -> Iterator[TenantDatabase]:
    """Connects, and closes the connection at the end; what the server refuses is explained.

    No statement waits longer than `ddl.lock_wait_timeout` for what somebody else has locked.

    Args:
        deadline: in monotonic seconds, for a server that is away for a moment; None allows
            `connect_timeout`.

    Raises:
        Unreachable, Refused, …: the connection failed, or a statement in the block was refused.
    """
    connection = connect_patiently(
        tenant.url,
        database=tenant.database,
        timeout=settings.connect_timeout,
        deadline=time.monotonic() + settings.connect_timeout if deadline is None else deadline,
    )
    try:
        _limit(connection, settings)
        yield TenantDatabase(connection, tenant, settings)
    except MySQLError as error:
        raise explain(error, tenant.url, tenant.database) from None
    finally:
        connection.close()


def _limit(connection: Connection, settings: Settings) -> None:
    """The session's limits: a waiting ALTER must not queue the application behind it for long, a look
    must not wait for a year (MySQL's default), and a session behind a cut network must not keep its
    lock for eight hours. And the server is to tell what statements do to the session."""
    seconds = settings.ddl.lock_wait_timeout
    allow_silence(connection, max(SILENCE, 2.0 * seconds + settings.connect_timeout))
    limits = "SET SESSION lock_wait_timeout = %s, innodb_lock_wait_timeout = %s, wait_timeout = %s"
    set_and_track(connection, limits, seconds, seconds, settings.ddl.wait_timeout)
