"""The names that a revision brings into the schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ebhook.lint.changes.columns import AddColumn, ModifyColumn, RenameColumn
from ebhook.lint.changes.keys import AddCheck, AddForeignKey, AddIndex, RenameIndex
from ebhook.lint.changes.tables import CreateTable, RenameTable
from ebhook.lint.changes.things import CreateThing
from ebhook.lint.subject import Done, Subject


@dataclass(frozen=True)
class NewName:
    """`what` is the kind of thing, for a sentence's beginning; `table` is where it is."""

    what: str
    name: str
    done: Done
    table: str | None = None

    @property
    def is_column(self) -> bool:
        return self.what == "Column"


def new_names(subject: Subject) -> Iterator[NewName]:
    """Every name that upgrade() gives to something, in order."""
    for done in subject.done:
        for what, name, table in _names(done):
            yield NewName(what, name.rpartition(".")[2] if what == "Table" else name, done, table)


def _names(done: Done) -> Iterator[tuple[str, str, str | None]]:
    change = done.change
    match change:
        case CreateTable():
            yield "Table", change.table, None
            for column in change.made.columns if change.made.whole else ():
                yield "Column", column.name, change.table
            for index in change.made.indexes:
                yield "Index", index.name, change.table
            for key in change.made.foreign_keys:
                yield "Foreign key", key.name, change.table
            for check in change.made.checks:
                yield "Check", check.name, change.table
        case AddColumn():
            yield "Column", change.column.name, change.table
        case ModifyColumn() if change.column.name.lower() != change.name.lower():
            yield "Column", change.column.name, change.table
        case RenameColumn():
            yield "Column", change.new, change.table
        case AddIndex():
            yield "Index", change.index.name, change.table
        case RenameIndex():
            yield "Index", change.new, change.table
        case AddForeignKey():
            yield "Foreign key", change.key.name, change.table
        case AddCheck():
            yield "Check", change.check.name, change.table
        case RenameTable():
            yield "Table", change.new, None
        case CreateThing():
            yield change.kind.capitalize(), change.name, None
