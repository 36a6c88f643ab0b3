"""Reads many tenants through one connection: versions, journals and locks, by UNION ALL over batches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pymysql.err import MySQLError

from ebhook.chain.graph import Chain
from ebhook.database.connection import (
    Connection,
    allow_silence,
    connect_patiently,
    errno,
    explain,
    quoted,
    rows,
    run,
    scalar,
)
from ebhook.database.errno import LOST, Errno
from ebhook.errors import EbhookError, JournalForeign
from ebhook.fleet.logins import LoginGroup
from ebhook.fleet.standing import AppliedRevision, TenantReading, UnfinishedRevision
from ebhook.lock.named_lock import lock_name
from ebhook.lock.row import LockRow, select_row
from ebhook.settings import Settings
from ebhook.tenant import Tenant

BATCH = 200


def read_server(
    group: LoginGroup, chain: Chain, settings: Settings, deep: bool
) -> Iterator[tuple[str, TenantReading]]:
    """All tenants of one server and login, by one connection."""
    tenants = list(group.tenants)
    try:
        connection = connect_patiently(
            group.url,
            database=None,
            timeout=settings.connect_timeout,
            deadline=time.monotonic() + settings.rollout.deadline,
        )
    except EbhookError as error:
        for tenant in tenants:
            yield tenant.name, TenantReading(error=error)
        return
    # A statement may wait for a table that somebody has locked; more would be silence.
    allow_silence(connection, settings.connect_timeout + settings.ddl.lock_wait_timeout)
    reader = SurveyReader(connection, chain, settings, deep)
    try:
        for start in range(0, len(tenants), BATCH):
            yield from reader.read(tenants[start : start + BATCH])
    finally:
        connection.close()


@dataclass
class SurveyReader:
    """Reads tenants through one connection, as many at a time as the server lets it."""

    connection: Connection
    chain: Chain
    settings: Settings
    deep: bool

    def read(self, tenants: list[Tenant]) -> Iterator[tuple[str, TenantReading]]:
        try:
            yield from self._together(tenants)
        except JournalForeign as error:
            yield tenants[0].name, TenantReading(error=error)
        except MySQLError as error:
            if len(tenants) == 1 or errno(error) in LOST:
                for tenant in tenants:
                    yield (
                        tenant.name,
                        TenantReading(error=explain(error, tenant.url, tenant.database)),
                    )
                return
            # One tenant spoils the query of all (a privilege, a broken table): ask one by one.
            for tenant in tenants:
                yield from self.read([tenant])

    def _together(self, tenants: list[Tenant]) -> list[tuple[str, TenantReading]]:
        connection, settings = self.connection, self.settings
        # A table that somebody has locked must not stop the reading of all: the default is a year.
        # And all rows are wanted, whatever the server's defaults are.
        run(
            connection,
            "SET SESSION lock_wait_timeout = %s, sql_select_limit = 18446744073709551615, "
            "sql_big_selects = 1",
            settings.ddl.lock_wait_timeout,
        )
        present = present_schemas(connection, tenants)
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
        if self.deep:
            halves = {
                schema: half
                if schema in locks and locks[schema].alive
                else replace(half, in_doubt=self._in_doubt(schema))
                for schema, half in halves.items()
            }
        connection.rollback()
        result = []
        for tenant in tenants:
            schema = present.get(tenant.name)
            if schema is None:
                result.append((tenant.name, TenantReading(error=why_absent(connection, tenant))))
                continue
            at = tuple(sorted(versions.get(schema, ())))
            read = TenantReading(
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

    def _halves(self, tables: set[tuple[str, str]]) -> dict[str, UnfinishedRevision]:
        return {
            schema: UnfinishedRevision(
                kind, revision, tuple(parents.split(",")) if parents else (), position
            )
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

    def _in_doubt(self, schema: str) -> bool:
        """Can only a person tell whether the statement that a crash left open happened?"""
        from ebhook.journal.in_doubt import Verdict
        from ebhook.journal.table import Journal

        journal = Journal(self.connection, schema, schema, self.settings.journal.table)
        entry = journal.unfinished()
        if entry is None or entry.pending is None:
            return False
        return journal.inspector.verdict(entry.pending) is Verdict.UNKNOWN

    def _applied(self, schemas: list[str]) -> dict[str, dict[str, AppliedRevision]]:
        found: dict[str, dict[str, AppliedRevision]] = {}
        for schema, _, revision, parents, checksum in sorted(
            _union(
                self.connection,
                "SELECT {number}, id, revision, down_revision, checksum FROM {table} "
                "WHERE kind IN ('upgrade', 'stamp') AND finished_at IS NOT NULL",
                [(schema, self.settings.journal.table) for schema in schemas],
            )
        ):
            ids = tuple(parents.split(",")) if parents else ()
            found.setdefault(schema, {})[revision] = AppliedRevision(ids, checksum)
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


def present_schemas(connection: Connection, tenants: Iterable[Tenant]) -> Mapping[str, str]:
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
    """The (schema, table) that exist, as they were asked for, on a server that knows one case alone,
    too. Names alone are read from no table's definition, so lists
    are the quickest way: 200 look-ups by UNION take MySQL most of a second."""
    if not schemas:
        return set()
    lower = {table.lower(): table for table in tables}
    names = dict.fromkeys([*tables, *lower])
    marks = ", ".join(["%s"] * len(schemas)), ", ".join(["%s"] * len(names))
    found = rows(
        connection,
        "SELECT table_schema, table_name, @@lower_case_table_names FROM information_schema.tables "
        f"WHERE table_schema IN ({marks[0]}) AND table_name IN ({marks[1]})",
        *schemas,
        *names,
    )
    asked = {
        (str(schema), lower.get(str(table).lower(), "") if folds else str(table))
        for schema, table, folds in found
    }
    return {(schema, table) for schema, table in asked if table in tables}


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
            found[schema] = LockRow.of_columns(values, owners.get(schema))
    for schema, owner in owners.items():
        if schema not in found:
            found[schema] = LockRow.without_row(owner)
    return found


def why_absent(connection: Connection, tenant: Tenant) -> EbhookError:
    try:
        connection.select_db(tenant.database)
    except MySQLError as error:
        return explain(error, tenant.url, tenant.database)
    return explain(
        MySQLError(int(Errno.DBACCESS_DENIED), "the database shows nothing to this user"),
        tenant.url,
        None,
    )
