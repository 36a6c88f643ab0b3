"""A schema as the chain leaves it: tables with columns, keys and options, and other named things.

Values only. What a chain did not make is not known, so a table may be in here with a few columns of
it: `Table.whole` says whether its CREATE TABLE was seen. MySQL compares names of columns and keys
without case, and names of tables with it (on Linux).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar


@dataclass(frozen=True)
class Type:
    """A column's type: ``Type("varchar", ("20",))``. `name` is MySQL's own, in lower case."""

    name: str
    arguments: tuple[str, ...] = ()
    unsigned: bool = False
    charset: str | None = None
    collation: str | None = None

    def __str__(self) -> str:
        text = self.name.upper()
        if self.arguments:
            text += f"({', '.join(self.arguments)})"
        return f"{text} UNSIGNED" if self.unsigned else text


@dataclass(frozen=True)
class Default:
    """A column's default as SQL. `now`: CURRENT_TIMESTAMP; `expression`: anything computed."""

    text: str
    kind: Literal["literal", "null", "now", "expression"]


@dataclass(frozen=True)
class Column:
    name: str
    type: Type
    nullable: bool = True
    default: Default | None = None
    auto_increment: bool = False
    generated: Literal["virtual", "stored"] | None = None
    on_update: str | None = None
    comment: str = ""
    # What ADD COLUMN and MODIFY say besides, no part of what the column is:
    key: Literal["primary", "unique"] | None = field(default=None, compare=False)
    check: bool = field(default=False, compare=False)
    references: ForeignKey | None = field(default=None, compare=False)  # REFERENCES, inline
    place: str | None = field(default=None, compare=False)  # "first", or the column before it
    text: str = field(default="", compare=False)  # the definition, as it was written


@dataclass(frozen=True)
class Part:
    """A column of a key, or an expression; `length`: of the prefix that is indexed."""

    name: str
    length: int | None = None
    expression: bool = False


@dataclass(frozen=True)
class Index:
    name: str
    parts: tuple[Part, ...]
    unique: bool = False
    kind: Literal["", "fulltext", "spatial", "vector"] = ""
    # Made by the server for a foreign key; gone as soon as another one serves.
    implied: bool = field(default=False, compare=False)

    def serves(self, columns: Iterable[str]) -> bool:
        """Can a foreign key on `columns` use it?"""
        wanted = tuple(one.lower() for one in columns)
        return self.kind == "" and self.columns[: len(wanted)] == wanted

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(part.name.lower() for part in self.parts if not part.expression)


@dataclass(frozen=True)
class ForeignKey:
    name: str
    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_delete: str = ""
    on_update: str = ""
    unnamed: bool = field(default=False, compare=False)  # the server chose the name


@dataclass(frozen=True)
class Check:
    name: str
    text: str


TEXTS = frozenset({
    "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set",
})  # fmt: skip


@dataclass(frozen=True)
class Table:
    """`row_versions`: how many columns were added since the table was last built."""

    name: str
    columns: tuple[Column, ...] = ()
    primary: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    partitioned: bool = False
    whole: bool = True
    row_versions: int = field(default=0, compare=False)

    def column(self, name: str) -> Column | None:
        return _named(self.columns, name)

    def index(self, name: str) -> Index | None:
        return _named(self.indexes, name)

    def foreign_key(self, name: str) -> ForeignKey | None:
        return _named(self.foreign_keys, name)

    def check(self, name: str) -> Check | None:
        return _named(self.checks, name)


@dataclass(frozen=True)
class Schema:
    """`things` are views, triggers, routines and events: ``{("VIEW", "v"), …}``.

    `inline_keys`: the server makes a foreign key of REFERENCES in a column's definition.
    `temporary`: tables of this session alone, by name. `filled`: tables that the chain put rows into.
    """

    tables: Mapping[str, Table] = field(default_factory=dict)
    things: frozenset[tuple[str, str]] = frozenset()
    inline_keys: bool = False
    temporary: frozenset[str] = frozenset()
    filled: frozenset[str] = frozenset()

    def table(self, name: str) -> Table | None:
        return self.tables.get(name)

    def at_hand(self, name: str) -> Table:
        """The table, or what is known of one that the chain did not make: nothing."""
        return self.tables.get(name) or Table(name, whole=False)

    def with_table(self, table: Table) -> Schema:
        return replace(self, tables={**self.tables, table.name: table})

    def without_table(self, name: str) -> Schema:
        return replace(self, tables={k: v for k, v in self.tables.items() if k != name})


Named = TypeVar("Named", Column, Index, ForeignKey, Check)


def _named(those: Iterable[Named], name: str) -> Named | None:
    wanted = name.lower()
    return next((one for one in those if one.name.lower() == wanted), None)


def keyed(table: Table, column: Column) -> Table:
    """`table` with the key that a column's definition makes (UNIQUE, PRIMARY KEY)."""
    if column.key == "primary":
        return replace(table, primary=(column.name,))
    if column.key == "unique":
        name = free_name(table, column.name)
        index = Index(name, (Part(column.name),), unique=True)
        return replace(table, indexes=(*table.indexes, index))
    return table


def free_name(table: Table, name: str) -> str:
    """The name that the server gives to a key without one: its first column, or that with _2."""
    found, number = name, 2
    while table.index(found) is not None:
        found, number = f"{name}_{number}", number + 1
    return found


def with_index(table: Table, index: Index) -> Table:
    """`table` with one more index, and without what the server had made in its place."""
    kept = tuple(one for one in table.indexes if not (one.implied and index.serves(one.columns)))
    return replace(table, indexes=(*kept, index))


def with_implied_indexes(table: Table) -> Table:
    """`table` with an index for each foreign key: the server makes one where there is none."""
    indexes = list(table.indexes)
    primary = Index("PRIMARY", tuple(Part(one) for one in table.primary), unique=True)
    for key in table.foreign_keys:
        if not any(one.serves(key.columns) for one in (primary, *indexes)):
            parts = tuple(Part(one) for one in key.columns)
            name = key.columns[0] if key.unnamed else key.name
            known = replace(table, indexes=tuple(indexes))
            indexes.append(Index(free_name(known, name), parts, implied=True))
    return replace(table, indexes=tuple(indexes))
