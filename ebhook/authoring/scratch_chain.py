"""Throw-away databases, and a chain at work on one: for what writes and proves revisions.

Everything here runs in a process of its own, or at the end of one: the application is imported, its
folder is the working directory, and whichever MySQL engine it makes leads to the scratch database.
A developer's own database is never reached, and need not be there.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import Any

import sqlalchemy as sa

from ebhook.chain.graph import Chain
from ebhook.database.connection import Connection, connect, run
from ebhook.database.url import Url
from ebhook.holder import Holder
from ebhook.journal.table import Journal
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.alembic_run import AlembicRun
from ebhook.upgrade.failure import FailureReport
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project, load_project
from ebhook.upgrade.statement_listener import StatementListener
from ebhook.upgrade.statement_runner import Runner

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


def migrate(
    project: Project,
    tenant: Tenant,
    connection: Connection,
    target: str | None,
    *,
    downgrade: bool = False,
    only: str | None = None,
) -> None:
    """Brings a scratch database to `target` as an upgrade would, but for the lock and the deadline.

    With `only`, that one revision runs, wherever the database stands.

    Raises:
        MigrationFailed, ChainBroken, …: as `ebhook upgrade` would.
    """
    journal = Journal(connection, tenant.name, tenant.database, project.settings.journal.table)
    journal.make()
    run(connection, "SET SESSION lock_wait_timeout = %s", project.settings.ddl.lock_wait_timeout)
    runner = Runner(
        connection,
        tenant.name,
        project.settings.ddl,
        # Whoever has a lock here is the migration itself, on another connection.
        deadline=time.monotonic() + _PATIENCE,
        emit=_ignore,
    )
    holder = Holder("scratch", os.getpid(), None, None, "scratch", "scratch")
    listener = StatementListener(connection, tenant.name, journal, holder, runner)
    plan = RevisionPlan(target, downgrade, only)
    AlembicRun(
        project,
        tenant,
        plan,
        listener,
        FailureReport(project, tenant, plan, listener, _never),
        deadline=math.inf,
        emit=_ignore,
        stop=_never,
    ).run()


def connect_to(tenant: Tenant, settings: Settings) -> Connection:
    return connect(tenant.url, database=tenant.database, timeout=settings.connect_timeout)


def _ignore(event: object) -> None:
    pass


def _never() -> bool:
    return False
