"""What a schema is after a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ebhook.lint.schema.changes import (
    METADATA_OPTIONS,
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddPrimary,
    Change,
    Convert,
    CreateTable,
    CreateThing,
    DropColumn,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
    DropTable,
    DropThing,
    ModifyColumn,
    OfTable,
    Rebuild,
    RenameColumn,
    RenameIndex,
    RenameTable,
    SetDefault,
    SetOption,
)
from ebhook.lint.schema.schema import Column, Index, Part, Schema, Table


def apply(change: Change, schema: Schema) -> Schema:
    """The schema after `change`. What cannot be (a second table of the name) replaces silently."""
    match change:
        case CreateTable():
            if change.if_not_exists and schema.table(change.table) is not None:
                return schema
            return schema.with_table(change.made)
        case DropTable():
            return schema.without_table(change.table)
        case RenameTable():
            moved = replace(schema.at_hand(change.table), name=change.new)
            return schema.without_table(change.table).with_table(moved)
        case CreateThing():
            return replace(schema, things=schema.things | {(change.kind, change.name)})
        case DropThing():
            return replace(schema, things=schema.things - {(change.kind, change.name)})
        case OfTable() if type(change) in _TABLE:
            table = schema.at_hand(change.table)
            return schema.with_table(_TABLE[type(change)](change, table))
    return schema


def _add_column(change: AddColumn, table: Table) -> Table:
    column = change.column
    others = tuple(one for one in table.columns if one.name.lower() != column.name.lower())
    at = len(others)
    if column.place == "first":
        at = 0
    elif column.place:
        names = [one.name.lower() for one in others]
        at = names.index(column.place.lower()) + 1 if column.place.lower() in names else at
    table = replace(
        table,
        columns=(*others[:at], column, *others[at:]),
        row_versions=table.row_versions + (column.generated is None),
    )
    return keyed(table, column)


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


def _add_foreign_key(change: AddForeignKey, table: Table) -> Table:
    # The index that a foreign key, gone since, had been given on these columns goes with the new.
    used = [key.name for key in table.foreign_keys]
    kept = tuple(
        one
        for one in table.indexes
        if not (one.implied and one.serves(change.key.columns) and one.name not in used)
    )
    keys = (*table.foreign_keys, change.key)
    return with_implied_indexes(replace(table, indexes=kept, foreign_keys=keys))


def _drop_column(change: DropColumn, table: Table) -> Table:
    name = change.name.lower()
    # A dropped column leaves the keys that it is in, and a key of no column goes.
    shorter = (
        replace(index, parts=tuple(part for part in index.parts if part.name.lower() != name))
        for index in table.indexes
    )
    return replace(
        table,
        columns=tuple(one for one in table.columns if one.name.lower() != name),
        indexes=tuple(index for index in shorter if index.parts),
        primary=tuple(one for one in table.primary if one.lower() != name),
        row_versions=table.row_versions + 1,
    )


def _modify_column(change: ModifyColumn, table: Table) -> Table:
    name, column = change.name.lower(), change.column
    if table.column(name) is None:
        return _add_column(AddColumn(change.table, column), table)
    columns = tuple(column if one.name.lower() == name else one for one in table.columns)
    table = replace(table, columns=columns)
    return keyed(_renamed(table, name, column.name), column)


def _rename_column(change: RenameColumn, table: Table) -> Table:
    return _renamed(table, change.name.lower(), change.new)


def _renamed(table: Table, name: str, new: str) -> Table:
    def now(one: str) -> str:
        return new if one.lower() == name else one

    return replace(
        table,
        columns=tuple(replace(one, name=now(one.name)) for one in table.columns),
        primary=tuple(map(now, table.primary)),
        indexes=tuple(
            replace(
                index,
                parts=tuple(replace(part, name=now(part.name)) for part in index.parts),
            )
            for index in table.indexes
        ),
        foreign_keys=tuple(
            replace(key, columns=tuple(map(now, key.columns))) for key in table.foreign_keys
        ),
    )


def _set_default(change: SetDefault, table: Table) -> Table:
    name = change.name.lower()
    return replace(
        table,
        columns=tuple(
            replace(one, default=change.default) if one.name.lower() == name else one
            for one in table.columns
        ),
    )


def _drop_index(change: DropIndex, table: Table) -> Table:
    return replace(table, indexes=_less(table.indexes, change.name))


def _rename_index(change: RenameIndex, table: Table) -> Table:
    name = change.name.lower()
    return replace(
        table,
        indexes=tuple(
            replace(one, name=change.new) if one.name.lower() == name else one
            for one in table.indexes
        ),
    )


def _drop_constraint(change: DropConstraint, table: Table) -> Table:
    return replace(
        table,
        checks=_less(table.checks, change.name),
        foreign_keys=_less(table.foreign_keys, change.name),
        indexes=_less(table.indexes, change.name),
    )


def _set_option(change: SetOption, table: Table) -> Table:
    options = {**table.options, change.name: change.value}
    if change.name == "charset" and "collate" in options:
        del options["collate"]  # a character set brings its own default collation
    again = change.name not in METADATA_OPTIONS
    return replace(table, options=options, row_versions=0 if again else table.row_versions)


def _convert(change: Convert, table: Table) -> Table:
    columns = tuple(
        replace(one, type=replace(one.type, charset=None, collation=None))  # the table's own
        if one.type.name in TEXTS
        else one
        for one in table.columns
    )
    options = {k: v for k, v in table.options.items() if k != "collate"}
    return replace(
        table, columns=columns, options={**options, "charset": change.charset}, row_versions=0
    )


def _less(those: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    return tuple(one for one in those if one.name.lower() != name.lower())


TEXTS = frozenset({
    "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set",
})  # fmt: skip

_TABLE: dict[type[Change], Callable[[Any, Table], Table]] = {
    AddColumn: _add_column,
    DropColumn: _drop_column,
    ModifyColumn: _modify_column,
    RenameColumn: _rename_column,
    SetDefault: _set_default,
    AddIndex: lambda change, table: with_index(table, change.index),
    DropIndex: _drop_index,
    RenameIndex: _rename_index,
    AddPrimary: lambda change, table: replace(table, primary=change.columns),
    DropPrimary: lambda change, table: replace(table, primary=()),
    AddForeignKey: _add_foreign_key,
    DropForeignKey: lambda change, table: replace(
        table, foreign_keys=_less(table.foreign_keys, change.name)
    ),
    AddCheck: lambda change, table: replace(table, checks=(*table.checks, change.check)),
    DropConstraint: _drop_constraint,
    SetOption: _set_option,
    Convert: _convert,
    Rebuild: lambda change, table: replace(table, row_versions=0),
}
