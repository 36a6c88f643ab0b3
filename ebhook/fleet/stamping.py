"""Writes a version without running anything: under the tenant's lock, and noted in its journal."""

from __future__ import annotations

from collections.abc import Callable

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, quoted, run, versions
from ebhook.errors import HalfApplied, Refused
from ebhook.events import Emit
from ebhook.fleet.tenant_database import open_tenant
from ebhook.holder import Holder
from ebhook.journal.table import who
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings
from ebhook.tenant import Tenant

KIND = "stamp"  # the journal's word
_LENGTH = 32  # characters of an id in Alembic's own version table


def stamp_version(
    tenant: Tenant,
    revision: Revision,
    settings: Settings,
    holder: Holder,
    emit: Emit,
    *,
    expected: tuple[str, ...],
    check: Callable[[Connection], None],
    note: str,
) -> None:
    """Puts `tenant` at `revision`.

    Args:
        expected: where it stood when it was looked at.
        check: called with the lock held, and raises when the schema is not what it should be.
        note: what the journal says of it.

    Raises:
        Refused: it stands elsewhere by now.
        HalfApplied: a revision is half done there.
        LockHeld, Unreachable, …: as for an upgrade.
    """
    with (
        open_tenant(tenant, settings) as database,
        database.lock.held(holder, wait=settings.lock.wait, emit=emit, done=lambda: False),
    ):
        connection, table = database.connection, settings.version_table
        run(connection, "SET SESSION lock_wait_timeout = %s", settings.ddl.lock_wait_timeout)
        now = versions(connection, tenant.database, table)
        if now != expected:
            raise Refused(
                f"{tenant.name}: stands at {', '.join(now) or 'base'} by now.",
                next=then("Look again: ", ebhook("status", tenant.name)),
            )
        half = database.journal.opened()
        if half is not None:
            raise HalfApplied(
                f"{tenant.name}: revision {half.revision} is half done: {half.position} of its "
                "statements are in.",
                next=then("Finish it first: ", ebhook("upgrade", tenant.name)),
            )
        check(connection)
        name = quoted(table)
        run(
            connection,
            f"CREATE TABLE IF NOT EXISTS {name} (version_num VARCHAR({max(_LENGTH, len(revision.id))}) "
            f"NOT NULL, CONSTRAINT {quoted(f'{table}_pkc')} PRIMARY KEY (version_num))",
        )
        run(connection, f"DELETE FROM {name}")
        run(connection, f"INSERT INTO {name} (version_num) VALUES (%s)", revision.id)
        database.journal.add(
            KIND,
            {
                "revision": revision.id,
                "down_revision": ",".join(revision.parents) or None,
                "checksum": revision.checksum,
                "note": note,
                **who(holder),
            },
            finished=True,
        )
        connection.commit()
