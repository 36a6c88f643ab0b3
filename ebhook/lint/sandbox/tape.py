"""What the pretended server heard while a version file ran, from where, and what it answers."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from dataclasses import dataclass, replace
from types import CodeType, FrameType, TracebackType
from typing import Any, Literal

from ebhook.lint.changes.change import Change
from ebhook.lint.changes.rows import OpaqueStatement, Read, SessionStatement
from ebhook.lint.sandbox import guard
from ebhook.lint.sandbox.driver import DriverReply
from ebhook.lint.schema import show
from ebhook.lint.schema.schema import Schema
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Source, Span
from ebhook.lint.sql.dml import columns_of
from ebhook.lint.sql.reading import read
from ebhook.sql.tokens import THIS_DATABASE, Unreadable

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
    out. unrun: `text` is more than an operation, and files like it are not run (--no-run). absent: it called `text`, which is not installed. hidden: it ran the statement `text`, and
    what that does is not written in it.
    """

    kind: Literal["read", "asked", "looked", "commit", "outside", "absent", "hidden", "unrun"]
    text: str
    spans: tuple[Span, ...]


class Tape:
    """What the pretended server heard, and its answers."""

    def __init__(self, server: ServerVersion) -> None:
        self._server = server
        self._path = ""
        self.begin(None, Schema())

    def begin(self, source: Source | None, schema: Schema) -> None:
        self._source = source
        self._path = str(source.path) if source is not None else ""
        self.schema = replace(schema, temporary=frozenset())  # a session of its own
        self.steps: list[Step] = []
        self.events: list[Event] = []
        self.place: tuple[Span, ...] | None = None
        self.over = False

    # What a driver's connection tells

    def statement(self, sql: str, *, rows: int, own: bool) -> DriverReply:
        place = self.place if self.place is not None else self.here()
        if len(self.steps) >= _MOST_STATEMENTS:
            raise guard.Endless(f"it runs more than {_MOST_STATEMENTS} statements")
        try:
            changes = read(sql, self.schema)
        except Unreadable as reason:
            self.steps.append(Step(sql, place, (), self.schema, rows, own, str(reason)))
            return DriverReply()
        if changes and all(isinstance(change, Read) for change in changes):
            return self._answer(sql, place)
        if not place and all(isinstance(change, SessionStatement) for change in changes):
            return DriverReply()  # SQLAlchemy greets the server
        self.steps.append(Step(sql, place, changes, self.schema, rows, own))
        if place and any(
            isinstance(one, OpaqueStatement) and one.verb in _HIDES for one in changes
        ):
            self.events.append(Event("hidden", " ".join(sql.split()), place))
        for change in changes:
            self.schema = change.apply(self.schema)
        return DriverReply()

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

    def _answer(self, sql: str, place: tuple[Span, ...]) -> DriverReply:
        text = " ".join(sql.split())
        for pattern, answer in _ANSWERS:
            match = pattern.match(text)
            if match is not None:
                found: DriverReply | None = answer(self, match, place)
                if found is not None:
                    return found
        if place:
            self.events.append(Event("read", text, place))
        columns = tuple(columns_of(sql))
        if len(columns) == 1 and re.match(r"SELECT (COUNT|EXISTS) ?\(", text, re.I):
            return DriverReply(columns, ((0,),))
        return DriverReply(columns)

    def _variables(self, match: re.Match[str], _: object) -> DriverReply:
        names = re.findall(r"@@(?:(?:global|session)\.)?(\w+)", match[0], re.I)
        return DriverReply(
            tuple(names), (tuple(_VARIABLES.get(one.lower(), "0") for one in names),)
        )

    def _table(self, match: re.Match[str], place: tuple[Span, ...]) -> Any:
        name = match["table"].rpartition(".")[2].strip("`")
        self._looked(place)
        table = self.schema.table(name)
        if table is None or not table.whole:
            if place:
                self.events.append(Event("asked", name, place))
            if table is None:
                from pymysql.err import ProgrammingError

                raise ProgrammingError(1146, f"Table '{THIS_DATABASE}.{name}' doesn't exist")
        return table

    def _show_create(self, match: re.Match[str], place: tuple[Span, ...]) -> DriverReply:
        table = self._table(match, place)
        return DriverReply(("Table", "Create Table"), ((table.name, show.create_table(table)),))

    def _describe(self, match: re.Match[str], place: tuple[Span, ...]) -> DriverReply:
        heading = ("Field", "Type", "Null", "Key", "Default", "Extra")
        return DriverReply(heading, tuple(show.describe(self._table(match, place))))

    def _show_index(self, match: re.Match[str], place: tuple[Span, ...]) -> DriverReply:
        heading = (
            "Table", "Non_unique", "Key_name", "Seq_in_index", "Column_name", "Collation",
            "Cardinality", "Sub_part", "Packed",
        )  # fmt: skip
        return DriverReply(heading, tuple(show.show_index(self._table(match, place))))

    def _looked(self, place: tuple[Span, ...]) -> None:
        if place:
            self.events.append(Event("looked", "", place))

    def _tables(self, match: re.Match[str], place: tuple[Span, ...]) -> DriverReply:
        self._looked(place)
        names = sorted(self.schema.tables)
        views = sorted(name for kind, name in self.schema.things if kind == "VIEW")
        if match["full"]:
            rows: list[tuple[object, ...]] = [(name, "BASE TABLE") for name in names]
            rows += [(name, "VIEW") for name in views]
            return DriverReply(("Tables_in_tenant", "Table_type"), tuple(rows))
        return DriverReply(("Tables_in_tenant",), tuple((name,) for name in [*names, *views]))

    def _spelled(self, match: re.Match[str], _: object) -> DriverReply:
        """How columns are spelled, which older releases of SQLAlchemy ask of each foreign key."""
        named = re.findall(
            r"\('((?:[^']|'')*)', '((?:[^']|'')*)', '((?:[^']|'')*)'\)", match["columns"]
        )
        wanted = {tuple(part.replace("''", "'") for part in one) for one in named}
        return DriverReply(
            ("table_schema", "table_name", "column_name"),
            tuple(
                (THIS_DATABASE, table.name, column.name)
                for table in self.schema.tables.values()
                for column in table.columns
                if (THIS_DATABASE, table.name, column.name.lower()) in wanted
            ),
        )

    def _version(self, *_: object) -> DriverReply:
        return DriverReply(("VERSION()",), ((self._server.banner,),))

    def _database(self, *_: object) -> DriverReply:
        return DriverReply(("DATABASE()",), ((THIS_DATABASE,),))

    def _constant(self, match: re.Match[str], _: object) -> DriverReply | None:
        """A SELECT without FROM reads no table."""
        if re.search(r"\bFROM\b", match[0], re.I):
            return None
        columns = tuple(columns_of(match[0]))
        value = match["value"]
        return DriverReply(columns, ((int(value) if value else None,) * len(columns),))

    def _nothing(self, *_: object) -> DriverReply:
        return DriverReply(("Variable_name", "Value"))


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
        (r"SELECT VERSION ?\(\)", Tape._version),
        (r"SELECT (DATABASE|SCHEMA) ?\(\)", Tape._database),
        (r"SELECT @@.*", Tape._variables),
        (r"SHOW CREATE TABLE (?P<table>\S+)", Tape._show_create),
        (r"(DESCRIBE|DESC|EXPLAIN) (?P<table>[`\w.$]+)$", Tape._describe),
        (r"SHOW (FULL )?(COLUMNS|FIELDS) (FROM|IN) (?P<table>\S+)", Tape._describe),
        (r"SHOW (INDEX|INDEXES|KEYS) (FROM|IN) (?P<table>\S+)$", Tape._show_index),
        (r"SHOW (?P<full>FULL )?TABLES( (FROM|IN) \S+)?$", Tape._tables),
        (r"SHOW (VARIABLES|COLLATION|WARNINGS|SCHEMAS|DATABASES|STATUS)", Tape._nothing),
        (
            r"SELECT table_schema, table_name, column_name FROM information_schema\.columns WHERE"
            r" \(table_schema, table_name, lower\(column_name\)\) IN \((?P<columns>.*)\);?$",
            Tape._spelled,
        ),
        (r"SELECT (?P<value>\d+)?.*", Tape._constant),
    )
]
