"""One tenant: check, lock, check again, revision by revision, release.

Alembic runs the application's own env.py, unmodified. Whatever connection env.py gives to
``context.configure`` is replaced by the locked one, so the only database that can change is the one
whose lock we hold. Alembic's ``op`` and ``context`` are module globals: never run this in threads.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.ddl.base import AddColumn
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from pymysql.err import MySQLError

from ebhook.chain import Chain, ini_file, version_folders
from ebhook.database import (
    DENIED,
    LOST,
    READ_ONLY,
    Connection,
    Errno,
    Tenant,
    connect_patiently,
    errno,
    explain,
    run,
    text_of,
    versions,
)
from ebhook.errors import (
    ChainBroken,
    ConnectionLost,
    EbhookError,
    MigrationFailed,
    SettingsFailed,
    Stopped,
)
from ebhook.events import Emit, RevisionDone, RevisionStarted
from ebhook.lock import TenantLock
from ebhook.orders import Moved, Order
from ebhook.settings import Settings
from ebhook.statements import Runner, is_ddl
from ebhook.survey import unknown_revision

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExecutionContext


@dataclass
class Project:
    """A migrations folder, loaded once and used for many tenants (each in a process of its own)."""

    settings: Settings
    chain: Chain
    config: Config
    script: ScriptDirectory
    app: Any = None

    def in_context(self) -> contextlib.AbstractContextManager[Any]:
        """The Flask application's context, when there is an application."""
        if self.app is None:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[Any] = self.app.app_context()
        return context


def load_project(settings: Settings, chain: Chain) -> Project:
    """Loads Alembic's view of the folder, every version module, and the Flask application.

    Raises:
        SettingsFailed: the Flask application cannot be loaded.
        ChainBroken: Alembic cannot load the folder or one of its files.
    """
    app = _load_app(settings) if _wants_flask(settings) else None
    try:
        config = _config(settings, app)
        script = ScriptDirectory.from_config(config)
        for _ in script.walk_revisions():
            pass
    except Exception as error:  # whatever a version file raises when it is imported
        raise ChainBroken(
            f"{settings.folder} cannot be loaded: {_where(error, settings.folder)}",
            "No database was touched.",
            "Mend the file, then: ebhook history",
        ) from None
    return Project(settings, chain, config, script, app)


def apply(project: Project, order: Order, emit: Emit, stop: Callable[[], bool]) -> Moved:
    """Brings one tenant to `order.target` and says where it stood and stands.

    Args:
        stop: asked before each revision; when true, no further revision begins.

    Raises:
        LockHeld, Unreachable, Refused, MigrationFailed, RevisionUnknown, ConnectionLost, Stopped.
    """
    tenant = order.tenant
    connection = connect_patiently(
        tenant.url,
        database=tenant.database,
        timeout=project.settings.connect_timeout,
        deadline=order.deadline,
    )
    try:
        _prepare(connection, project.settings, read_only=order.dry_run)
        return _Session(project, order, connection, emit, stop).bring()
    except MySQLError as error:
        raise explain(error, tenant.url, tenant.database) from None
    finally:
        connection.close()


def _prepare(connection: Connection, settings: Settings, *, read_only: bool) -> None:
    """The session's limits: a waiting ALTER must not queue the application behind it for long, and
    a session behind a cut network must not keep its lock for eight hours."""
    seconds = settings.ddl.lock_wait_timeout
    run(
        connection,
        "SET SESSION lock_wait_timeout = %s, innodb_lock_wait_timeout = %s, wait_timeout = %s",
        seconds,
        seconds,
        settings.ddl.wait_timeout,
    )
    if read_only:
        run(connection, "SET SESSION TRANSACTION READ ONLY")


@dataclass
class _Session:
    """One tenant's upgrade on one connection."""

    project: Project
    order: Order
    connection: Connection
    emit: Emit
    stop: Callable[[], bool]
    configured: int = 0
    longest: float = 0.0  # seconds of the slowest revision so far
    running: str | None = None  # the revision under way
    position: int = 0  # DDL statements of it that are in
    cut_short: bool = False  # no further revision was begun: a signal, or the deadline
    statements: list[str] = field(default_factory=list)

    @property
    def tenant(self) -> Tenant:
        return self.order.tenant

    def bring(self) -> Moved:
        before = self.read()
        if self.done(before):
            return Moved(before, before)
        self.check_known(before)
        settings = self.project.settings
        if self.order.dry_run:
            self.migrate(before)
            return Moved(before, before, tuple(self.statements))
        lock = TenantLock(
            self.connection, self.tenant.name, settings.lock.table, named=settings.lock.named
        )
        wait = self.order.wait
        with lock.held(
            self.order.holder, wait=wait, emit=self.emit, done=self.done_by_another
        ) as taken:
            now = self.read()
            if not taken or self.done(now):
                return Moved(now, now)  # somebody else did it meanwhile
            self.check_known(now)
            self.migrate(now)
            after = self.read()
        if not self.done(after):
            if self.cut_short:
                raise self.stopped(after)
            raise MigrationFailed(
                f"{self.tenant.name}: every revision ran, but the database says {_names(after)}.",
                "That is not where they lead.",
                "Does env.py use another version table or database? See: ebhook config",
            )
        return Moved(before, after)

    def read(self) -> tuple[str, ...]:
        return versions(self.connection, self.tenant.database, self.project.settings.version_table)

    def done(self, at: tuple[str, ...]) -> bool:
        target = self.order.target
        if self.order.downgrade:
            return at == ((target,) if target else ())
        return self.project.chain.knows(at) and not self.project.chain.missing(at, target)

    def done_by_another(self) -> bool:
        """Asked while waiting for the lock: is there anything left to wait for?"""
        if self.stop():
            raise self.stopped(self.read())
        return self.done(self.read())

    def too_late(self) -> bool:
        """Would another revision, if it takes as long as the slowest yet, end after the deadline?"""
        return time.monotonic() + self.longest >= self.order.deadline

    def stopped(self, at: tuple[str, ...]) -> Stopped:
        why = "the deadline is too near for another revision" if self.too_late() else "stopped"
        return Stopped(
            f"{self.tenant.name}: {why}.",
            f"It stands at {_names(at)}, with no revision half done.",
            f"Go on with: ebhook upgrade {self.tenant.name}",
        )

    def check_known(self, at: tuple[str, ...]) -> None:
        if not self.project.chain.knows(at):
            raise unknown_revision(self.tenant, at)

    def migrate(self, at: tuple[str, ...]) -> None:
        """Runs env.py, which runs the revisions, on the locked connection alone."""
        engine = sa.create_engine(
            "mysql+pymysql://", creator=self.hand_out_once(), poolclass=sa.pool.StaticPool
        )
        sa.event.listen(engine, "do_execute", self.do_execute)
        sa.event.listen(
            engine, "do_execute_no_params", lambda c, s, x: self.do_execute(c, s, None, x)
        )
        # Our own events say it; env.py's logging set-up would say it once more.
        logging.getLogger("alembic.runtime.migration").addFilter(
            lambda record: record.levelno > logging.INFO
        )
        with engine.connect() as locked, self.project.in_context():
            try:
                self.run_env(locked)
            except EbhookError:
                raise
            except Exception as error:  # whatever env.py or a migration raises
                raise self.failure(error, at) from None

    def hand_out_once(self) -> Callable[[], Connection]:
        """A creator that never opens a second connection: SQLAlchemy would re-connect silently
        after a loss, and go on without the lock."""
        given = iter([self.connection])

        def creator() -> Connection:
            try:
                return next(given)
            except StopIteration:
                raise ConnectionLost(
                    f"{self.tenant.name}: the connection with the lock was lost.", "", ""
                ) from None

        return creator

    def run_env(self, locked: sa.Connection) -> None:
        # An env.py that makes an engine from alembic.ini's URL makes it for this tenant.
        url = self.tenant.url.reveal().replace("%", "%%")
        self.project.config.set_main_option("sqlalchemy.url", url)
        environment = EnvironmentContext(
            self.project.config,
            self.project.script,
            fn=self.steps,
            as_sql=False,
            destination_rev=self.order.target or "base",
        )
        configure = environment.configure

        def configure_locked(connection: Any = None, **options: Any) -> None:
            self.configured += 1
            self.check_env(options)
            for name in ("url", "dialect_name", "dialect_opts", "as_sql"):
                options.pop(name, None)
            theirs = options.pop("on_version_apply", None)
            hooks = (
                list(theirs) if isinstance(theirs, (list, tuple)) else [theirs] if theirs else []
            )
            options["on_version_apply"] = [*hooks, self.on_version_apply]
            options["transaction_per_migration"] = True
            if self.order.dry_run:
                locked.dialect.supports_sane_rowcount = False
            configure(connection=locked, **options)

        environment.configure = configure_locked  # type: ignore[method-assign, assignment]
        with environment:
            if self.project.settings.env_py:
                self.project.script.run_env()
            else:
                environment.configure(connection=locked)
                with environment.begin_transaction():
                    environment.run_migrations()
        if not self.configured:
            raise ChainBroken(
                f"{self.project.settings.folder / 'env.py'} did not call context.configure.",
                f"{self.tenant.name} was not changed.",
                "Mend env.py, or set env_py = false in ebhook.toml to run without it.",
            )

    def check_env(self, options: dict[str, Any]) -> None:
        env_py = self.project.settings.folder / "env.py"
        if self.configured > 1:
            raise ChainBroken(
                f"{env_py} calls context.configure more than once (a multi-database template?).",
                f"{self.tenant.name} stands where the first call left it.",
                "One tenant is one database: use a single-database env.py, or set env_py = false.",
            )
        table = options.get("version_table", "alembic_version")
        if self.project.settings.env_py and table != self.project.settings.version_table:
            raise SettingsFailed(
                f"{env_py} keeps its revision in {table!r}, and the setting version_table says "
                f"{self.project.settings.version_table!r}.",
                next=f'Set version_table = "{table}" in ebhook.toml (EBHOOK_VERSION_TABLE)',
            )
        if not self.project.settings.env_py:
            options["version_table"] = self.project.settings.version_table
        if options.get("version_table_schema"):
            raise ChainBroken(
                f"{env_py} keeps its revision in another database "
                f"({options['version_table_schema']!r}).",
                next="Each tenant keeps its own: remove version_table_schema from env.py.",
            )

    def steps(self, heads: Any, context: Any) -> Iterator[Any]:
        """Alembic's own plan, one revision at a time, ending early when asked to."""
        script, target = self.project.script, self.order.target or "base"
        plan = (
            script._downgrade_revs(target, heads)
            if self.order.downgrade
            else script._upgrade_revs(target, heads)
        )
        for number, step in enumerate(plan, start=1):
            self.running = None
            self.cut_short = self.stop() or self.too_late()
            if self.cut_short:
                return
            revision = step.revision
            self.running = revision.revision
            began = time.monotonic()
            self.emit(
                RevisionStarted(
                    self.tenant.name, revision.revision, _title(revision.doc), number, len(plan)
                )
            )
            self.position = 0
            yield step
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            self.emit(RevisionDone(self.tenant.name, revision.revision, took))
        self.running = None

    def on_version_apply(self, **kw: Any) -> None:
        """Called by Alembic in the transaction that moves the version."""

    def do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: ExecutionContext | None
    ) -> bool:
        """SQLAlchemy's hook in place of the driver's execute; True: it has been done."""
        if self.order.dry_run:
            if re.match(r"\s*(SELECT|SHOW|DESCRIBE|EXPLAIN)\b", statement, re.I):
                return False
            self.statements.append(cursor.mogrify(statement, parameters or None))
            cursor.execute("DO 0")
            return True
        compiled = getattr(context, "compiled", None)
        runner = Runner(
            self.connection,
            self.tenant.name,
            self.project.settings.ddl,
            self.order.deadline,
            self.emit,
        )
        runner.run(
            lambda sql: cursor.execute(sql, parameters or None),
            statement,
            adds_column=isinstance(getattr(compiled, "statement", None), AddColumn),
        )
        self.position += is_ddl(statement)
        return True

    def failure(self, error: Exception, before: tuple[str, ...]) -> EbhookError:
        """What a migration or env.py raised, as one of ours."""
        name = self.tenant.name
        if errno(error) in LOST:
            return ConnectionLost(
                f"{name}: the connection with the lock was lost: {text_of(error)}.", "", ""
            )
        if errno(error) in (READ_ONLY | DENIED):
            original = getattr(error, "orig", None) or error
            return explain(original, self.tenant.url, self.tenant.database)
        with contextlib.suppress(MySQLError):
            self.connection.rollback()
        if self.running is None:
            env_py = self.project.settings.folder / "env.py"
            return ChainBroken(
                f"{env_py} failed: {_where(error, self.project.settings.folder)}",
                f"{name} was not changed.",
                f"Mend it, then: ebhook upgrade {name}",
            )
        try:
            at = _names(self.read())
        except MySQLError:
            at = _names(before)
        advice = f"Fix {self.running}, then: ebhook upgrade {name}"
        if errno(error) in (Errno.ALTER_NOT_SUPPORTED, Errno.ALTER_NOT_SUPPORTED_REASON):
            advice = (
                "It needs a table copy, which blocks writes. To allow that: [ddl] algorithm = "
                f'"copy" (EBHOOK_DDL_ALGORITHM), then: ebhook upgrade {name}'
            )
        return MigrationFailed(
            f"{name}: revision {self.running} failed: {_where(error, self.project.settings.folder)}.",
            f"It stands at {at}"
            + (
                f" plus {_count(self.position, 'statement')} of {self.running}."
                if self.position
                else "."
            ),
            advice,
        )


def _wants_flask(settings: Settings) -> bool:
    if not settings.env_py:
        return False
    if settings.flask_app:
        return True
    try:
        text = (settings.folder / "env.py").read_text("utf-8", "replace")
    except OSError:
        return False
    return re.search(r"^\s*(from|import) flask\b", text, re.M) is not None


def _load_app(settings: Settings) -> Any:
    """The Flask application, as ``flask`` itself finds it."""
    try:
        from flask.cli import ScriptInfo

        return ScriptInfo(app_import_path=settings.flask_app).load_app()
    except Exception as error:  # whatever the application raises when it is imported
        named = (
            f"The Flask application {settings.flask_app!r}"
            if settings.flask_app
            else ("A Flask application (env.py asks for one; flask_app is not set)")
        )
        raise SettingsFailed(
            f"{named} cannot be loaded: {_where(error, settings.root)}",
            "No database was touched.",
            "Set flask_app (EBHOOK_FLASK_APP or FLASK_APP), or env_py = false to run without env.py",
        ) from None


def _config(settings: Settings, app: Any) -> Config:
    """Alembic's Config, as the application's own tools would make it."""
    migrate = app.extensions.get("migrate") if app is not None else None
    if migrate is not None:
        with app.app_context():
            config: Config = migrate.migrate.get_config(str(settings.folder))
    else:
        ini = ini_file(settings.folder)
        config = Config(str(ini) if ini else None)
    config.set_main_option("script_location", str(settings.folder).replace("%", "%%"))
    places = [str(place) for place in version_folders(settings.folder)]
    for option in ("path_separator", "version_path_separator"):  # the latter before Alembic 1.16
        config.set_main_option(option, "newline")
    config.set_main_option("version_locations", "\n".join(places).replace("%", "%%"))
    return config


def _where(error: BaseException, folder: Path) -> str:
    """``Boom (versions/7f3a_x.py, line 12)``: the error and the deepest line in `folder`."""
    words = text_of(error) if errno(error) else f"{type(error).__name__}: {error}"
    if isinstance(error, CommandError):
        words = str(error)
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(str(folder)):
            place = f" ({Path(path).relative_to(folder)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{words.splitlines()[0] if words else type(error).__name__}{place}"


def _title(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]


def _names(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "base"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
