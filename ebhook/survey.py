"""The survey: where every tenant stands, by one connection per server and credentials.

Reading 1,000 tenants through one connection takes less than a second; one login each takes half a
minute. Only the tables that matter are read, by ``UNION ALL`` over batches of tenants.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from pymysql.err import MySQLError

from ebhook.chain import Chain
from ebhook.database import (
    LOST,
    Connection,
    Tenant,
    connect_patiently,
    errno,
    explain,
    quoted,
    rows,
    run,
)
from ebhook.errors import EbhookError, RevisionUnknown
from ebhook.lock import LockRow, lock_name, row_from, select_row
from ebhook.settings import Settings

BATCH = 200
THREADS = 16


class State(StrEnum):
    """Where one tenant stands, seen from this bundle's chain."""

    AT_HEAD = "at_head"
    BEHIND = "behind"
    AHEAD = "ahead"
    EMPTY = "empty"
    UNREACHABLE = "unreachable"
    UNKNOWN_REVISION = "unknown_revision"


@dataclass(frozen=True)
class Standing:
    """One tenant as it was read. `behind` counts revisions; None when that cannot be known."""

    tenant: Tenant
    state: State
    revisions: tuple[str, ...] = ()
    behind: int | None = None
    lock: LockRow | None = None
    error: EbhookError | None = None

    @property
    def revision(self) -> str | None:
        return ",".join(self.revisions) or None


@dataclass(frozen=True)
class _Read:
    """What the server said of one tenant, before the chain is asked what it means."""

    revisions: tuple[str, ...] = ()
    lock: LockRow | None = None
    error: EbhookError | None = None


def survey(
    tenants: Sequence[Tenant], chain: Chain, settings: Settings, *, locks: bool = False
) -> list[Standing]:
    """Where `tenants` stand, in their order. Never raises for a tenant: its `error` says why.

    Args:
        locks: also read who holds what (`status`, `lock list`); a boot at head need not know.
    """
    groups: dict[tuple[object, ...], list[Tenant]] = {}
    for tenant in tenants:
        url = replace(tenant.url, database=None, options={})
        options = tuple(sorted(tenant.url.options.items()))
        groups.setdefault((url.host, url.port, url.user, url.password, options), []).append(tenant)
    read: dict[str, _Read] = {}
    if len(groups) == 1:
        read.update(_read_server(list(tenants), settings, locks))
    elif groups:
        with ThreadPoolExecutor(max_workers=min(THREADS, len(groups))) as pool:
            for part in pool.map(lambda g: dict(_read_server(g, settings, locks)), groups.values()):
                read.update(part)
    return [_judge(tenant, read[tenant.name], chain) for tenant in tenants]


def unknown_revision(tenant: Tenant, at: tuple[str, ...]) -> RevisionUnknown:
    """The error for a database that stands at a revision that this bundle does not have."""
    return RevisionUnknown(
        f"{tenant.name}: stands at {', '.join(at)}, which this bundle's chain does not know.",
        "It was not changed.",
        "Deploy the bundle that has it, or merge its branch; see: ebhook history",
    )


def _judge(tenant: Tenant, read: _Read, chain: Chain) -> Standing:
    if read.error is not None:
        return Standing(tenant, State.UNREACHABLE, error=read.error)
    at = read.revisions
    if not chain.knows(at):
        error = unknown_revision(tenant, at)
        return Standing(tenant, State.UNKNOWN_REVISION, at, lock=read.lock, error=error)
    behind = len(chain.missing(at, chain.head))
    state = State.AT_HEAD if behind == 0 else State.BEHIND if at else State.EMPTY
    return Standing(tenant, state, at, behind, read.lock)


def _read_server(
    tenants: list[Tenant], settings: Settings, locks: bool
) -> Iterator[tuple[str, _Read]]:
    """All tenants of one server and login, by one connection."""
    url = tenants[0].url
    try:
        connection = connect_patiently(
            url,
            database=None,
            timeout=settings.connect_timeout,
            deadline=time.monotonic() + settings.rollout.deadline,
        )
    except EbhookError as error:
        for tenant in tenants:
            yield tenant.name, _Read(error=error)
        return
    try:
        for start in range(0, len(tenants), BATCH):
            yield from _read_batch(connection, tenants[start : start + BATCH], settings, locks)
    finally:
        connection.close()


def _read_batch(
    connection: Connection, tenants: list[Tenant], settings: Settings, locks: bool
) -> Iterator[tuple[str, _Read]]:
    try:
        yield from _read_together(connection, tenants, settings, locks)
    except MySQLError as error:
        if len(tenants) == 1 or errno(error) in LOST:
            for tenant in tenants:
                yield tenant.name, _Read(error=explain(error, tenant.url, tenant.database))
            return
        # One tenant spoils the query of all (a privilege, a broken table): ask one by one.
        for tenant in tenants:
            yield from _read_batch(connection, [tenant], settings, locks)


def _read_together(
    connection: Connection, tenants: list[Tenant], settings: Settings, locks: bool
) -> list[tuple[str, _Read]]:
    # A table that somebody has locked must not stop the reading of all: the default is a year.
    run(connection, "SET SESSION lock_wait_timeout = %s", settings.ddl.lock_wait_timeout)
    present = _schemas(connection, tenants)
    wanted = [settings.version_table] + ([settings.lock.table] if locks else [])
    here = [tenant for tenant in tenants if tenant.name in present]
    columns = _columns(connection, [present[tenant.name] for tenant in here], wanted)
    revisions: dict[int, list[str]] = {}
    parts = [
        f"SELECT {number}, CONVERT(version_num USING utf8mb4) COLLATE utf8mb4_bin "
        f"FROM {quoted(present[tenant.name])}.{quoted(settings.version_table)}"
        for number, tenant in enumerate(here)
        if (present[tenant.name], settings.version_table) in columns
    ]
    if parts:
        for number, revision in rows(connection, " UNION ALL ".join(parts)):
            revisions.setdefault(int(number), []).append(str(revision))
    held = _locks(connection, [present[t.name] for t in here], columns, settings) if locks else {}
    connection.rollback()
    result = []
    numbers = {tenant.name: number for number, tenant in enumerate(here)}
    for tenant in tenants:
        if tenant.name in numbers:
            number = numbers[tenant.name]
            at = tuple(sorted(revisions.get(number, [])))
            result.append((tenant.name, _Read(at, held.get(number))))
        else:
            result.append((tenant.name, _Read(error=_why_absent(connection, tenant))))
    return result


def _schemas(connection: Connection, tenants: Iterable[Tenant]) -> Mapping[str, str]:
    """Tenant → its database as the server spells it, for those that this login can see."""
    found = rows(connection, "SELECT schema_name FROM information_schema.schemata")
    exact = {str(row[0]) for row in found}
    # Servers with lower_case_table_names keep every name in lower case and find it in any case.
    folds = bool(rows(connection, "SELECT @@lower_case_table_names")[0][0])
    lower = {name.lower(): name for name in exact} if folds else {}
    present = {}
    for tenant in tenants:
        name = tenant.database if tenant.database in exact else lower.get(tenant.database.lower())
        if name is not None:
            present[tenant.name] = name
    return present


def _columns(
    connection: Connection, schemas: list[str], tables: list[str]
) -> Mapping[tuple[str, str], set[str]]:
    """(schema, table) → its columns, for the tables that exist.

    One look-up per table: MariaDB opens every table of a server to answer a query that has lists.
    """
    columns: dict[tuple[str, str], set[str]] = {}
    wanted = [(schema, table) for schema in schemas for table in tables]
    if not wanted:
        return columns
    one = (
        "SELECT table_schema, table_name, LOWER(column_name) FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = %s"
    )
    values = [value for pair in wanted for value in pair]
    for schema, table, column in rows(connection, " UNION ALL ".join([one] * len(wanted)), *values):
        columns.setdefault((str(schema), str(table)), set()).add(str(column))
    return columns


def _locks(
    connection: Connection,
    schemas: list[str],
    columns: Mapping[tuple[str, str], set[str]],
    settings: Settings,
) -> dict[int, LockRow]:
    """The locks by the schema's number in the list: rows, and named locks whose row is gone."""
    table = settings.lock.table
    owners: dict[int, int] = {}
    if schemas and settings.lock.named:
        folds = bool(rows(connection, "SELECT @@lower_case_table_names")[0][0])
        names = [lock_name(schema, table, folds=folds) for schema in schemas]
        sql = "SELECT " + ", ".join(["IS_USED_LOCK(%s)"] * len(names))
        for number, owner in enumerate(rows(connection, sql, *names)[0]):
            if owner is not None:
                owners[number] = int(owner)
    parts = [
        "("
        + select_row(f"{quoted(schema)}.{quoted(table)}", columns[schema, table], f"{number}, ")
        + ")"
        for number, schema in enumerate(schemas)
        if (schema, table) in columns
    ]
    found: dict[int, LockRow] = {}
    if parts:
        for number, *values in rows(connection, " UNION ALL ".join(parts)):
            found[int(number)] = row_from(tuple(values), owners.get(int(number)))
    for number, owner in owners.items():
        if number not in found:
            found[number] = LockRow(None, None, None, True, None, owner, has_row=False)
    return found


def _why_absent(connection: Connection, tenant: Tenant) -> EbhookError:
    try:
        connection.select_db(tenant.database)
    except MySQLError as error:
        return explain(error, tenant.url, tenant.database)
    return explain(MySQLError(1044, "the database shows nothing to this user"), tenant.url, None)
