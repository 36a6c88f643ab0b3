"""Runs a version file's upgrade() and downgrade() on a pretended server, and keeps what they did.

Nothing is reached while they run. Each statement is kept with the place in the version file that
made it, helper functions and loops included. The pretended server knows the schema that the chain
has made so far: reflection answers from it, and tables hold no rows.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import itertools
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Literal

from ebhook.lint import absent, guard, show
from ebhook.lint.applying import apply
from ebhook.lint.changes import (
    Change,
    Opaque,
    Read,
    Session,
)
from ebhook.lint.dml import columns_of
from ebhook.lint.pretend import Answer, Connection
from ebhook.lint.reading import read
from ebhook.lint.schema import DATABASE, Schema
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Source, Span
from ebhook.lint.tokens import Unreadable

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

_MOST_STATEMENTS = 20_000
_HIDES = frozenset({"CALL", "EXECUTE"})
_LOGGING = re.compile(r"\b(log|logging|getLogger|debug|info|warn|warning)\b", re.I)


@dataclass(frozen=True, eq=False)
class Step:
    """One statement. `spans`: the calls in the version file that led to it, the innermost first.

    `rows`: how often it ran with other values. `unreadable`: why it could not be read.
    """

    sql: str
    spans: tuple[Span, ...]
    changes: tuple[Change, ...]
    before: Schema
    rows: int = 1
    own: bool = False
    unreadable: str | None = None


@dataclass(frozen=True)
class Event:
    """Something else that a migration did, at `spans`.

    read: it asked for rows. asked: it asked about the table `text`, which the chain has not made.
    looked: it asked about the schema, and the chain knows. commit: it committed. outside: it reached
    out. absent: it called `text`, which is not installed. hidden: it ran the statement `text`, and
    what that does is not written in it.
    """

    kind: Literal["read", "asked", "looked", "commit", "outside", "absent", "hidden"]
    text: str
    spans: tuple[Span, ...]


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
class Run:
    """What one function did. `missing`: there is no such function."""

    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    failure: Failure | None = None
    missing: bool = False
    after: Schema = field(default_factory=Schema)

    @property
    def complete(self) -> bool:
        """Was all of it seen: did it end, and ask for nothing that is not known here?"""
        unseen = {"read", "asked", "outside", "absent", "hidden"}
        return self.failure is None and not any(event.kind in unseen for event in self.events)

    def of(self, kind: str) -> Iterator[Event]:
        return (event for event in self.events if event.kind == kind)


class Recorder:
    """Loads version files and records their functions; one for all revisions of a chain."""

    def __init__(self, folder: Path, ini: Path | None, root: Path, server: ServerVersion) -> None:
        import sqlalchemy as sa
        import sqlalchemy.orm  # an application has it; some revisions say sa.orm
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        self.absent: set[str] = set()
        self._config: Config = Config(str(ini) if ini else None)
        self._config.set_main_option("script_location", str(folder).replace("%", "%%"))
        self._script: ScriptDirectory = ScriptDirectory(str(folder))
        self._paths = [*_prepended(self._config, root), str(root)]
        self._tape = _Tape(server)
        self._first = True
        self._engine = sa.create_engine(
            f"mysql+pymysql://lint@localhost/{DATABASE}",
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

    def record(self, source: Source, module: ModuleType, name: str, schema: Schema) -> Run:
        """Runs the function `name` of a loaded file on a server that has `schema`."""
        function = getattr(module, name, None)
        if not callable(function):
            return Run(missing=True, after=schema)

        def run_version_file() -> None:
            self._tape.begin(source, schema)
            self._run(function)

        with self._at_work():
            failure = self._with_stand_ins(run_version_file)
        tape = self._tape
        return Run(
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

    def _connect(self) -> Connection:
        own, self._first = not self._first, False
        if own:
            self._tape.note("outside", "opens a second connection")
        return Connection(self._tape, own=own)

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
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                yield
        finally:
            sys.path = paths


class _Tape:
    """What the pretended server heard, and its answers."""

    def __init__(self, server: ServerVersion) -> None:
        self._server = server
        self._path = ""
        self.begin(None, Schema())

    def begin(self, source: Source | None, schema: Schema) -> None:
        self._source = source
        self._path = str(source.path) if source is not None else ""
        self.schema = schema
        self.steps: list[Step] = []
        self.events: list[Event] = []
        self.place: tuple[Span, ...] | None = None
        self.over = False

    # What a driver's connection tells

    def statement(self, sql: str, *, rows: int, own: bool) -> Answer:
        place = self.place if self.place is not None else self.here()
        if len(self.steps) >= _MOST_STATEMENTS:
            raise guard.Endless(f"it runs more than {_MOST_STATEMENTS} statements")
        try:
            changes = read(sql, self.schema)
        except Unreadable as reason:
            self.steps.append(Step(sql, place, (), self.schema, rows, own, str(reason)))
            return Answer()
        if changes and all(isinstance(change, Read) for change in changes):
            return self._answer(sql, place)
        if not place and all(isinstance(change, Session) for change in changes):
            return Answer()  # SQLAlchemy greets the server
        self.steps.append(Step(sql, place, changes, self.schema, rows, own))
        if place and any(isinstance(one, Opaque) and one.verb in _HIDES for one in changes):
            self.events.append(Event("hidden", " ".join(sql.split()), place))
        for change in changes:
            self.schema = apply(change, self.schema)
        return Answer()

    def committed(self, *, own: bool) -> None:
        if not self.over and not own:
            self.note("commit", "")

    def called(self, name: str) -> None:
        """A function of a module that is not installed was called."""
        if _LOGGING.search(name):
            return
        frame = sys._getframe(2)
        if frame.f_code.co_filename != self._path or self._source is None:
            return
        call = self._source.call_at(self._span(frame.f_code, frame.f_lasti))
        statement = self._source.statement_of(call) if call is not None else None
        # As a value, it is a type or a constant; by itself, it must do something.
        if isinstance(statement, ast.Expr) and statement.value is call:
            self.note("absent", name)

    def note(self, kind: Any, text: str) -> None:
        place = self.here()
        if place:
            self.events.append(Event(kind, text, place))

    # Places

    def here(self) -> tuple[Span, ...]:
        found = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == self._path:
                found.append(self._span(frame.f_code, frame.f_lasti))
            frame = frame.f_back
        return tuple(found)

    def places_in(self, trace: TracebackType | None) -> tuple[Span, ...]:
        found = []
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename == self._path:
                found.append(self._span(code, trace.tb_lasti))
            trace = trace.tb_next
        return tuple(reversed(found))

    def imported_at(self, places: tuple[Span, ...]) -> list[str]:
        """The modules of the import statement at the innermost of `places`."""
        if not places or self._source is None:
            return []
        for node in self._source.nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)) and self._source.span(node).holds(
                places[0]
            ):
                if isinstance(node, ast.Import):
                    return [one.name for one in node.names]
                return [node.module] if node.module and not node.level else []
        return []

    def _span(self, code: CodeType, instruction: int) -> Span:
        positions = next(itertools.islice(code.co_positions(), instruction // 2, None), None)
        line, end_line, column, end_column = positions or (None, None, None, None)
        if line is None or end_line is None or column is None or end_column is None:
            line = line or code.co_firstlineno
            return self._source.line_span(line) if self._source else Span(line, 0, line, 0)
        if self._source is None:
            return Span(line, column, end_line, end_column)
        return self._source.span_of_bytes(line, column, end_line, end_column)

    # Answers

    def _answer(self, sql: str, place: tuple[Span, ...]) -> Answer:
        text = " ".join(sql.split())
        for pattern, answer in _ANSWERS:
            match = pattern.match(text)
            if match is not None:
                found: Answer | None = answer(self, match, place)
                if found is not None:
                    return found
        if place:
            self.events.append(Event("read", text, place))
        columns = tuple(columns_of(sql))
        if len(columns) == 1 and re.match(r"SELECT (COUNT|EXISTS) ?\(", text, re.I):
            return Answer(columns, ((0,),))
        return Answer(columns)

    def _variables(self, match: re.Match[str], _: object) -> Answer:
        names = re.findall(r"@@(?:(?:global|session)\.)?(\w+)", match[0], re.I)
        return Answer(tuple(names), (tuple(_VARIABLES.get(one.lower(), "0") for one in names),))

    def _table(self, match: re.Match[str], place: tuple[Span, ...]) -> Any:
        name = match["table"].rpartition(".")[2].strip("`")
        self._looked(place)
        table = self.schema.table(name)
        if table is None or not table.whole:
            if place:
                self.events.append(Event("asked", name, place))
            if table is None:
                from pymysql.err import ProgrammingError

                raise ProgrammingError(1146, f"Table '{DATABASE}.{name}' doesn't exist")
        return table

    def _show_create(self, match: re.Match[str], place: tuple[Span, ...]) -> Answer:
        table = self._table(match, place)
        return Answer(("Table", "Create Table"), ((table.name, show.create_table(table)),))

    def _describe(self, match: re.Match[str], place: tuple[Span, ...]) -> Answer:
        heading = ("Field", "Type", "Null", "Key", "Default", "Extra")
        return Answer(heading, tuple(show.describe(self._table(match, place))))

    def _show_index(self, match: re.Match[str], place: tuple[Span, ...]) -> Answer:
        heading = (
            "Table", "Non_unique", "Key_name", "Seq_in_index", "Column_name", "Collation",
            "Cardinality", "Sub_part", "Packed",
        )  # fmt: skip
        return Answer(heading, tuple(show.show_index(self._table(match, place))))

    def _looked(self, place: tuple[Span, ...]) -> None:
        if place:
            self.events.append(Event("looked", "", place))

    def _tables(self, match: re.Match[str], place: tuple[Span, ...]) -> Answer:
        self._looked(place)
        names = sorted(self.schema.tables)
        views = sorted(name for kind, name in self.schema.things if kind == "VIEW")
        if match["full"]:
            rows: list[tuple[object, ...]] = [(name, "BASE TABLE") for name in names]
            rows += [(name, "VIEW") for name in views]
            return Answer(("Tables_in_tenant", "Table_type"), tuple(rows))
        return Answer(("Tables_in_tenant",), tuple((name,) for name in [*names, *views]))

    def _version(self, *_: object) -> Answer:
        return Answer(("VERSION()",), ((self._server.banner,),))

    def _database(self, *_: object) -> Answer:
        return Answer(("DATABASE()",), ((DATABASE,),))

    def _constant(self, match: re.Match[str], _: object) -> Answer | None:
        """A SELECT without FROM reads no table."""
        if re.search(r"\bFROM\b", match[0], re.I):
            return None
        columns = tuple(columns_of(match[0]))
        value = match["value"]
        return Answer(columns, ((int(value) if value else None,) * len(columns),))

    def _nothing(self, *_: object) -> Answer:
        return Answer(("Variable_name", "Value"))


_VARIABLES = {
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE",
    "transaction_isolation": "REPEATABLE-READ",
    "tx_isolation": "REPEATABLE-READ",
    "lower_case_table_names": "0",
    "character_set_server": "utf8mb4",
    "collation_server": "utf8mb4_0900_ai_ci",
    "character_set_database": "utf8mb4",
    "collation_database": "utf8mb4_0900_ai_ci",
}
_ANSWERS: list[tuple[re.Pattern[str], Any]] = [
    (re.compile(pattern, re.I), answer)
    for pattern, answer in (
        (r"SELECT VERSION ?\(\)", _Tape._version),
        (r"SELECT (DATABASE|SCHEMA) ?\(\)", _Tape._database),
        (r"SELECT @@.*", _Tape._variables),
        (r"SHOW CREATE TABLE (?P<table>\S+)", _Tape._show_create),
        (r"(DESCRIBE|DESC|EXPLAIN) (?P<table>[`\w.$]+)$", _Tape._describe),
        (r"SHOW (FULL )?(COLUMNS|FIELDS) (FROM|IN) (?P<table>\S+)", _Tape._describe),
        (r"SHOW (INDEX|INDEXES|KEYS) (FROM|IN) (?P<table>\S+)$", _Tape._show_index),
        (r"SHOW (?P<full>FULL )?TABLES( (FROM|IN) \S+)?$", _Tape._tables),
        (r"SHOW (VARIABLES|COLLATION|WARNINGS|SCHEMAS|DATABASES|STATUS)", _Tape._nothing),
        (r"SELECT (?P<value>\d+)?.*", _Tape._constant),
    )
]


@contextlib.contextmanager
def _batches_noted(tape: _Tape) -> Iterator[None]:
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
