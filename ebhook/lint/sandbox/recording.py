"""Runs a version file's upgrade() and downgrade() on a pretended server, and keeps what they did.

Nothing is reached while they run. Each statement is kept with the place in the version file that
made it, helper functions and loops included. The pretended server knows the schema that the chain
has made so far: reflection answers from it, and tables hold no rows.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ebhook.lint.sandbox import absent, bounds, guard
from ebhook.lint.sandbox.driver import SandboxConnection
from ebhook.lint.sandbox.tape import Event, Step, Tape
from ebhook.lint.schema.schema import Schema
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Source, Span
from ebhook.sql.tokens import THIS_DATABASE

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory


@dataclass(frozen=True)
class Failure:
    """What the function raised, and where in the version file. `absent`: a module that is not
    installed may be the cause."""

    error: BaseException
    spans: tuple[Span, ...]
    absent: bool = False

    def __str__(self) -> str:
        words = " ".join(str(self.error).split("(Background on this error")[0].split())
        return f"{type(self.error).__name__}: {words}" if words else type(self.error).__name__


@dataclass(frozen=True)
class RecordedRun:
    """What one function did. `missing`: there is no such function."""

    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    failure: Failure | None = None
    missing: bool = False
    after: Schema = field(default_factory=Schema)

    @property
    def complete(self) -> bool:
        """Was all of it seen: did it end, and ask for nothing that is not known here?"""
        unseen = {"read", "asked", "outside", "absent", "hidden", "unrun"}
        return self.failure is None and not any(event.kind in unseen for event in self.events)

    def of(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)


class SandboxRecorder:
    """Loads version files and records their functions; one for all revisions of a chain."""

    def __init__(
        self,
        folder: Path,
        ini: Path | None,
        root: Path,
        server: ServerVersion,
        *,
        seconds: float = 30.0,
    ) -> None:
        """
        Args:
            seconds: that each file may take to load, and each of its functions to run.
        """
        import sqlalchemy as sa
        import sqlalchemy.orm  # an application has it; some revisions say sa.orm
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        self.absent: set[str] = set()
        self._seconds = seconds
        self._config: Config = Config(str(ini) if ini else None)
        self._config.set_main_option("script_location", str(folder).replace("%", "%%"))
        self._script: ScriptDirectory = ScriptDirectory(str(folder))
        self._paths = [*_prepended(self._config, root), str(root)]
        self._tape = Tape(server)
        self._first = True
        self._engine = sa.create_engine(
            f"mysql+pymysql://lint@localhost/{THIS_DATABASE}",
            creator=self._connect,
            poolclass=sa.pool.NullPool,
        )
        with self._at_work(), self._engine.connect():
            pass  # the dialect learns the server's version
        dialect = self._engine.dialect
        dialect.supports_sane_rowcount = dialect.supports_sane_multi_rowcount = False
        dialect.insert_returning = dialect.use_insertmanyvalues = False

    def load(self, source: Source) -> ModuleType | Failure:
        """Runs a version file's top level."""
        path = str(source.path)
        code = compile(source.text, path, "exec", dont_inherit=True)
        self._tape.begin(source, Schema())

        def run_version_file() -> ModuleType:
            module = ModuleType(f"_ebhook_lint_{source.path.stem}")
            module.__file__ = path
            sys.modules[module.__name__] = module
            try:
                exec(code, module.__dict__)
            finally:
                sys.modules.pop(module.__name__, None)
            return module

        with self._at_work():
            loaded: ModuleType | Failure = self._with_stand_ins(run_version_file)
        return loaded

    def record(self, source: Source, module: ModuleType, name: str, schema: Schema) -> RecordedRun:
        """Runs the function `name` of a loaded file on a server that has `schema`."""
        function = getattr(module, name, None)
        if not callable(function):
            return RecordedRun(missing=True, after=schema)

        def run_version_file() -> None:
            self._tape.begin(source, schema)
            self._run(function)

        with self._at_work():
            failure = self._with_stand_ins(run_version_file)
        tape = self._tape
        return RecordedRun(
            tuple(tape.steps),
            tuple(tape.events),
            failure if isinstance(failure, Failure) else None,
            after=tape.schema,
        )

    def _run(self, function: Any) -> None:
        from alembic.operations import Operations
        from alembic.runtime.environment import EnvironmentContext

        self._first = True
        environment = EnvironmentContext(self._config, self._script)
        with environment, self._engine.connect() as connection:
            environment.configure(connection=connection, transaction_per_migration=True)
            context = environment.get_context()
            with Operations.context(context), context.begin_transaction(_per_migration=True):
                with _batches_noted(self._tape):
                    function(**_arguments(function))
                self._tape.over = True  # the commit that follows is Alembic's

    def _connect(self) -> SandboxConnection:
        own, self._first = not self._first, False
        if own:
            self._tape.note("outside", "opens a second connection")
        return SandboxConnection(self._tape, own=own)

    def _with_stand_ins(self, run: Any) -> Any:
        """Runs again with stand-ins for the modules that cannot be imported here."""
        while True:
            try:
                with absent.standing_in(self.absent, self._tape.called):
                    return run()
            except (Exception, SystemExit, guard.Outside, guard.Endless) as error:
                places = self._tape.places_in(error.__traceback__)
                if self._stand_in(places):
                    continue
                if isinstance(error, guard.Outside):
                    self._tape.events.append(Event("outside", str(error), places))
                return Failure(error, places, absent.involved(error))

    def _stand_in(self, places: tuple[Span, ...]) -> bool:
        """Is it an import of the version file that failed? Then its module is stood in for."""
        for module in self._tape.imported_at(places):
            parts = module.split(".")
            if parts[0] in ("alembic", "sqlalchemy"):
                continue
            # The module itself; and if that was not enough, the packages that it is in.
            for length in range(len(parts), 0, -1):
                name = ".".join(parts[:length])
                if name not in self.absent:
                    self.absent.add(name)
                    return True
        return False

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        paths, sys.path = sys.path, [*self._paths, *sys.path]
        try:
            with (
                guard.closed(),
                bounds.bounded(self._seconds),
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                yield
        finally:
            sys.path = paths


@contextlib.contextmanager
def _batches_noted(tape: Tape) -> Iterator[None]:
    """The operations of ``batch_alter_table`` run when its block ends; each keeps its own place."""
    from alembic.operations import batch

    class Noted(list[Any]):
        def __init__(self) -> None:
            super().__init__()
            self._places: list[tuple[Span, ...]] = []

        def append(self, operation: Any) -> None:
            self._places.append(tape.here())
            super().append(operation)

        def __iter__(self) -> Iterator[Any]:
            try:
                for operation, place in zip(super().__iter__(), self._places, strict=True):
                    tape.place = place
                    yield operation
            finally:
                tape.place = None

    original: Any = batch.BatchOperationsImpl

    class NotedBatch(original):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.batch = Noted()

    batch.BatchOperationsImpl = NotedBatch  # type: ignore[misc]
    try:
        yield
    finally:
        batch.BatchOperationsImpl = original  # type: ignore[misc]


def _arguments(function: Any) -> dict[str, Any]:
    """env.py may give arguments to upgrade(); here they are empty texts."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    positional = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        one.name: ""
        for one in parameters
        if one.kind in positional and one.default is inspect.Parameter.empty
    }


def _prepended(config: Config, root: Path) -> list[str]:
    """alembic.ini's prepend_sys_path, as Alembic splits it."""
    told = config.get_main_option("prepend_sys_path") or ""
    separator = config.get_main_option("path_separator") or ""
    marks = {"os": ":", "space": " ", "newline": "\n"}.get(separator, separator)
    parts = told.split(marks) if marks else re.split(r"[,: ]+", told)
    return [str(root / part.strip()) for part in parts if part.strip()]
