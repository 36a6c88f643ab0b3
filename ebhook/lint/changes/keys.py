"""Indexes, primary keys, foreign keys and checks, made and dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ebhook.lint.changes.change import Change, OfTable, execute, same_name
from ebhook.lint.fixes.code import quoted
from ebhook.lint.schema import show
from ebhook.lint.schema.schema import (
    Check,
    ForeignKey,
    Index,
    Schema,
    Table,
    with_implied_indexes,
    with_index,
)


@dataclass(frozen=True)
class AddIndex(OfTable):
    index: Index

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        kind = "unique key" if self.index.unique else "index"
        return f"{kind} {self.index.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return with_index(table, self.index)

    def is_undone_by(self, other: Change) -> bool:
        return _drops(self, self.index.name, other, DropIndex)

    def undo_code(self, before: Schema) -> str:
        if self.index.unique:
            return _drop_constraint_code(self.table, self.index.name, "unique")
        return f"op.drop_index({quoted(self.index.name)}, table_name={quoted(self.table)})"


@dataclass(frozen=True)
class DropIndex(OfTable):
    name: str

    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"index {self.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(table, indexes=_without(table.indexes, self.name))

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, AddIndex)
            and self.is_of(other)
            and same_name(self.name, other.index.name)
        )

    def undo_code(self, before: Schema) -> str:
        return _key_code(before.at_hand(self.table), self.name)


@dataclass(frozen=True)
class RenameIndex(OfTable):
    name: str
    new: str

    @property
    def thing(self) -> str:
        return f"the new name {self.new} of index {self.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(
            table,
            indexes=tuple(
                replace(one, name=self.new) if same_name(one.name, self.name) else one
                for one in table.indexes
            ),
        )

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, RenameIndex) and self.is_of(other) and same_name(self.new, other.name)
        )

    def undo_code(self, before: Schema) -> str:
        return execute(f"ALTER TABLE {self.table} RENAME INDEX {self.new} TO {self.name}")


@dataclass(frozen=True)
class AddPrimary(OfTable):
    columns: tuple[str, ...]

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        return f"the primary key of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(table, primary=self.columns)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, DropPrimary) and self.is_of(other)

    def undo_code(self, before: Schema) -> str:
        return execute(f"ALTER TABLE {self.table} DROP PRIMARY KEY")


@dataclass(frozen=True)
class DropPrimary(OfTable):
    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"the primary key of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(table, primary=())

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, AddPrimary) and self.is_of(other)

    def undo_code(self, before: Schema) -> str:
        names = ", ".join(before.at_hand(self.table).primary)
        return execute(f"ALTER TABLE {self.table} ADD PRIMARY KEY ({names})") if names else ""


@dataclass(frozen=True)
class AddForeignKey(OfTable):
    key: ForeignKey

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        return f"foreign key {self.key.name} of {self.table}"

    def on(self, table: Table) -> Table:
        # The index that a foreign key, gone since, had been given on these columns goes with the new.
        used = [key.name for key in table.foreign_keys]
        kept = tuple(
            one
            for one in table.indexes
            if not (one.implied and one.serves(self.key.columns) and one.name not in used)
        )
        keys = (*table.foreign_keys, self.key)
        return with_implied_indexes(replace(table, indexes=kept, foreign_keys=keys))

    def is_undone_by(self, other: Change) -> bool:
        return _drops(self, self.key.name, other, DropForeignKey)

    def undo_code(self, before: Schema) -> str:
        return _drop_constraint_code(self.table, self.key.name, "foreignkey")


@dataclass(frozen=True)
class DropForeignKey(OfTable):
    name: str

    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"foreign key {self.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(table, foreign_keys=_without(table.foreign_keys, self.name))

    def is_undone_by(self, other: Change) -> bool:
        return (
            isinstance(other, AddForeignKey)
            and self.is_of(other)
            and same_name(self.name, other.key.name)
        )

    def undo_code(self, before: Schema) -> str:
        return _key_code(before.at_hand(self.table), self.name)


@dataclass(frozen=True)
class AddCheck(OfTable):
    check: Check

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        return f"check {self.check.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(table, checks=(*table.checks, self.check))

    def is_undone_by(self, other: Change) -> bool:
        return _drops(self, self.check.name, other, DropConstraint)

    def undo_code(self, before: Schema) -> str:
        return _drop_constraint_code(self.table, self.check.name, "check")


@dataclass(frozen=True)
class DropConstraint(OfTable):
    """DROP CHECK, or DROP CONSTRAINT, which may mean a key, too."""

    name: str

    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"constraint {self.name} of {self.table}"

    def on(self, table: Table) -> Table:
        return replace(
            table,
            checks=_without(table.checks, self.name),
            foreign_keys=_without(table.foreign_keys, self.name),
            indexes=_without(table.indexes, self.name),
        )

    def is_undone_by(self, other: Change) -> bool:
        match other:
            case AddCheck(check=made) | AddIndex(index=made) | AddForeignKey(key=made):
                return self.is_of(other) and same_name(self.name, made.name)
        return False

    def undo_code(self, before: Schema) -> str:
        return _key_code(before.at_hand(self.table), self.name)


def _drops(one: OfTable, name: str, other: Change, kind: type[OfTable]) -> bool:
    """Does `other` drop the key `name` of this table, by its own word or as a constraint?"""
    return (
        isinstance(other, (kind, DropConstraint))
        and one.is_of(other)
        and same_name(name, getattr(other, "name", ""))
    )


def _drop_constraint_code(table: str, name: str, kind: str) -> str:
    return f'op.drop_constraint({quoted(name)}, {quoted(table)}, type_="{kind}")'


def _key_code(table: Table, name: str) -> str:
    """The key as it was; empty when the chain does not know it."""
    text = ""
    if (index := table.index(name)) is not None:
        text = show.index(index)
    elif (key := table.foreign_key(name)) is not None:
        text = show.foreign_key(key)
    elif (check := table.check(name)) is not None:
        text = f"CONSTRAINT `{check.name}` {check.text}"
    return execute(f"ALTER TABLE {table.name} ADD {text}") if text else ""


def _without(those: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    return tuple(one for one in those if not same_name(one.name, name))
