"""What every change has: its clause, its words, its effect, and what takes it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ebhook.lint.fixes.code import quoted
from ebhook.lint.schema.schema import Schema, Table


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that a statement does. `clause` is the part of the statement that says it.

    `maybe`: it says IF EXISTS or IF NOT EXISTS.
    """

    clause: str = field(default="", compare=False)
    maybe: bool = field(default=False, compare=False)

    verb_words: ClassVar[str] = "changes"

    @property
    def thing(self) -> str:
        """What it makes, changes or removes, in words: ``column cases.title``."""
        return self.clause

    @property
    def words(self) -> str:
        """What it does, with its verb: ``drops column cases.title``."""
        return f"{self.verb_words} {self.thing}"

    def apply(self, schema: Schema) -> Schema:
        """The schema after it. What cannot be (a second table of the name) replaces silently."""
        return schema

    def is_undone_by(self, other: Change) -> bool:
        """Does `other` take it back?"""
        return False

    def undo_code(self, before: Schema) -> str:
        """The statement of downgrade() that takes it back; empty when nobody can tell.

        Args:
            before: the schema that it was applied to.
        """
        return ""


@dataclass(frozen=True)
class OfTable(Change):
    """A change of one table."""

    table: str

    def apply(self, schema: Schema) -> Schema:
        old = schema.at_hand(self.table)
        new = self.on(old)
        return schema if new is old else schema.with_table(new)

    def on(self, table: Table) -> Table:
        """The table after it."""
        return table

    def is_of(self, other: Change) -> bool:
        """Is `other` a change of the same table?"""
        return isinstance(other, OfTable) and other.table == self.table


def same_name(one: object, other: object) -> bool:
    """The server compares names of columns and keys without case."""
    return str(one).lower() == str(other).lower()


def execute(sql: str) -> str:
    """`sql` as a statement of a version file."""
    return f"op.execute({quoted(sql)})"
