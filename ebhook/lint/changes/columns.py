"""Columns added, dropped, changed and renamed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ebhook.lint.changes.change import Change, OfTable, execute, same_name
from ebhook.lint.fixes.code import drop_column_code
from ebhook.lint.schema import show
from ebhook.lint.schema.schema import Column, Default, Schema, Table, keyed


@dataclass(frozen=True)
class AddColumn(OfTable):
    column: Column

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        return f"column {self.table}.{self.column.name}"

    def on(self, table: Table) -> Table:
        column = self.column
        others = tuple(one for one in table.columns if not same_name(one.name, column.name))
        at = len(others)
        if column.place == "first":
            at = 0
        elif column.place:
            names = [one.name.lower() for one in others]
            at = names.index(column.place.lower()) + 1 if column.place.lower() in names else at
        return keyed(
            replace(
                table,
                columns=(*others[:at], column, *others[at:]),
                row_versions=table.row_versions + (column.generated is None),
            ),
            column,
        )

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, DropColumn)
            and self.is_of(other)
            and same_name(self.column.name, other.name)
        )

    def undo_code(self, before: Schema) -> str:
        return drop_column_code(self.table, self.column.name)


@dataclass(frozen=True)
class DropColumn(OfTable):
    name: str

    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"column {self.table}.{self.name}"

    def on(self, table: Table) -> Table:
        name = self.name.lower()
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

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, AddColumn)
            and self.is_of(other)
            and same_name(self.name, other.column.name)
        )

    def undo_code(self, before: Schema) -> str:
        """The column as it was, in the place where it was."""
        table = before.at_hand(self.table)
        old = table.column(self.name)
        if old is None:
            return ""
        at = table.columns.index(old)
        where = f"AFTER `{table.columns[at - 1].name}`" if at else "FIRST"
        return execute(f"ALTER TABLE {table.name} ADD COLUMN {show.column(old)} {where}")


@dataclass(frozen=True)
class OfColumn(OfTable):
    """A change of a column that stays: `name` before it, `new_name` after it."""

    name: str

    @property
    def new_name(self) -> str:
        return self.name

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, OfColumn)
            and self.is_of(other)
            and same_name(self.new_name, other.name)
        )


@dataclass(frozen=True)
class ModifyColumn(OfColumn):
    """MODIFY, or CHANGE when the new name is another one."""

    column: Column

    @property
    def thing(self) -> str:
        return f"the changed column {self.table}.{self.column.name}"

    @property
    def words(self) -> str:
        return f"changes column {self.table}.{self.column.name}"

    @property
    def new_name(self) -> str:
        return self.column.name

    def on(self, table: Table) -> Table:
        if table.column(self.name) is None:
            return AddColumn(self.table, self.column).on(table)
        columns = tuple(
            self.column if same_name(one.name, self.name) else one for one in table.columns
        )
        table = _renamed(replace(table, columns=columns), self.name, self.column.name)
        return keyed(table, self.column)

    def undo_code(self, before: Schema) -> str:
        """The column as it was."""
        old = before.at_hand(self.table).column(self.name)
        if old is None:
            return ""
        new = self.column.name
        verb = "MODIFY" if same_name(new, old.name) else f"CHANGE `{new}`"
        return execute(f"ALTER TABLE {self.table} {verb} {show.column(old)}")


@dataclass(frozen=True)
class RenameColumn(OfColumn):
    new: str

    @property
    def thing(self) -> str:
        return f"the new name {self.new} of column {self.table}.{self.name}"

    @property
    def new_name(self) -> str:
        return self.new

    def on(self, table: Table) -> Table:
        return _renamed(table, self.name, self.new)

    def undo_code(self, before: Schema) -> str:
        return execute(f"ALTER TABLE {self.table} RENAME COLUMN {self.new} TO {self.name}")


@dataclass(frozen=True)
class SetDefault(OfColumn):
    """ALTER COLUMN … SET DEFAULT; `default` is None for DROP DEFAULT."""

    default: Default | None

    @property
    def thing(self) -> str:
        return f"the default of {self.table}.{self.name}"

    def on(self, table: Table) -> Table:
        return replace(
            table,
            columns=tuple(
                replace(one, default=self.default) if same_name(one.name, self.name) else one
                for one in table.columns
            ),
        )

    def undo_code(self, before: Schema) -> str:
        old = before.at_hand(self.table).column(self.name)
        known = old is not None and old.default is not None
        was = f"SET DEFAULT {old.default.text}" if known else "DROP DEFAULT"  # type: ignore[union-attr]
        return execute(f"ALTER TABLE {self.table} ALTER COLUMN {self.name} {was}")


def _renamed(table: Table, name: str, new: str) -> Table:
    def now(one: str) -> str:
        return new if same_name(one, name) else one

    return replace(
        table,
        columns=tuple(replace(one, name=now(one.name)) for one in table.columns),
        primary=tuple(map(now, table.primary)),
        indexes=tuple(
            replace(index, parts=tuple(replace(part, name=now(part.name)) for part in index.parts))
            for index in table.indexes
        ),
        foreign_keys=tuple(
            replace(key, columns=tuple(map(now, key.columns))) for key in table.foreign_keys
        ),
    )
