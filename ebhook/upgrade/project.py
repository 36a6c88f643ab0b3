"""A migrations folder, loaded once: Alembic's view of it, its version files, its application.

env.py is the application's own and runs unmodified. Only `context.configure` is taken from it: the engine
whose connection it gives is handed the locked one. Alembic's ``op`` and ``context`` are module globals: never run
two of these in threads.
"""

from __future__ import annotations

import contextlib
import io
import logging
import logging.config  # nearly every env.py wants it: once for all workers
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from ebhook.aws.deployed import flask_app_of
from ebhook.chain.graph import Chain
from ebhook.database.connection import errno, text_of
from ebhook.database.url import Url
from ebhook.errors import ChainBroken, EbhookError, Refused, SettingsFailed
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings
from ebhook.upgrade.alembic_config import alembic_config
from ebhook.upgrade.app_listeners import listeners
from ebhook.upgrade.engine_handover import EngineRehearsal, EnvRehearsal
from ebhook.upgrade.stock_env import is_stock
from ebhook.upgrade.version_scripts import import_all, show_chain

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


class ConnectionSource(Protocol):
    """Says on which connection env.py runs."""

    def watching(self) -> contextlib.AbstractContextManager[None]:
        """Around the whole run of env.py."""

    def take(self, given: sa.Connection | None) -> sa.Connection:
        """The connection for ``context.configure`` in place of the one that env.py gives."""


class _RehearsalOver(BaseException):
    """Internal: env.py asks the database, which a rehearsal does not."""


@dataclass
class Project:
    """What is loaded once and used for many tenants, each in a process of its own."""

    settings: Settings
    chain: Chain
    config: Config
    script: ScriptDirectory
    app: Any = None
    rehearsal: EnvRehearsal | None = None  # None: env.py has not been rehearsed
    app_listens: bool = False  # the application listens to events of SQLAlchemy

    @property
    def env_py(self) -> Path:
        return self.settings.folder / "env.py"

    def run(
        self,
        source: ConnectionSource,
        url: Url,
        *,
        target: str | None,
        steps: Callable[[Any, MigrationContext], Iterable[Any]],
        on_version_apply: Callable[..., None],
        opened: Callable[[sa.Connection], None] = lambda _: None,
    ) -> None:
        """Runs env.py on a connection of `source`; Alembic asks `steps` which revisions to run, one by
        one. `opened` is called with the connection before that."""

        def configure(environment: EnvironmentContext, given: Any, options: dict[str, Any]) -> None:
            locked = source.take(given)
            opened(locked)
            theirs = options.pop("on_version_apply", None) or []
            hooks = list(theirs) if isinstance(theirs, (list, tuple, set)) else [theirs]
            options["on_version_apply"] = [*hooks, on_version_apply]
            options["transaction_per_migration"] = True
            EnvironmentContext.configure(environment, connection=locked, **options)

        with source.watching():
            self._with_env(url, configure, fn=steps, destination_rev=target or "base")

    def rehearse(self, url: Url) -> EnvRehearsal:
        """Runs env.py once without running a revision: what it does wrong shows before any tenant
        is touched. A database that it cannot reach is not its fault, and shows later.

        Raises:
            ChainBroken: env.py raises, configures no database, or several.
            SettingsFailed: it keeps its revision in another table than `version_table` says.
        """

        found: list[EnvRehearsal] = []
        engines = EngineRehearsal(str(self.env_py))

        def configure(environment: EnvironmentContext, given: Any, options: dict[str, Any]) -> None:
            found.append(engines.take(given))
            options |= {
                "dialect_name": "mysql",
                "on_version_apply": None,
                "output_buffer": io.StringIO(),
            }
            EnvironmentContext.configure(environment, **options)

        def nothing(*_: Any, **__: Any) -> None:
            pass

        def enough(*_: Any) -> NoReturn:
            raise _RehearsalOver

        if not self.settings.env_py:
            return EnvRehearsal()
        try:
            with engines.watching():
                self._with_env(
                    url,
                    configure,
                    replaced={
                        "begin_transaction": contextlib.nullcontext,
                        "run_migrations": nothing,
                        "is_offline_mode": lambda: False,
                        # What it asks of the database from here on, it asks in the run.
                        "get_bind": enough,
                        "get_context": enough,
                        "execute": nothing,
                    },
                    as_sql=True,
                    destination_rev=self.chain.head or "base",
                    starting_rev=None,
                    tag=None,
                )
        except _RehearsalOver:
            pass
        except EbhookError:
            raise
        except Exception as error:  # whatever env.py raises
            # A login of its own that fails may be one too many (1040, 1203, 1226): that passes.
            if not errno(error) and not isinstance(error, OSError):
                raise self.env_failed(error) from None
        try:
            import_all(self.script)  # after env.py, as Alembic does
        except Exception as error:
            raise unloadable(self.settings, error) from None
        return found[0] if found else EnvRehearsal()

    def env_failed(self, error: BaseException) -> EbhookError:
        """What env.py raised, as one of ours."""
        if isinstance(error, UnicodeEncodeError):
            return Refused(
                f"{self.env_py} makes a connection of its own, which cannot send this password: as "
                "text it goes out in Latin-1.",
                "No revision was run.",
                "Choose a password of Latin-1 characters, or set env_py = false.",
            )
        return ChainBroken(
            f"{self.env_py} failed: {self.where(error)}",
            "No revision was run.",
            then(
                "Mend it; or, where it is made for a command of the application, set env_py = false. Then: ",
                ebhook("upgrade"),
            ),
        )

    def where(self, error: BaseException) -> str:
        """``Boom (versions/7f3a_x.py, line 12)``."""
        return where(error, self.settings.folder)

    def line_of(self, error: BaseException) -> str:
        """``versions/7f3a_x.py, line 12``; empty when it is not from this folder."""
        return line_of(error, self.settings.folder)

    def _with_env(
        self,
        url: Url,
        configure: Callable[[EnvironmentContext, Any, dict[str, Any]], None],
        *,
        replaced: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        # An env.py that makes an engine from alembic.ini's URL makes it for this tenant.
        text = url.for_sqlalchemy().render_as_string(hide_password=False)
        self.config.set_main_option("sqlalchemy.url", text.replace("%", "%%"))
        environment = EnvironmentContext(self.config, self.script, **options)
        configured: list[Any] = []

        def take(connection: Any = None, **theirs: Any) -> None:
            configured.append(theirs)
            if len(configured) > 1:
                raise self._several()
            self._check(theirs, url.database)
            for name in ("url", "dialect_name", "dialect_opts", "as_sql"):
                theirs.pop(name, None)
            configure(environment, connection, theirs)

        # On the instance: what a subclass overrides, Alembic's module proxies do not see.
        vars(environment).update(configure=take, **(replaced or {}))
        with self._in_context(), _opened_when_used(), environment:
            if self.settings.env_py:
                self.script.run_env()
            else:
                take(version_table=self.settings.version_table)
                with environment.begin_transaction():
                    environment.run_migrations()
        if not configured:
            raise ChainBroken(
                f"{self.env_py} did not call context.configure.",
                "No revision was run.",
                "Mend env.py, or set env_py = false in ebhook.toml to run without it.",
            )

    def _in_context(self) -> contextlib.AbstractContextManager[Any]:
        if self.app is None:
            return contextlib.nullcontext()
        context: contextlib.AbstractContextManager[Any] = self.app.app_context()
        return context

    def _several(self) -> ChainBroken:
        return ChainBroken(
            f"{self.env_py} calls context.configure more than once (a multi-database template?).",
            "No revision was run.",
            "One tenant is one database: use a single-database env.py, or set env_py = false.",
        )

    def _check(self, options: dict[str, Any], database: str | None) -> None:
        table = options.get("version_table", "alembic_version")
        if table != self.settings.version_table:
            raise SettingsFailed(
                f"{self.env_py} keeps its revision in {table!r}, and the setting version_table "
                f"says {self.settings.version_table!r}.",
                "No revision was run.",
                f'Set version_table = "{table}" in ebhook.toml (EBHOOK_VERSION_TABLE)',
            )
        elsewhere = options.get("version_table_schema")
        if elsewhere and elsewhere != database:
            raise ChainBroken(
                f"{self.env_py} keeps its revision in another database "
                f"({options['version_table_schema']!r}).",
                "No revision was run.",
                "Each tenant keeps its own: remove version_table_schema from env.py.",
            )


def load_project(settings: Settings, chain: Chain) -> Project:
    """Loads Alembic's view of the folder, and the Flask application.

    The version files are imported where that cannot differ from what it is after env.py has run.

    Raises:
        SettingsFailed: the Flask application cannot be loaded.
        ChainBroken: Alembic cannot load the folder or one of its files.
    """
    # Our own events say it; env.py's logging set-up would say it once more.
    logging.getLogger("alembic.runtime.migration").addFilter(lambda r: r.levelno > logging.INFO)
    with listeners() as heard:
        app = _load_app(settings) if _wants_flask(settings) else None
    try:
        config = alembic_config(settings, app)
        script = ScriptDirectory.from_config(config)
        show_chain(script, chain)
        if not settings.env_py or is_stock(settings.folder / "env.py"):
            import_all(script)  # nothing that env.py does first could matter: once for all workers
    except Exception as error:  # whatever a version file raises when it is imported
        raise unloadable(settings, error) from None
    return project_of(settings, chain, config, script, app, app_listens=bool(heard))


def project_of(
    settings: Settings,
    chain: Chain,
    config: Config,
    script: ScriptDirectory,
    app: Any = None,
    *,
    app_listens: bool = False,
) -> Project:
    """A project whose revisions issue the same statements in each process, in the same order.

    Args:
        script: has the revisions of `chain` (`show_chain`).
    """
    # op.create_table makes the indexes of its table in the order of a set, another one in each
    # process: a revision that is resumed must issue the same statements again.
    if not sa.event.contains(sa.Table, "before_create", _sort_indexes):
        sa.event.listen(sa.Table, "before_create", _sort_indexes)
    return Project(settings, chain, config, script, app, app_listens=app_listens)


def unloadable(settings: Settings, error: BaseException) -> ChainBroken:
    """The error for a folder, or a version file, that raises when it is imported."""
    return ChainBroken(
        f"{settings.folder} cannot be loaded: {where(error, settings.folder)}",
        "No database was touched.",
        then("Mend the file, then: ", ebhook("history")),
    )


class _Unopened(sa.Connection):
    """A connection that is opened when it is first used.

    Nearly every env.py connects, hands its connection to ``context.configure``, and does no more
    with it. That one is replaced: a login for nothing, for each tenant, and often to another
    database than the tenant's.
    """

    def __init__(self, engine: sa.Engine, *arguments: Any, **options: Any) -> None:
        given = (engine, *arguments), options
        vars(self).update(_unopened=given, engine=engine, dialect=engine.dialect)

    def __getattr__(self, name: str) -> Any:
        if "_unopened" not in vars(self):
            raise AttributeError(name)
        arguments, options = vars(self).pop("_unopened")
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            vars(self)["_unopened"] = arguments, options
            raise
        return getattr(self, name)

    def close(self) -> None:
        if vars(self).pop("_unopened", None) is None:
            super().close()


@contextlib.contextmanager
def _opened_when_used() -> Iterator[None]:
    """Whatever connects by SQLAlchemy in the block gets an `_Unopened` connection."""
    before = sa.Engine._connection_cls
    sa.Engine._connection_cls = _Unopened
    try:
        yield
    finally:
        sa.Engine._connection_cls = before


def _sort_indexes(target: Any, connection: Any, **_: Any) -> None:
    target.indexes = sorted(target.indexes, key=lambda index: str(index.name))


def where(error: BaseException, folder: Path) -> str:
    """``Boom (versions/7f3a_x.py, line 12)``: the error and the deepest line in `folder`."""
    words = text_of(error) if errno(error) else f"{type(error).__name__}: {error}"
    if isinstance(error, CommandError):
        words = str(error)
    place = line_of(error, folder)
    first = words.splitlines()[0] if words else type(error).__name__
    return f"{first} ({place})" if place else first


def line_of(error: BaseException, folder: Path) -> str:
    """``versions/7f3a_x.py, line 12``: the deepest line in `folder`; empty when it is not from there."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path.startswith(str(folder)):
            place = f"{Path(path).relative_to(folder)}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _wants_flask(settings: Settings) -> bool:
    if not settings.env_py or settings.flask_app:
        return settings.env_py
    try:
        text = (settings.folder / "env.py").read_text("utf-8", "replace")
    except OSError:
        return False
    return re.search(r"^\s*(from|import) flask\b", text, re.M) is not None


def _load_app(settings: Settings) -> Any:
    """The Flask application, as ``flask`` itself finds it."""
    try:
        from flask.cli import ScriptInfo

        named_app = settings.flask_app or flask_app_of(settings.root)
        return ScriptInfo(app_import_path=named_app).load_app()
    except Exception as error:  # whatever the application raises when it is imported
        named = "A Flask application (env.py asks for one; flask_app is not set)"
        if settings.flask_app:
            named = f"The Flask application {settings.flask_app!r}"
        raise SettingsFailed(
            f"{named} cannot be loaded: {where(error, settings.root)}",
            "No database was touched.",
            "Set flask_app (EBHOOK_FLASK_APP or FLASK_APP), or env_py = false to run without env.py",
        ) from None
