"""Alembic's own upgrade, downgrade and stamp: taken over inside env.py, and run as ebhook runs them.

``flask db upgrade`` and ``alembic upgrade`` go past the lock and the journal. Both run env.py, and env.py
calls ``context.configure(connection=…)``, which tells the database. There ebhook brings that database to where
the command would, on a connection of its own: with the tenant's lock, a freeze respected, and every
statement in the journal. What Alembic does after that finds nothing left to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError

from ebhook.aws.deployed import identify
from ebhook.chain.folder import read_chain
from ebhook.chain.graph import Chain
from ebhook.database.connection import quoted, run, versions
from ebhook.database.url import Url, UrlInvalid, parse_url
from ebhook.errors import EbhookError, SettingsFailed, UsageFailed
from ebhook.events import Emit
from ebhook.fleet.tenant_database import open_tenant
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.engine_handover import GivenConnection
from ebhook.upgrade.messages import Order
from ebhook.upgrade.project import Project, project_of
from ebhook.upgrade.tenant_upgrade import apply
from ebhook.upgrade.version_scripts import show_chain

# What Alembic's commands call the function that gives their steps (alembic.command).
_UPGRADE, _DOWNGRADE, _STAMP = "upgrade", "downgrade", "do_stamp"


def is_taken(environment: EnvironmentContext) -> bool:
    """Is this ebhook's own run of env.py? It replaces `configure` on the instance."""
    return "configure" in vars(environment)


def check_folder(environment: EnvironmentContext, settings: Settings, program: str) -> None:
    """Raises `UsageFailed` where Alembic works in another folder than the settings say: two folders
    would be two chains."""
    folder = Path(environment.script.dir)
    if folder.resolve() != settings.folder.resolve():
        raise UsageFailed(
            f"{program} works in {folder.resolve()}, and ebhook's setting migrations says "
            f"{settings.folder}.",
            "Nothing was changed.",
            f'Set migrations = "{folder}" in ebhook.toml (EBHOOK_MIGRATIONS)',
        )


@contextmanager
def as_command_errors() -> Iterator[None]:
    """ebhook's errors as Alembic's, which Alembic and Flask-Migrate show without a traceback."""
    try:
        yield
    except EbhookError as error:
        raise CommandError(str(error)) from None


def take_over(
    environment: EnvironmentContext,
    connection: sa.Connection | None,
    settings: Settings,
    emit: Emit,
    *,
    program: str,
) -> None:
    """Does what the command that runs `environment` is for. Returns at once where that changes nothing
    in a MySQL database (current, check, revision, --sql).

    Args:
        connection: what env.py gives to ``context.configure``: it tells where and as whom.
        emit: told of waiting, and of each revision.
        program: ``flask db`` or ``alembic``: the command, for the lock's row and the journal.

    Raises:
        EbhookError: as `ebhook.upgrade.tenant_upgrade.apply`; `LockHeld` for a freeze.
    """
    steps = environment.context_opts.get("fn")
    kind = getattr(steps, "__name__", "")
    if connection is None or steps is None or environment.context_opts.get("as_sql"):
        return
    mysql = connection.dialect.name in ("mysql", "mariadb")
    if not mysql or kind not in (_UPGRADE, _DOWNGRADE, _STAMP):
        return
    check_folder(environment, settings, program)
    tenant = _tenant_of(connection.engine.url)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    show_chain(environment.script, chain)
    project = project_of(settings, chain, environment.config, environment.script)
    with _set_aside(environment, connection.engine):
        if kind == _STAMP:
            purge = bool(environment.context_opts.get("purge"))
            _stamp(project, tenant, steps, emit, f"{program} stamp", purge=purge)
        else:
            downgrade = kind == _DOWNGRADE
            _migrate(project, tenant, steps, emit, f"{program} {kind}", downgrade=downgrade)
    environment.context_opts["fn"] = lambda heads, context: []


def _migrate(
    project: Project,
    tenant: Tenant,
    steps: Callable[[Any, Any], Any],
    emit: Emit,
    command: str,
    *,
    downgrade: bool,
) -> None:
    settings, chain = project.settings, project.chain
    with open_tenant(tenant, settings) as database:
        at = versions(database.connection, tenant.database, settings.version_table)
    plan = [step.revision for step in steps(at, None)]
    if not plan:
        return
    target = _target(chain, at, [revision.revision for revision in plan], downgrade=downgrade)
    if downgrade:
        chain.check_downgrade(at, target, tenant.name)
    order = Order(
        tenant=tenant,
        target=target,
        downgrade=downgrade,
        holder=identify(command, settings),
        wait=settings.lock.wait,
        deadline=math.inf,  # a person waits for it, and no deployment
    )
    apply(project, order, emit, stop=lambda: False)


def _target(chain: Chain, at: tuple[str, ...], plan: list[str], *, downgrade: bool) -> str | None:
    """Where Alembic's plan leads; of several parents, the one that it goes back to."""
    if not downgrade:
        return plan[-1]
    parents = chain.revisions[plan[-1]].parents
    left = chain.lineage(at) - set(plan)
    return next((parent for parent in parents if parent in left), None)


def _stamp(
    project: Project,
    tenant: Tenant,
    steps: Callable[[Any, Any], Any],
    emit: Emit,
    command: str,
    *,
    purge: bool,
) -> None:
    """Alembic moves the version, on the locked connection; the journal keeps who did."""
    settings = project.settings
    holder = identify(command, settings)
    with (
        open_tenant(tenant, settings) as database,
        database.lock.held(holder, wait=settings.lock.wait, emit=emit, done=lambda: False),
    ):
        before = versions(database.connection, tenant.database, settings.version_table)

        def check_lock(**_: Any) -> None:
            if not database.lock.is_ours():
                raise database.lock.split("The version was not moved.")

        engine = sa.create_engine(
            "mysql+pymysql://", creator=lambda: database.connection, poolclass=sa.pool.StaticPool
        )
        with engine.connect() as locked:
            if purge and before:
                table = f"{quoted(tenant.database)}.{quoted(settings.version_table)}"
                run(database.connection, f"DELETE FROM {table}")
            project.run(
                GivenConnection(locked),
                tenant.url,
                target=None,
                steps=steps,
                on_version_apply=check_lock,
            )
        after = versions(database.connection, tenant.database, settings.version_table)
        words = f"{', '.join(before) or 'base'} → {', '.join(after) or 'base'}"
        database.journal.note("stamped", holder, words)


def _tenant_of(url: sa.URL) -> Tenant:
    """The database that `url` leads to, under its own name."""
    if not url.database:
        raise SettingsFailed(
            "env.py gave Alembic a connection whose URL names no database.",
            next="Name it in the URL that env.py connects with.",
        )
    try:
        text = url.set(drivername="mysql+pymysql").render_as_string(hide_password=False)
        found: Url = parse_url(text)
    except UrlInvalid as error:
        raise SettingsFailed(
            f"The URL of env.py's connection {error}.",
            next=then("Mend the URL that env.py connects with; see: ", ebhook("config")),
        ) from None
    return Tenant(url.database, found)


@contextmanager
def _set_aside(environment: EnvironmentContext, engine: sa.Engine) -> Iterator[None]:
    """Alembic's ``context`` is a module global: it is free in the block, for ebhook's run of env.py.

    `engine` gets the locked connection there; afterwards it is as it was, with connections of its own.
    """
    url = engine.url
    environment.__exit__(None, None, None)
    try:
        yield
    finally:
        environment.__enter__()
        engine.dispose()
        engine.url = url
