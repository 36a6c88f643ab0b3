"""Does downgrade() take back exactly what upgrade() did, in reverse order?"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from ebhook.lint.changes.change import OfTable
from ebhook.lint.changes.columns import DropColumn, ModifyColumn, SetDefault
from ebhook.lint.changes.keys import (
    AddForeignKey,
    AddIndex,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
)
from ebhook.lint.changes.rows import Data, OpaqueStatement, Read, SessionStatement
from ebhook.lint.changes.tables import (
    Convert,
    CreateTable,
    DropTable,
    Rebuild,
    RenameTable,
    SetOption,
    Toggle,
    Truncate,
    charset_code,
)
from ebhook.lint.changes.things import DropThing
from ebhook.lint.fixes.code import add_column_code, column_code, quoted
from ebhook.lint.fixes.rewrite import statement_at
from ebhook.lint.sandbox import absent
from ebhook.lint.schema.schema import Column, Table
from ebhook.lint.source import Edit, Span
from ebhook.lint.subject import Done, Subject


@dataclass(frozen=True)
class ReversalDifference:
    """Something that is otherwise after downgrade(): in words, and what would put it right."""

    words: str
    code: str


@dataclass(frozen=True)
class Reversal:
    """What there is to say of a downgrade. `left`: what upgrade() did and nothing takes back.
    `changed`: what is otherwise than before, although it was taken back.

    `disorder`: pairs of undoing changes that stand in the wrong order. `more`: what downgrade()
    does to things that upgrade() did not make.
    """

    left: tuple[Done, ...]
    changed: tuple[ReversalDifference, ...]
    disorder: tuple[tuple[Done, Done], ...]
    more: tuple[Done, ...]


@lru_cache(maxsize=4)
def reversal(subject: Subject) -> Reversal:
    todo = made_for_good(subject)
    matched: dict[int, int] = {}  # place in downgrade(): place in upgrade()
    more: list[Done] = []
    for at, undone in enumerate(subject.undone):
        if not _matters(undone) and not isinstance(undone.change, Data):
            continue
        places = [
            place
            for place, done in enumerate(todo)
            if place not in matched.values() and done.change.is_undone_by(undone.change)
        ]
        if places:
            matched[at] = places[-1]
        elif not _part_of(subject, undone):
            # Away and back again, as one has to with a foreign key: nothing has changed.
            first = next((one for one in more if one.change.is_undone_by(undone.change)), None)
            if first is not None:
                more.remove(first)
            else:
                more.append(undone)
    left = [
        done
        for place, done in enumerate(todo)
        if place not in matched.values()
        and not _goes_along(subject, done)
        and not _rows_are_changed(subject, done)
    ]
    changed = () if left or more else tuple(_differences(subject))
    return Reversal(tuple(left), changed, tuple(_disorder(subject, matched)), tuple(more))


def _differences(subject: Subject) -> Iterator[ReversalDifference]:
    """What is otherwise than before. Where columns stand does not count."""
    for name, old in subject.before.tables.items():
        new = subject.downgrade.after.tables.get(name)
        if new is None or new is old or not (old.whole and new.whole):
            continue
        yield from _collation_difference(old, new)
        for column in old.columns:
            now = new.column(column.name)
            if now is None or not _alike(now, column):
                words = (
                    f"{now.text}; it was {column.text}" if now else f"gone; it was {column.text}"
                )
                yield ReversalDifference(
                    f"column {name}.{column.name} ({words})",
                    add_column_code(name, column_code(column)),
                )
        known = {index.name.lower() for index in old.indexes}
        for index in new.indexes:
            if index.name.lower() not in known:
                made = ", which the server made for a foreign key" * index.implied
                yield ReversalDifference(
                    f"index {index.name} of {name}{made}",
                    f"op.drop_index({quoted(index.name)}, table_name={quoted(name)})",
                )


# What a character set's collation is when nobody says one: MySQL from 8.0 on, MariaDB before 11.
_DEFAULTS = {
    "utf8mb4": {"utf8mb4_0900_ai_ci", "utf8mb4_general_ci", "utf8mb4_uca1400_ai_ci"},
    "utf8mb3": {"utf8mb3_general_ci", "utf8_general_ci", "utf8mb3_uca1400_ai_ci"},
    "utf8": {"utf8mb3_general_ci", "utf8_general_ci", "utf8mb3_uca1400_ai_ci"},
    "latin1": {"latin1_swedish_ci"},
    "ascii": {"ascii_general_ci"},
}


def _collation_difference(old: Table, new: Table) -> Iterator[ReversalDifference]:
    """A table's default collation, which DEFAULT CHARACTER SET without COLLATE resets."""
    was, now = old.options.get("collate"), new.options.get("collate")
    if was == now or was is None:
        return
    charset = new.options.get("charset", was.partition("_")[0])
    if now is None and was in _DEFAULTS.get(charset, {was}):
        return
    told = now or f"the default of {charset}, as DEFAULT CHARACTER SET without COLLATE makes it"
    yield ReversalDifference(
        f"the default collation of {old.name} ({told}; it was {was})",
        charset_code(old.name, old.options),
    )


def _alike(a: Column, b: Column) -> bool:
    a, b = _plain(a), _plain(b)
    if absent.TYPE in (a.type.name, b.type.name):
        a = replace(a, type=b.type)  # nobody can tell
    return a == b


def _plain(column: Column) -> Column:
    """A column with its default as the server keeps it: quotes make no difference."""
    default = column.default
    if default is not None:
        default = replace(default, text=default.text.strip("'").lower())
    return replace(column, default=default)


def made_for_good(subject: Subject) -> list[Done]:
    """What upgrade() does that matters, without what it takes back itself."""
    left: list[Done] = []
    for one in subject.done:
        if not _matters(one):
            continue
        change = one.change
        if isinstance(change, DROPS):
            maker = next(
                (made for made in reversed(left) if made.change.is_undone_by(change)), None
            )
            if maker is not None:
                left.remove(maker)
                continue
            if isinstance(change, DropThing) and (change.kind, change.name) in subject.things:
                continue  # DROP … IF EXISTS, and then CREATE
            if isinstance(change, DropTable) and change.table in subject.made:
                continue
        left.append(one)
    return left


DROPS = (DropTable, DropColumn, DropIndex, DropForeignKey, DropConstraint, DropPrimary, DropThing)


def _matters(one: Done) -> bool:
    """Is there something to take back? UPDATE and DELETE cannot be; rows that were added can."""
    change = one.change
    if isinstance(change, Data):
        return change.verb in ("INSERT", "REPLACE", "LOAD")
    return not isinstance(
        change, (SessionStatement, Read, OpaqueStatement, Truncate, Rebuild, Toggle)
    )


def _part_of(subject: Subject, undone: Done) -> bool:
    """Is it a part of a table that upgrade() makes, or rows of what it filled?"""
    change = undone.change
    if isinstance(change, DropIndex) and any(
        isinstance(one.change, AddForeignKey) and one.change.key.name.lower() == change.name.lower()
        for one in subject.done
    ):
        return True  # the index that the server made for a foreign key
    if isinstance(change, SetOption) and change.name == "collate":
        return _sets_charset(change.table, subject.done)
    if isinstance(change, Data):
        touched = {table for one in subject.done if isinstance(one.change, Data)
                   for table in one.change.tables}  # fmt: skip
        return bool(set(change.tables) & (touched | subject.made))
    return (
        isinstance(change, OfTable)
        and change.table in subject.made
        and not isinstance(change, DropTable)
    )


def _goes_along(subject: Subject, done: Done) -> bool:
    """Is it gone when something else is that downgrade() removes: its table, or its columns?"""
    change = done.change
    drops = {one.change.table for one in subject.undone if isinstance(one.change, DropTable)}
    if isinstance(change, Data):
        return bool(change.tables) and set(change.tables) <= drops
    if not isinstance(change, OfTable):
        return False
    if change.table in drops and not isinstance(change, (CreateTable, DropTable)):
        return True
    if isinstance(change, RenameTable):
        return change.new in drops
    if isinstance(change, SetOption) and change.name == "collate":
        return _sets_charset(change.table, subject.undone)
    gone = {
        one.change.name.lower()
        for one in subject.undone
        if isinstance(one.change, DropColumn) and one.change.table == change.table
    }
    if isinstance(change, AddIndex):
        return bool(change.index.columns) and set(change.index.columns) <= gone
    if isinstance(change, (ModifyColumn, SetDefault)):
        return change.name.lower() in gone
    return False


def _rows_are_changed(subject: Subject, done: Done) -> bool:
    """Are they rows of a table whose rows downgrade() changes? One DELETE may be for many INSERTs."""
    return isinstance(done.change, Data) and any(
        done.change.is_undone_by(undone.change) for undone in subject.undone
    )


def _sets_charset(table: str, those: Iterable[Done]) -> bool:
    """A character set brings a collation with it: whether the right one, the schemas tell."""
    return any(
        isinstance(one.change, Convert | SetOption)
        and one.change.table == table
        and getattr(one.change, "name", "charset") == "charset"
        for one in those
    )


def _disorder(subject: Subject, matched: dict[int, int]) -> Iterator[tuple[Done, Done]]:
    """Each change of downgrade() that undoes something later than the one before it."""
    latest: tuple[int, Done] | None = None
    for at, place in matched.items():
        undone = subject.undone[at]
        if isinstance(undone.change, Data):
            continue
        if latest is not None and place > latest[0] and not _together(latest[1], undone):
            yield latest[1], undone
            continue
        latest = (place, undone)


def _together(a: Done, b: Done) -> bool:
    """In one statement the server sees to the order itself; so it does for options."""
    return a.step is b.step or (isinstance(a.change, SetOption) and isinstance(b.change, SetOption))


def corrected(subject: Subject) -> tuple[list[Edit], str]:
    """downgrade() as it should be: edits, or the whole function where there is none to edit."""
    lines = list(_lines(subject))
    if not lines:
        return [], ""
    function = subject.source.function("downgrade")
    body = "\n".join(lines)
    if "…" in body:  # which rows, only a person can say
        return [], body
    if function is None:
        end = len(subject.source.lines) + 1
        text = f"\n\ndef downgrade():\n{textwrap.indent(body, '    ')}\n"
        return [Edit(Span(end, 0, end, 0), text)], ""
    statements = function.body
    if len(statements) > 1 and ast.get_docstring(function) is not None:
        statements = statements[1:]
    first, last = subject.source.span(statements[0]), subject.source.span(statements[-1])
    indent = " " * first.column
    text = textwrap.indent(body, indent)[len(indent) :]
    span = Span(first.line, first.column, last.end_line, last.end_column)
    return [Edit(span, text)], ""


def _lines(subject: Subject) -> Iterator[str]:
    """The statements of a right downgrade, the user's own where there are any."""
    said = set()
    for done in reversed(made_for_good(subject)):
        change = done.change
        inside = isinstance(change, OfTable) and change.table in subject.made
        if inside and not isinstance(change, CreateTable):
            continue
        if isinstance(change, Data) and set(change.tables) <= subject.made:
            continue
        text = _own(subject, done) or change.undo_code(done.before)
        if text and text not in said:
            said.add(text)
            yield text


def _own(subject: Subject, done: Done) -> str:
    """The user's own statement that undoes this and nothing else."""
    for undone in subject.undone:
        if not done.change.is_undone_by(undone.change):
            continue
        alone = [one for one in subject.undone if one.span == undone.span]
        statement = statement_at(subject.source, undone.span)
        if statement is not None and len(alone) == 1:
            return subject.source.dedented(statement)
    return ""
