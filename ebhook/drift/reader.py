"""Every tenant's schema, by one connection per server and login, a batch of tenants at a time.

What many tenants share is kept once: memory grows with how many *different* tables there are.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pymysql.err import MySQLError

from ebhook.concurrency import in_threads
from ebhook.database.connection import connect_patiently, errno, explain, run
from ebhook.database.errno import LOST
from ebhook.database.grants import granted_by, grants
from ebhook.drift.catalog import CatalogReader, unseen_by
from ebhook.drift.fingerprint import of_table
from ebhook.drift.snapshot import Snapshot, TableSnapshot
from ebhook.errors import EbhookError
from ebhook.fleet.logins import THREADS, LoginGroup, by_login
from ebhook.fleet.survey_reader import present_schemas, why_absent
from ebhook.settings import Settings
from ebhook.tenant import Tenant

# Tenants in one query. MariaDB opens each table for each query: few enough for its cache of definitions.
BATCH = {True: 4, False: 25}


@dataclass(frozen=True)
class SchemaReading:
    """One tenant's schema, or why it could not be read. `unseen` are the kinds that its login is not shown."""

    tenant: Tenant
    snapshot: Snapshot | None = None
    error: EbhookError | None = None
    unseen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Shared:
    """Equal values as one object."""

    tables: dict[str, TableSnapshot] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def of(self, snapshot: Snapshot) -> Snapshot:
        tables = {
            self._text(name): self.tables.setdefault(of_table(table), table)
            for name, table in snapshot.tables.items()
        }
        others = {self._text(name): self._text(text) for name, text in snapshot.others.items()}
        return Snapshot(tables, others, snapshot.options)

    def _text(self, text: str) -> str:
        return self.texts.setdefault(text, text)


def read_schemas(
    tenants: Sequence[Tenant], settings: Settings, *, only: Collection[str] | None = None
) -> dict[str, SchemaReading]:
    """Tenant → its schema, in the order of `tenants`. Only reads; never raises for a tenant.

    Args:
        only: read these tables, and their triggers; everything when it is None.
    """
    shared = _Shared()
    found: dict[str, SchemaReading] = {}

    def read(group: LoginGroup) -> list[SchemaReading]:
        return list(_read_login(list(group.tenants), settings, only, shared))

    for part in in_threads(read, by_login(tenants), THREADS):
        found.update((one.tenant.name, one) for one in part)
    return {tenant.name: found[tenant.name] for tenant in tenants}


def _read_login(
    tenants: list[Tenant], settings: Settings, only: Collection[str] | None, shared: _Shared
) -> Iterator[SchemaReading]:
    try:
        connection = connect_patiently(
            tenants[0].url,
            database=None,
            timeout=settings.connect_timeout,
            deadline=time.monotonic() + settings.rollout.deadline,
        )
    except EbhookError as error:
        yield from (SchemaReading(tenant, error=error) for tenant in tenants)
        return
    try:
        try:
            run(connection, "SET SESSION lock_wait_timeout = %s", settings.ddl.lock_wait_timeout)
            run(connection, "SET SESSION TRANSACTION READ ONLY")
            reader, lines = CatalogReader.of(connection), grants(connection)
        except MySQLError as error:
            yield from _unread(error, tenants)
            return
        size = BATCH[reader.query.is_mariadb]
        for start in range(0, len(tenants), size):
            for one in _read_batch(reader, tenants[start : start + size], settings, only):
                yield _shared(one, lines, shared)
    finally:
        connection.close()


def _unread(error: MySQLError, tenants: Sequence[Tenant]) -> Iterator[SchemaReading]:
    for tenant in tenants:
        yield SchemaReading(tenant, error=explain(error, tenant.url, tenant.database))


def _shared(one: SchemaReading, lines: Sequence[str], shared: _Shared) -> SchemaReading:
    if one.snapshot is None:
        return one
    unseen = unseen_by(granted_by(lines, one.tenant.database))
    return SchemaReading(one.tenant, shared.of(one.snapshot), unseen=unseen)


def _read_batch(
    reader: CatalogReader,
    tenants: list[Tenant],
    settings: Settings,
    only: Collection[str] | None,
) -> Iterator[SchemaReading]:
    try:
        found = _read_together(reader, tenants, settings, only)
    except MySQLError as error:
        if len(tenants) == 1 or errno(error) in LOST:
            yield from _unread(error, tenants)
            return
        # One tenant spoils the query of all (a view or table that is broken): ask one by one.
        for tenant in tenants:
            yield from _read_batch(reader, [tenant], settings, only)
        return
    yield from found


def _read_together(
    reader: CatalogReader,
    tenants: list[Tenant],
    settings: Settings,
    only: Collection[str] | None,
) -> list[SchemaReading]:
    connection = reader.query.connection
    present = present_schemas(connection, tenants)
    snapshots = reader.read(
        [present[tenant.name] for tenant in tenants if tenant.name in present],
        ignore=own_tables(settings),
        only=only,
    )
    result = []
    for tenant in tenants:
        schema = present.get(tenant.name)
        if schema is None:
            result.append(SchemaReading(tenant, error=why_absent(connection, tenant)))
        else:
            result.append(SchemaReading(tenant, snapshots[schema]))
    connection.rollback()
    return result


def own_tables(settings: Settings) -> frozenset[str]:
    """The tables of ebhook and Alembic themselves, which are no part of the application's schema."""
    return frozenset({settings.version_table, settings.lock.table, settings.journal.table})
