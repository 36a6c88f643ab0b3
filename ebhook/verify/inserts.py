"""INSERTs as the code of one schema writes them, to be tried on the next one.

Old instances go on writing while and after a revision is applied. What they write is made up here
from the schema that they know: only what is required, everything at its limits, NULL wherever it was
allowed, each value of an enum, and rows that differ in nothing that had to differ.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows, run, scalar, text_of

_WHOLE = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_LONG = {"tinytext": 60, "text": 4_000, "mediumtext": 70_000, "longtext": 70_000}
_LONG_BYTES = {"tinyblob": 250, "blob": 60_000, "mediumblob": 70_000, "longblob": 70_000}
_MOMENTS = {
    "date": "2001-02-{day:02}",
    "datetime": "2001-02-{day:02} 03:04:05",
    "timestamp": "2001-02-{day:02} 03:04:05",
    "time": "{day:02}:04:05",
    "year": "20{day:02}",
}
_ODD = "😀"  # four bytes: a narrower character set has no room for it
_ENUM_ROWS = 40


@dataclass(frozen=True)
class SampleColumn:
    name: str
    kind: str  # data_type: varchar
    type: str  # column_type: varchar(20)
    nullable: bool
    filled: bool  # by the server: a default, AUTO_INCREMENT, or generated
    generated: bool
    automatic: bool  # AUTO_INCREMENT
    length: int | None
    digits: int | None
    scale: int | None
    charset: str | None


@dataclass(frozen=True)
class SampleForeignKey:
    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """A table as code that knows it would write to it."""

    name: str
    columns: Mapping[str, SampleColumn]
    unique: frozenset[str]  # columns of a unique key
    foreign: tuple[SampleForeignKey, ...]


@dataclass(frozen=True)
class SampleRefused:
    """An INSERT that worked before the revision and does not after it."""

    table: str
    row: str  # which one
    columns: tuple[str, ...]
    words: str
    number: int


def read_models(connection: Connection, database: str, ignore: Collection[str]) -> dict[str, Model]:
    """All base tables of a database, as they are now."""
    columns: dict[str, dict[str, SampleColumn]] = {}
    for table, name, kind, type_, nullable, default, extra, length, digits, scale, charset in rows(
        connection,
        "SELECT c.table_name, c.column_name, c.data_type, c.column_type, c.is_nullable, "
        "c.column_default, c.extra, c.character_maximum_length, c.numeric_precision, "
        "c.numeric_scale, c.character_set_name FROM information_schema.columns AS c "
        "JOIN information_schema.tables AS t USING (table_schema, table_name) "
        # Without a transaction there is no way back from a trial.
        "WHERE c.table_schema = %s AND t.table_type = 'BASE TABLE' AND t.engine = 'InnoDB' "
        "ORDER BY c.table_name, c.ordinal_position",
        database,
    ):
        if table in ignore:
            continue
        extra = str(extra).lower()
        generated = "generated" in extra.replace("default_generated", "")
        automatic = "auto_increment" in extra
        columns.setdefault(table, {})[name] = SampleColumn(
            name=name,
            kind=str(kind).lower(),
            type=str(type_),
            nullable=nullable == "YES",
            filled=default is not None or generated or automatic,
            generated=generated,
            automatic=automatic,
            length=int(length) if length is not None else None,
            digits=int(digits) if digits is not None else None,
            scale=int(scale) if scale is not None else None,
            charset=charset,
        )
    unique: dict[str, set[str]] = {}
    for table, name in rows(
        connection,
        "SELECT table_name, column_name FROM information_schema.statistics "
        "WHERE table_schema = %s AND non_unique = 0",
        database,
    ):
        unique.setdefault(table, set()).add(name)
    foreign: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for table, constraint, name, other, referenced in rows(
        connection,
        "SELECT table_name, constraint_name, column_name, referenced_table_name, "
        "referenced_column_name FROM information_schema.key_column_usage "
        "WHERE table_schema = %s AND referenced_table_name IS NOT NULL "
        "ORDER BY table_name, constraint_name, ordinal_position",
        database,
    ):
        foreign.setdefault((table, constraint), []).append((name, other, referenced))
    connection.rollback()
    return {
        table: Model(
            table,
            found,
            frozenset(unique.get(table, ())),
            tuple(
                SampleForeignKey(
                    tuple(part[0] for part in parts), parts[0][1], tuple(part[2] for part in parts)
                )
                for (owner, _), parts in foreign.items()
                if owner == table
            ),
        )
        for table, found in columns.items()
    }


def attempt(
    connection: Connection, models: Mapping[str, Model], tables: Iterable[str]
) -> list[SampleRefused]:
    """Inserts into `tables` as the code that knows `models` would, and undoes it; what is refused."""
    refused: list[SampleRefused] = []
    for table in sorted(tables):
        if table in models:
            refused.extend(_Writer(connection, models).attempt(models[table]))
    return refused


def broken_by(
    after: Iterable[SampleRefused], before: Iterable[SampleRefused]
) -> list[SampleRefused]:
    """What is refused after a revision and was not before it; of each table, one of a kind."""
    always = {(one.table, one.row) for one in before}
    found: dict[tuple[str, int], SampleRefused] = {}
    for one in after:
        if (one.table, one.row) not in always:
            found.setdefault((one.table, one.number), one)
    return list(found.values())


@dataclass
class _Writer:
    """One transaction that ends with a rollback."""

    connection: Connection
    models: Mapping[str, Model]
    number: int = 0  # of the row, so that what has to differ differs
    checks: bool = True
    parents: list[str] = field(default_factory=list)  # under way, to see a circle

    def attempt(self, model: Model) -> Iterator[SampleRefused]:
        try:
            for label, wanted in _rows(model):
                refused = self._try(model, label, wanted)
                if refused is not None:
                    yield refused
        finally:
            self.connection.rollback()
            if not self.checks:
                run(self.connection, "SET SESSION foreign_key_checks = 1")

    def _try(self, model: Model, label: str, wanted: _Wanted) -> SampleRefused | None:
        run(self.connection, "SAVEPOINT ebhook_row")
        try:
            self._insert(model.name, self._values(model, wanted))
        except _Failed as failed:
            run(self.connection, "ROLLBACK TO SAVEPOINT ebhook_row")
            # It may be a row that this one refers to.
            row = label if failed.table == model.name else "what is required"
            number = errno(failed.error)
            return SampleRefused(failed.table, row, failed.columns, text_of(failed.error), number)
        except _CannotTell:
            run(self.connection, "ROLLBACK TO SAVEPOINT ebhook_row")
        return None

    def _insert(self, table: str, values: Mapping[str, Any]) -> None:
        names = ", ".join(map(quoted, values)).replace("%", "%%")
        marks = ", ".join(["%s"] * len(values))
        where = quoted(table).replace("%", "%%")
        try:
            run(
                self.connection,
                f"INSERT INTO {where} ({names}) VALUES ({marks})",
                *values.values(),
            )
        except MySQLError as error:
            raise _Failed(table, tuple(values), error) from error

    def _values(self, model: Model, wanted: _Wanted) -> dict[str, Any]:
        self.number += 1
        found: dict[str, Any] = {}
        for key in model.foreign:
            if self._wants_parent(model, key, wanted):
                found.update(self._parent(model, key))
        for column in model.columns.values():
            if column.name in found or column.generated or column.automatic:
                continue
            in_key = any(column.name in key.columns for key in model.foreign)
            if column.nullable and (wanted.nulls or in_key):
                if wanted.everything:
                    found[column.name] = None
            elif wanted.everything or not (column.nullable or column.filled):
                differs = column.name in model.unique
                found[column.name] = value_for(column, self.number, wanted, differs=differs)
        return {name: found[name] for name in model.columns if name in found}

    def _wants_parent(self, model: Model, key: SampleForeignKey, wanted: _Wanted) -> bool:
        if all(model.columns[name].nullable for name in key.columns if name in model.columns):
            return wanted.everything and not wanted.nulls
        return True

    def _parent(self, model: Model, key: SampleForeignKey) -> dict[str, Any]:
        """A row for `model` to refer to, inserted; and its values."""
        parent = self.models.get(key.table)
        if parent is None or key.table in self.parents or key.table == model.name:
            # A circle: no order of INSERTs fills it with checks on.
            if all(model.columns[name].nullable for name in key.columns):
                return dict.fromkeys(key.columns)
            if self.checks:
                run(self.connection, "SET SESSION foreign_key_checks = 0")
                self.checks = False
            return dict.fromkeys(key.columns, self.number)
        self.parents.append(key.table)
        try:
            values = self._values(parent, REQUIRED)
            for name in key.referenced:
                column = parent.columns[name]
                if name not in values and not column.automatic:
                    values[name] = value_for(column, self.number, REQUIRED, differs=True)
            self._insert(parent.name, values)
            last = scalar(self.connection, "SELECT LAST_INSERT_ID()")
        finally:
            self.parents.pop()
        return {
            own: values.get(name, last)
            for own, name in zip(key.columns, key.referenced, strict=True)
        }


@dataclass(frozen=True)
class _Wanted:
    """Which row: all columns or the required ones; NULLs; limits; which value of an enum."""

    everything: bool = False
    nulls: bool = False
    limits: bool = False
    enum: int = 0


class _Failed(Exception):
    """The server refused a row of `table`."""

    def __init__(self, table: str, columns: tuple[str, ...], error: MySQLError) -> None:
        super().__init__(table)
        self.table = table
        self.columns = columns
        self.error = error


class _CannotTell(Exception):
    """A value of this type cannot be made up."""


REQUIRED = _Wanted()


def _rows(model: Model) -> Iterator[tuple[str, _Wanted]]:
    yield "what is required", REQUIRED
    yield "a second row, the same where it may be", REQUIRED
    yield "every column, at its limits", _Wanted(everything=True, limits=True)
    yield "a second row at the limits", _Wanted(everything=True, limits=True)
    yield "NULL wherever it is allowed", _Wanted(everything=True, nulls=True)
    most = max(
        (len(choices(one.type)) for one in model.columns.values() if one.kind == "enum"), default=0
    )
    for number in range(1, min(most, _ENUM_ROWS)):
        yield f"value {number + 1} of each enum", _Wanted(everything=True, enum=number)


def choices(type_: str) -> list[str]:
    """The values of ``enum('a','b')``."""
    return [one.replace("''", "'") for one in re.findall(r"'((?:[^']|'')*)'", type_)]


def value_for(column: SampleColumn, number: int, wanted: _Wanted, *, differs: bool) -> Any:
    """A value that `column` takes; another one for each `number` where it `differs`."""
    kind, own = column.kind, number if differs else 1
    if kind in _WHOLE:
        if column.type.startswith("tinyint(1)"):  # a truth value
            return own % 2
        if not wanted.limits:
            return own % 100 if kind == "tinyint" else own
        bits = _WHOLE[kind] if "unsigned" in column.type else _WHOLE[kind] - 1
        return 2**bits - own
    if kind in ("decimal", "numeric"):
        digits, scale = column.digits or 10, column.scale or 0
        top = 10 ** (digits - scale) - 1
        return f"{max(top - own, 0) if wanted.limits else min(own, top)}" + (
            "." + "9" * scale if scale and wanted.limits else ""
        )
    if kind in ("float", "double"):
        return own + 0.5
    if kind == "bit":
        return own % 2
    if kind in _MOMENTS:
        return _MOMENTS[kind].format(day=own % 27 + 1)
    if kind in ("enum", "set"):
        values = choices(column.type) or [""]
        return values[(own - 1 if differs else wanted.enum) % len(values)]
    if kind in ("char", "varchar", *_LONG):
        return _text(column, own, wanted)
    if kind in ("binary", "varbinary", *_LONG_BYTES):
        length = _LONG_BYTES.get(kind) or column.length or 1
        body = str(own).encode()[-length:]
        return body.rjust(length if wanted.limits else min(length, len(body)), b"x")
    if kind == "json":
        return f'{{"number": {own}}}'
    if kind == "uuid":
        return f"00000000-0000-4000-8000-{own:012}"
    if kind == "inet4":
        return f"10.0.0.{own % 250}"
    if kind == "inet6":
        return f"::{own}"
    raise _CannotTell


def _text(column: SampleColumn, own: int, wanted: _Wanted) -> str:
    length = _LONG.get(column.kind) or column.length or 1
    if column.charset not in ("utf8mb4", None) and column.kind in ("tinytext", "text"):
        length = min(length, 60)
    body = str(own)[-length:]
    if not wanted.limits:
        return body
    odd = _ODD if column.charset == "utf8mb4" and length > len(body) else ""
    return odd + body.rjust(length - len(odd), "x")
