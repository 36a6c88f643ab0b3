"""One shape, made on a scratch server without rows, and upgraded there as a boot would.

The tenant is read by SHOW CREATE; of its rows only those of the version table and, where a revision is half done,
the journal's entry of it are taken along.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.authoring.scratch_chain import connect_to, lead_to
from ebhook.database.connection import Connection, connect, explain, quoted, rows, run, scalar
from ebhook.errors import EbhookError, Refused
from ebhook.events import Event
from ebhook.holder import Holder
from ebhook.journal.table import COLUMNS, Journal
from ebhook.next_command import ebhook, then
from ebhook.rehearsal.shapes import Shape
from ebhook.scratch.copies import CopyFailed, SchemaCopy, make_copy, read_copy
from ebhook.scratch.databases import Bench
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.messages import Order
from ebhook.upgrade.project import Project
from ebhook.upgrade.tenant_upgrade import apply


@dataclass(frozen=True)
class ShapeRehearsal:
    """How a shape did. `error` is None when it came to the target; `statements` are those that ran."""

    shape: Shape
    server: str  # the scratch server's flavour and version
    tenants_server: str
    error: EbhookError | None
    statements: tuple[tuple[str, str], ...] = ()  # (revision, SQL)


@dataclass(frozen=True)
class TakenAlong:
    """What a scratch copy is made from."""

    copy: SchemaCopy
    server: str
    sql_mode: str
    half: tuple[object, ...] | None


def take_along(tenant: Tenant, settings: Settings, *, half: bool) -> TakenAlong:
    """Reads a tenant, in a transaction that may only read. Raises as a connection does."""
    with closing(
        connect(tenant.url, database=tenant.database, timeout=settings.connect_timeout)
    ) as connection:
        try:
            run(connection, "SET SESSION TRANSACTION READ ONLY")
            server = str(scalar(connection, "SELECT @@version"))
            mode = str(scalar(connection, "SELECT @@GLOBAL.sql_mode"))
            entry = _half_entry(connection, settings) if half else None
            skip = (settings.lock.table, settings.journal.table)
            return TakenAlong(
                read_copy(connection, tenant.database, skip=skip), server, mode, entry
            )
        except MySQLError as error:
            raise explain(error, tenant.url, tenant.database) from None


def _half_entry(connection: Connection, settings: Settings) -> tuple[object, ...] | None:
    columns = ", ".join(map(quoted, COLUMNS))
    found = rows(
        connection,
        f"SELECT {columns} FROM {quoted(settings.journal.table)} WHERE finished_at IS NULL",
    )
    return found[0] if found else None


def rehearse(
    shape: Shape, taken: TakenAlong, bench: Bench, project: Project, target: str | None
) -> ShapeRehearsal:
    """Runs the pending revisions of `shape` on a new database of `bench`, which is gone afterwards."""
    settings = project.settings
    server = f"{bench.flavour} {bench.version.partition('-')[0]}"
    tenants_server = taken.server.partition("-")[0]
    with bench.database() as scratch:
        tenant = Tenant(shape.names[0], scratch.url)
        error: EbhookError | None = None
        ran: tuple[tuple[str, str], ...] = ()
        with closing(connect_to(tenant, settings)) as connection:
            try:
                _prepare(connection, tenant, shape, taken, settings)
                before = len(_statements(connection, tenant, settings))
                lead_to(tenant.url)
                apply(project, _order(tenant, target, settings), _ignore, lambda: False)
                connection.rollback()
                ran = tuple(_statements(connection, tenant, settings)[before:])
            except CopyFailed as failed:
                error = Refused(
                    f"{tenant.name}: its schema cannot be made on {server}: {failed.what}.",
                    next=then(
                        "Name a server like the tenants' in scratch_url; see: ", ebhook("config")
                    ),
                )
            except MySQLError as failed:
                error = explain(failed, tenant.url, tenant.database)
            except EbhookError as failed:
                error = failed
        return ShapeRehearsal(shape, server, tenants_server, error, ran)


def _prepare(
    connection: Connection, tenant: Tenant, shape: Shape, taken: TakenAlong, settings: Settings
) -> None:
    if settings.scratch_url is None:  # a private server: its defaults can be the tenants'
        try:
            run(connection, "SET GLOBAL sql_mode = %s", taken.sql_mode)
        except MySQLError:
            connection.rollback()  # a mode that this version does not have
    make_copy(connection, tenant.database, taken.copy)
    for revision in shape.standing.revisions:
        run(connection, f"INSERT INTO {quoted(settings.version_table)} VALUES (%s)", revision)
    if taken.half is not None:
        Journal(connection, tenant.name, tenant.database, settings.journal.table).make()
        marks = ", ".join(["%s"] * len(COLUMNS))
        run(
            connection,
            f"INSERT INTO {quoted(settings.journal.table)} ({', '.join(map(quoted, COLUMNS))}) "
            f"VALUES ({marks})",
            *taken.half,
        )
    connection.commit()


def _order(tenant: Tenant, target: str | None, settings: Settings) -> Order:
    holder = Holder("rehearsal", 0, None, None, "rehearse", "rehearsal")
    deadline = time.monotonic() + settings.rollout.deadline
    return Order(tenant, target, False, holder, 0.0, deadline)


def _statements(
    connection: Connection, tenant: Tenant, settings: Settings
) -> list[tuple[str, str]]:
    journal = Journal(connection, tenant.name, tenant.database, settings.journal.table)
    found: Sequence[tuple[str, str]] = [
        (entry.revision or "", sql) for entry in journal.entries() for sql in entry.statements
    ]
    connection.rollback()
    return list(found)


def _ignore(event: Event) -> None:
    pass
