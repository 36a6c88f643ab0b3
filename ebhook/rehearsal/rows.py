"""What a rehearsal without rows cannot see: statements whose success or length depends on rows.

They are named. On demand the rows are looked up in the tenant, by queries that stop at the first bad one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, connect, quoted, rows, run, text_of
from ebhook.errors import EbhookError
from ebhook.lint.changes.change import Change, OfTable
from ebhook.lint.changes.columns import ModifyColumn
from ebhook.lint.changes.keys import AddCheck, AddForeignKey, AddIndex, AddPrimary
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.schema.schema import Schema
from ebhook.lint.sql.ddl import read
from ebhook.settings import Settings
from ebhook.sql.statement import Kind, kind_of, plain, written
from ebhook.sql.tokens import Unreadable
from ebhook.tenant import Tenant

SECONDS = 30  # for one query


@dataclass(frozen=True)
class RowRisk:
    """A statement that may fail, or take long, because of rows. `query` finds a bad row; None: none can be named."""

    revision: str
    sql: str
    why: str
    query: str | None = None


@dataclass(frozen=True)
class RowFinding:
    """What looking at one tenant's rows gave: `bad` rows are there, or (None) it could not be looked at."""

    tenant: str
    risk: RowRisk
    bad: bool | None
    why: str = ""


def risks(statements: Sequence[tuple[str, str]]) -> list[RowRisk]:
    """The statements, of (revision, SQL) that ran, whose tables have rows in a tenant."""
    found: list[RowRisk] = []
    schema = Schema()
    made: set[str] = set()  # here, and so empty
    for revision, sql in statements:
        kind = kind_of(sql)
        if kind is Kind.DATA and plain(sql).upper().startswith(("UPDATE", "DELETE")):
            table = written(sql)
            if table is None or table.name.lower() not in made:
                found.append(RowRisk(revision, sql, "how many rows it changes"))
        if kind is not Kind.DEFINITION:
            continue
        try:
            changes: Sequence[Change] = read(sql, schema)
        except Unreadable:
            continue
        for change in changes:
            if isinstance(change, CreateTable):
                made.add(change.table.lower())
            elif isinstance(change, OfTable) and change.table.lower() not in made:
                found += _of(change, revision, sql)
    return found


def _of(change: OfTable, revision: str, sql: str) -> Iterator[RowRisk]:
    match change:
        case AddIndex(table=table, index=index) if index.unique:
            yield RowRisk(revision, sql, "duplicates", _duplicates(table, index.columns))
        case AddPrimary(table=table, columns=columns):
            yield RowRisk(revision, sql, "duplicates", _duplicates(table, columns))
        case AddForeignKey(table=table, key=key):
            orphans = _orphans(table, key.columns, key.table, key.referred)
            yield RowRisk(revision, sql, "rows without a parent", orphans)
        case AddCheck():
            yield RowRisk(revision, sql, "rows that a check refuses")
        case ModifyColumn(table=table, column=column):
            if column.nullable:
                yield RowRisk(revision, sql, "values that do not fit the new type")
            else:
                yield RowRisk(revision, sql, "NULLs", _nulls(table, column.name))


def _duplicates(table: str, columns: Sequence[str]) -> str | None:
    if not columns:
        return None  # of expressions
    names = ", ".join(map(quoted, columns))
    known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns)
    return (
        f"SELECT 1 FROM {quoted(table)} WHERE {known} GROUP BY {names} HAVING COUNT(*) > 1 LIMIT 1"
    )


def _nulls(table: str, column: str) -> str:
    return f"SELECT 1 FROM {quoted(table)} WHERE {quoted(column)} IS NULL LIMIT 1"


def _orphans(table: str, columns: Sequence[str], parent: str, referred: Sequence[str]) -> str:
    on = " AND ".join(
        f"p.{quoted(theirs)} = c.{quoted(ours)}"
        for ours, theirs in zip(columns, referred, strict=False)
    )
    known = " AND ".join(f"c.{quoted(column)} IS NOT NULL" for column in columns)
    return (
        f"SELECT 1 FROM {quoted(table)} AS c LEFT JOIN {quoted(parent)} AS p ON {on} "
        f"WHERE {known} AND p.{quoted(referred[0])} IS NULL LIMIT 1"
    )


def look_at_rows(
    tenant: Tenant, found: Sequence[RowRisk], settings: Settings
) -> Iterator[RowFinding]:
    """Asks one tenant for rows that would make a statement fail; only reads. What is fine is left out."""
    asked = [risk for risk in found if risk.query is not None]
    if not asked:
        return
    try:
        connection = connect(tenant.url, database=tenant.database, timeout=settings.connect_timeout)
    except EbhookError as error:
        for risk in asked:
            yield RowFinding(tenant.name, risk, None, error.what)
        return
    with closing(connection):
        _bounded(connection)
        for risk in asked:
            assert risk.query is not None
            try:
                if rows(connection, risk.query):
                    yield RowFinding(tenant.name, risk, True)
            except (
                MySQLError
            ) as error:  # a column that an earlier revision makes; or it took too long
                yield RowFinding(tenant.name, risk, None, text_of(error))
            finally:
                with suppress(MySQLError):
                    connection.rollback()


def _bounded(connection: Connection) -> None:
    run(connection, "SET SESSION TRANSACTION READ ONLY")
    for sql in (
        f"SET SESSION max_execution_time = {SECONDS * 1000}",  # MySQL, in milliseconds
        f"SET SESSION max_statement_time = {SECONDS}",  # MariaDB
    ):
        with suppress(MySQLError):
            run(connection, sql)
