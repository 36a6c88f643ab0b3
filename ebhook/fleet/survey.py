"""The survey: where every tenant stands, by one connection per server and credentials.

Reading 1,000 tenants through one connection takes less than a second; one login each takes half a
minute. Only the tables that matter are read, by ``UNION ALL`` over batches of tenants.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pymysql.err import MySQLError

from ebhook.chain.folder import Chain
from ebhook.database.connection import (
    LOST,
    Connection,
    Errno,
    Tenant,
    connect_patiently,
    errno,
    explain,
    quoted,
    rows,
    run,
    scalar,
)
from ebhook.errors import EbhookError, JournalForeign, RevisionUnknown
from ebhook.lock.lock import lock_name
from ebhook.lock.table import LockRow, row_from, select_row
from ebhook.settings import Settings
from ebhook.threads import in_threads

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
class Half:
    """A revision that is half applied (or half undone): `position` statements of it are in."""

    kind: str
    revision: str
    parents: tuple[str, ...]
    position: int


@dataclass(frozen=True)
class Standing:
    """One tenant as it was read. `behind` counts revisions; None when that cannot be known.

    `ahead` counts the revisions that only a newer bundle knows; `half` is the revision that a crash
    or a failure left half done; `edited` are those whose files changed after they were applied.
    """

    tenant: Tenant
    state: State
    revisions: tuple[str, ...] = ()
    behind: int | None = None
    lock: LockRow | None = None
    error: EbhookError | None = None
    ahead: int = 0
    half: Half | None = None
    edited: tuple[str, ...] = ()

    @property
    def revision(self) -> str | None:
        return ",".join(self.revisions) or None


@dataclass(frozen=True)
class _Read:
    """What the server said of one tenant, before the chain is asked what it means."""

    revisions: tuple[str, ...] = ()
    lock: LockRow | None = None
    error: EbhookError | None = None
    half: Half | None = None
    applied: Mapping[str, _Applied] = field(default_factory=dict)


@dataclass(frozen=True)
class _Applied:
    """What the journal keeps of a revision that was applied."""

    parents: tuple[str, ...]
    checksum: str | None


def survey(
    tenants: Sequence[Tenant], chain: Chain, settings: Settings, *, deep: bool = False
) -> list[Standing]:
    """Where `tenants` stand, in their order. Never raises for a tenant: its `error` says why.

    Args:
        deep: also read who holds what, and which files were edited after they were applied
            (`status`, `lock list`); a boot at head need not know.
    """
    groups: dict[tuple[object, ...], list[Tenant]] = {}
    for tenant in tenants:
        url = replace(tenant.url, database=None, options={})
        options = tuple(sorted(tenant.url.options.items()))
        groups.setdefault((url.host, url.port, url.user, url.password, options), []).append(tenant)
    read: dict[str, _Read] = {}
    if len(groups) == 1:
        read.update(_read_server(list(tenants), chain, settings, deep))
    elif groups:
        for part in in_threads(
            lambda group: dict(_read_server(group, chain, settings, deep)),
            list(groups.values()),
            THREADS,
        ):
            read.update(part)
    return [_judge(tenant, read[tenant.name], chain) for tenant in tenants]


def unknown_revision(
    tenant: Tenant, at: tuple[str, ...], known: frozenset[str] | None = None
) -> RevisionUnknown:
    """The error for a database that stands at a revision that this bundle does not have.

    Args:
        known: where its journal's lineage leads back to, when it leads to this chain at all.
    """
    lineage = "no journal tells what it builds on"
    if known is not None:
        lineage = f"it builds on {', '.join(sorted(known)) or 'base'}, not on this bundle's head"
    return RevisionUnknown(
        f"{tenant.name}: stands at {', '.join(at)}, which this bundle's chain does not know; "
        f"{lineage}.",
        "It was not changed.",
        "Deploy the bundle that has it, or merge its branch; see: ebhook history",
    )


def _judge(tenant: Tenant, read: _Read, chain: Chain) -> Standing:
    if read.error is not None:
        return Standing(tenant, State.UNREACHABLE, error=read.error)
    at = read.revisions
    if not chain.knows(at):
        known, ahead = _back_to_known(at, read.applied, chain)
        if known is not None and chain.head in known:
            return Standing(tenant, State.AHEAD, at, 0, read.lock, ahead=ahead, half=read.half)
        error = unknown_revision(tenant, at, known)
        return Standing(tenant, State.UNKNOWN_REVISION, at, lock=read.lock, error=error)
    half = read.half
    if half is not None and (half.revision in chain.lineage(at)) == (half.kind == "upgrade"):
        half = None  # the version has moved past it: somebody did the rest by other means
    # A half undone revision is not there any more.
    stands = half.parents if half is not None and half.kind == "downgrade" else at
    behind = len(chain.missing(stands, chain.head))
    state = State.AT_HEAD if behind == 0 else State.BEHIND if at else State.EMPTY
    edited = tuple(
        id
        for id in chain.revisions
        if id in read.applied
        and id in chain.lineage(at)
        and read.applied[id].checksum not in (None, chain.revisions[id].checksum)
    )
    return Standing(tenant, state, at, behind, read.lock, half=half, edited=edited)


def _back_to_known(
    at: tuple[str, ...], applied: Mapping[str, _Applied], chain: Chain
) -> tuple[frozenset[str] | None, int]:
    """The revisions that this chain knows, going back from `at` by the journal's lineage, and how
    many it does not know on the way; None when the lineage breaks off."""
    known: set[str] = set()
    unknown: set[str] = set()
    todo = list(at)
    while todo:
        id = todo.pop()
        if id in chain.revisions:
            known.add(id)
        elif id in applied:
            if id not in unknown:
                unknown.add(id)
                todo.extend(applied[id].parents)
        else:
            return None, 0
    return frozenset(known), len(unknown)


def _read_server(
    tenants: list[Tenant], chain: Chain, settings: Settings, deep: bool
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
    reader = _Reader(connection, chain, settings, deep)
    try:
        for start in range(0, len(tenants), BATCH):
            yield from reader.read(tenants[start : start + BATCH])
    finally:
        connection.close()


@dataclass
class _Reader:
    """Reads tenants through one connection, as many at a time as the server lets it."""

    connection: Connection
    chain: Chain
    settings: Settings
    deep: bool

    def read(self, tenants: list[Tenant]) -> Iterator[tuple[str, _Read]]:
        try:
            yield from self._together(tenants)
        except JournalForeign as error:
            yield tenants[0].name, _Read(error=error)
        except MySQLError as error:
            if len(tenants) == 1 or errno(error) in LOST:
                for tenant in tenants:
                    yield tenant.name, _Read(error=explain(error, tenant.url, tenant.database))
                return
            # One tenant spoils the query of all (a privilege, a broken table): ask one by one.
            for tenant in tenants:
                yield from self.read([tenant])

    def _together(self, tenants: list[Tenant]) -> list[tuple[str, _Read]]:
        connection, settings = self.connection, self.settings
        # A table that somebody has locked must not stop the reading of all: the default is a year.
        run(connection, "SET SESSION lock_wait_timeout = %s", settings.ddl.lock_wait_timeout)
        present = _schemas(connection, tenants)
        schemas = [present[tenant.name] for tenant in tenants if tenant.name in present]
        tables = _tables(connection, schemas, [settings.version_table, settings.journal.table])
        versions = self._versions(tables)
        try:
            halves = self._halves(tables)
        except MySQLError as error:
            if errno(error) == Errno.BAD_FIELD and len(tenants) == 1:
                from ebhook.journal.table import foreign  # late: a boot at head has no use for it

                raise foreign(tenants[0].name, settings.journal.table, error) from None
            raise
        applied = self._applied(
            [
                schema
                for schema in schemas
                if (schema, settings.journal.table) in tables
                and (self.deep or not self.chain.knows(versions.get(schema, ())))
            ]
        )
        locks = _locks(connection, schemas, settings) if self.deep else {}
        connection.rollback()
        result = []
        for tenant in tenants:
            schema = present.get(tenant.name)
            if schema is None:
                result.append((tenant.name, _Read(error=_why_absent(connection, tenant))))
                continue
            at = tuple(sorted(versions.get(schema, ())))
            read = _Read(
                at,
                locks.get(schema),
                half=halves.get(schema),
                applied=applied.get(schema, {}),
            )
            result.append((tenant.name, read))
        return result

    def _versions(self, tables: set[tuple[str, str]]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for schema, version in _union(
            self.connection,
            "SELECT {number}, CONVERT(version_num USING utf8mb4) COLLATE utf8mb4_bin FROM {table}",
            [(schema, table) for schema, table in tables if table == self.settings.version_table],
        ):
            found.setdefault(schema, []).append(str(version))
        return found

    def _halves(self, tables: set[tuple[str, str]]) -> dict[str, Half]:
        return {
            schema: Half(kind, revision, tuple(parents.split(",")) if parents else (), position)
            for schema, kind, revision, parents, position in _union(
                self.connection,
                "SELECT {number}, kind, revision, down_revision, position FROM {table} "
                "WHERE finished_at IS NULL",
                [
                    (schema, table)
                    for schema, table in tables
                    if table == self.settings.journal.table
                ],
            )
        }

    def _applied(self, schemas: list[str]) -> dict[str, dict[str, _Applied]]:
        found: dict[str, dict[str, _Applied]] = {}
        for schema, _, revision, parents, checksum in sorted(
            _union(
                self.connection,
                "SELECT {number}, id, revision, down_revision, checksum FROM {table} "
                "WHERE kind = 'upgrade' AND finished_at IS NOT NULL",
                [(schema, self.settings.journal.table) for schema in schemas],
            )
        ):
            ids = tuple(parents.split(",")) if parents else ()
            found.setdefault(schema, {})[revision] = _Applied(ids, checksum)
        return found


def _union(
    connection: Connection, template: str, tables: Iterable[tuple[str, str]]
) -> list[tuple[Any, ...]]:
    """One query over many (schema, table): the schema, then what `template` selects."""
    places = list(tables)
    if not places:
        return []
    parts = [
        "(" + template.format(number=n, table=f"{quoted(schema)}.{quoted(table)}") + ")"
        for n, (schema, table) in enumerate(places)
    ]
    return [
        (places[int(number)][0], *values)
        for number, *values in rows(connection, " UNION ALL ".join(parts))
    ]


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


def _tables(connection: Connection, schemas: list[str], tables: list[str]) -> set[tuple[str, str]]:
    """The (schema, table) that exist. Names alone are read from no table's definition, so lists
    are the quickest way: 200 look-ups by UNION take MySQL most of a second."""
    if not schemas:
        return set()
    marks = ", ".join(["%s"] * len(schemas)), ", ".join(["%s"] * len(tables))
    found = rows(
        connection,
        "SELECT table_schema, table_name FROM information_schema.tables "
        f"WHERE table_schema IN ({marks[0]}) AND table_name IN ({marks[1]})",
        *schemas,
        *tables,
    )
    return {(str(schema), str(table)) for schema, table in found}


def _columns(connection: Connection, schemas: list[str], table: str) -> dict[str, set[str]]:
    """Schema → the columns of its `table`, for the schemas that have one.

    By one look-up each on MariaDB, which opens every table of a server to answer this for a list.
    """
    columns: dict[str, set[str]] = {}
    having = sorted(schema for schema, _ in _tables(connection, schemas, [table]))
    if not having:
        return columns
    what = "SELECT table_schema, LOWER(column_name) FROM information_schema.columns WHERE "
    if "mariadb" in str(scalar(connection, "SELECT @@version")).lower():
        sql = " UNION ALL ".join([f"{what}table_schema = %s AND table_name = %s"] * len(having))
        values = [value for schema in having for value in (schema, table)]
    else:
        marks = ", ".join(["%s"] * len(having))
        sql = f"{what}table_schema IN ({marks}) AND table_name = %s"
        values = [*having, table]
    for schema, column in rows(connection, sql, *values):
        columns.setdefault(str(schema), set()).add(str(column))
    return columns


def _locks(connection: Connection, schemas: list[str], settings: Settings) -> dict[str, LockRow]:
    """The locks by schema: rows, and named locks whose row is gone."""
    table = settings.lock.table
    columns = _columns(connection, schemas, table)
    owners: dict[str, int] = {}
    if schemas and settings.lock.named:
        folds = bool(rows(connection, "SELECT @@lower_case_table_names")[0][0])
        names = [lock_name(schema, folds=folds) for schema in schemas]
        sql = "SELECT " + ", ".join(["IS_USED_LOCK(%s)"] * len(names))
        for schema, owner in zip(schemas, rows(connection, sql, *names)[0], strict=True):
            if owner is not None:
                owners[schema] = int(owner)
    places = list(columns)
    parts = [
        "(" + select_row(f"{quoted(schema)}.{quoted(table)}", columns[schema], f"{number}, ") + ")"
        for number, schema in enumerate(places)
    ]
    found: dict[str, LockRow] = {}
    if parts:
        for number, *values in rows(connection, " UNION ALL ".join(parts)):
            schema = places[int(number)]
            found[schema] = row_from(tuple(values), owners.get(schema))
    for schema, owner in owners.items():
        if schema not in found:
            found[schema] = LockRow(None, None, None, True, None, owner, has_row=False)
    return found


def _why_absent(connection: Connection, tenant: Tenant) -> EbhookError:
    try:
        connection.select_db(tenant.database)
    except MySQLError as error:
        return explain(error, tenant.url, tenant.database)
    return explain(MySQLError(1044, "the database shows nothing to this user"), tenant.url, None)
