"""Views, triggers, routines, events, databases, accounts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ebhook.lint.changes.change import Change, execute, same_name
from ebhook.lint.schema.schema import Schema


@dataclass(frozen=True)
class OfThing(Change):
    """A view, trigger, routine, event, database: `kind` is its word, in capitals."""

    kind: str
    name: str

    @property
    def thing(self) -> str:
        return f"{self.kind.lower()} {self.name}"

    def is_thing_of(self, other: Change) -> bool:
        """Is `other` about the same thing?"""
        return (
            isinstance(other, OfThing)
            and self.kind == other.kind
            and same_name(self.name, other.name)
        )


@dataclass(frozen=True)
class CreateThing(OfThing):
    replaces: bool = False

    verb_words: ClassVar[str] = "makes"

    def apply(self, schema: Schema) -> Schema:
        return replace(schema, things=schema.things | {(self.kind, self.name)})

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, DropThing | CreateThing) and self.is_thing_of(other)

    def undo_code(self, before: Schema) -> str:
        return execute(f"DROP {self.kind} {self.name}")


@dataclass(frozen=True)
class DropThing(OfThing):
    verb_words: ClassVar[str] = "drops"

    def apply(self, schema: Schema) -> Schema:
        return replace(schema, things=schema.things - {(self.kind, self.name)})

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, CreateThing) and self.is_thing_of(other)


@dataclass(frozen=True)
class AlterThing(OfThing):
    @property
    def thing(self) -> str:
        if self.kind == "DATABASE":
            return f"the defaults of {f'database {self.name}' if self.name else 'the database'}"
        return super().thing

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, AlterThing) and self.is_thing_of(other)
