"""Throw-away databases, and a chain at work on one: for what writes and proves revisions.

Everything here runs in a process of its own, or at the end of one: the application is imported, its
folder is the working directory, and whichever MySQL engine it makes leads to the scratch database.
A developer's own database is never reached, and need not be there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationStep

from ebhook.chain.graph import Chain
from ebhook.database.connection import Connection, connect, run
from ebhook.database.url import Url
from ebhook.holder import Holder
from ebhook.journal.table import Journal
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.alembic_run import Migration
from ebhook.upgrade.project import Project, load_project

_PATIENCE = 30.0  # seconds for a statement that waits for a lock


# The application's engines

_target: list[Url] = []  # the scratch database that they all lead to


def open_project(settings: Settings, chain: Chain, tenant: Tenant) -> Project:
    """Loads migrations and application, as the worker of an upgrade does."""
    os.chdir(settings.root)
    if str(settings.root) not in sys.path:
        sys.path.insert(0, str(settings.root))
    lead_to(tenant.url)
    return load_project(settings, chain)


def lead_to(url: Url) -> None:
    """From now on each MySQL engine of this process connects to `url`, whatever its own URL is."""
    if not _target:
        sa.event.listen(sa.Engine, "do_connect", _redirect)
    _target[:] = [url]


def _redirect(
    dialect: sa.Dialect, record: Any, arguments: list[Any], named: dict[str, Any]
) -> None:
    """SQLAlchemy's hook before a connection: the driver stays, the place changes."""
    if dialect.name not in ("mysql", "mariadb"):
        return
    positional, keywords = dialect.create_connect_args(_target[0].for_sqlalchemy())
    arguments[:] = list(positional)
    named.clear()
    named.update(keywords)


# The chain at work


class Scratch(Migration):
    """A `Migration` on a scratch database: no deadline cuts it short.

    With `only`, it runs that one revision, wherever the database stands: the plan that Alembic makes
    for going back from a branch would take the other branch along.
    """

    only: str | None = None

    def too_late(self) -> bool:
        return False

    def _steps(self, heads: Any, context: Any) -> Iterator[Any]:
        if self.only is None:
            yield from super()._steps(heads, context)
            return
        script = self.project.script
        revision = script.get_revision(self.only)
        make = (
            MigrationStep.downgrade_from_script
            if self.downgrade
            else MigrationStep.upgrade_from_script
        )
        step = make(script.revision_map, revision)
        self.running = self.only
        step.migration_fn = self._recorded(self.only, step.migration_fn)
        yield step
        self.running = None


def migrate(
    project: Project,
    tenant: Tenant,
    connection: Connection,
    target: str | None,
    *,
    downgrade: bool = False,
    only: str | None = None,
) -> None:
    """Brings a scratch database to `target` as an upgrade would, but for the lock.

    Raises:
        MigrationFailed, ChainBroken, …: as `ebhook upgrade` would.
    """
    journal = Journal(connection, tenant.name, tenant.database, project.settings.journal.table)
    journal.make()
    run(connection, "SET SESSION lock_wait_timeout = %s", project.settings.ddl.lock_wait_timeout)
    migration = Scratch(
        project=project,
        tenant=tenant,
        connection=connection,
        holder=Holder("scratch", os.getpid(), None, None, "scratch", "scratch"),
        target=target,
        downgrade=downgrade,
        # Whoever has a lock here is the migration itself, on another connection.
        deadline=time.monotonic() + _PATIENCE,
        emit=lambda _: None,
        stop=lambda: False,
        journal=journal,
    )
    migration.only = only
    migration.run()


def open_tenant(tenant: Tenant, settings: Settings) -> Connection:
    return connect(tenant.url, database=tenant.database, timeout=settings.connect_timeout)
