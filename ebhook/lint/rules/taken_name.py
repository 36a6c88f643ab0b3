"""EBH101: a table, a column, an index or a thing is made that is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ebhook.lint.changes.columns import AddColumn, DropColumn, ModifyColumn, RenameColumn
from ebhook.lint.changes.keys import AddIndex, AddPrimary, DropIndex, DropPrimary, RenameIndex
from ebhook.lint.changes.tables import CreateTable, RenameTable
from ebhook.lint.changes.things import CreateThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.schema.schema import Table
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH101", "a name that is there already")

_NUMBERS = {"VIEW": 1050, "TRIGGER": 1359, "PROCEDURE": 1304, "FUNCTION": 1304, "EVENT": 1537}


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        if done.change.maybe:
            continue
        for what, number in _taken(done):
            yield subject.finding(
                RULE,
                done,
                f"{what[0].upper()}{what[1:]} is there already, and the statement fails ({number}) "
                "in every agency. Give it another name, or leave this out.",
                edits=_edits(subject, done),
                example=f"# {what} is there",
            )


def _edits(subject: Subject, done: Done) -> list[Edit]:
    return without(subject, done) if done in subject.done else []


def _taken(done: Done) -> Iterator[tuple[str, int]]:
    change, schema = done.change, done.before
    match change:
        case CreateTable():
            if schema.table(change.table) is not None or ("VIEW", change.table) in schema.things:
                yield f"table {change.table}", 1050
            yield from _twice(change.made)
        case RenameTable():
            if schema.table(change.new) is not None and change.new != change.table:
                yield f"table {change.new}", 1050
        case CreateThing():
            there = (change.kind, change.name) in schema.things
            if change.kind == "VIEW" and schema.table(change.name) is not None:
                yield f"table {change.name}", 1050
            elif there and not change.replaces and change.kind in _NUMBERS:
                yield f"{change.kind.lower()} {change.name}", _NUMBERS[change.kind]
        case AddColumn() | RenameColumn() | ModifyColumn() | AddIndex() | RenameIndex():
            yield from _in_table(done, schema.at_hand(change.table))
        case AddPrimary(columns=columns) if _named_twice(columns):
            yield f"column {_named_twice(columns)} in this key", 1060
        case AddPrimary():
            table = schema.at_hand(change.table)
            if table.primary and not any(isinstance(o, DropPrimary) for o in done.step.changes):
                yield f"the primary key of {change.table}", 1068


def _in_table(done: Done, table: Table) -> Iterator[tuple[str, int]]:
    change = done.change
    others = [one for one in done.step.changes if one is not change]
    match change:
        case AddColumn(column=column):
            new, old = column.name, ""
        case RenameColumn() | ModifyColumn():
            new, old = change.new_name, change.name
        case AddIndex(index=index):
            new, old = index.name, ""
        case RenameIndex():
            new, old = change.new, change.name
    if new.lower() == old.lower():
        return
    if isinstance(change, AddIndex) and (twice := _named_twice(change.index.columns)):
        yield f"column {twice} in this index", 1060
    if isinstance(change, (AddIndex, RenameIndex)):
        leaving = {o.name.lower() for o in others if isinstance(o, (DropIndex, RenameIndex))}
        found = table.index(new)
        if found is not None and not found.implied and new.lower() not in leaving:
            yield f"index {found.name} of {table.name}", 1061
        return
    kinds = (DropColumn, RenameColumn, ModifyColumn)
    leaving = {o.name.lower() for o in others if isinstance(o, kinds)}
    there = table.column(new)
    # EBH052 says what there is to say of two that differ by case.
    if there is not None and there.name == new and new.lower() not in leaving:
        yield f"column {table.name}.{new}", 1060


def _named_twice(names: Sequence[str]) -> str:
    """The first column that a key has twice; empty when there is none."""
    return next((one for one in names if names.count(one) > 1), "")


def _twice(table: Table) -> Iterator[tuple[str, int]]:
    """What a CREATE TABLE says twice itself."""
    for kind, names, number in (
        ("column", [one.name for one in table.columns], 1060),
        ("index", [one.name.lower() for one in table.indexes if not one.implied], 1061),
    ):
        for name in dict.fromkeys(one for one in names if names.count(one) > 1):
            yield f"{kind} {name} of {table.name}", number
