"""EBH100: a column, an index or a constraint is named that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ebhook.lint.changes.columns import AddColumn, DropColumn, OfColumn
from ebhook.lint.changes.keys import (
    AddCheck,
    AddForeignKey,
    AddIndex,
    AddPrimary,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    RenameIndex,
)
from ebhook.lint.changes.rows import Data
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.changes.things import CreateThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import swap_word
from ebhook.lint.schema.schema import Check, ForeignKey, Index, Table
from ebhook.lint.sql.columns import (
    unknown_in_definition,
    unknown_in_expression,
    unknown_in_statement,
    unknown_in_view,
)
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH100", "a name that is not there")


@dataclass(frozen=True)
class Missing:
    """`what` is not in `table`; the server answers with `number`. `others`: the names that are."""

    what: str
    name: str
    table: str
    number: int
    others: tuple[str, ...]


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        if done.change.maybe and not isinstance(done.change, CreateTable):
            continue
        for missing in _missing(done, subject):
            close = difflib.get_close_matches(missing.name, missing.others, n=1, cutoff=0.6)
            hint = f" There is {close[0]}." if close else ""
            listed = ", ".join(missing.others[:8]) or "none"
            call = subject.source.call_at(done.span) if done.span is not None else None
            yield subject.finding(
                RULE,
                done,
                f"Table {missing.table} has no {missing.what} {missing.name}.{hint} The statement "
                f"fails ({missing.number}) in every agency.",
                edits=swap_word(subject.source, call, missing.name, close[0])
                if call is not None and close
                else (),
                example=f"# {missing.table} has: {listed}",
            )


def _missing(done: Done, subject: Subject) -> Iterator[Missing]:
    change = done.change
    if isinstance(change, Data):
        for one in unknown_in_statement(change.clause, done.before):
            yield _column(done.before.at_hand(one.table), one.name, 1054)
        return
    if isinstance(change, CreateThing) and change.kind == "VIEW":
        for one in unknown_in_view(done.step.sql, done.before):
            yield _column(done.before.at_hand(one.table), one.name, 1054)
        return
    if isinstance(change, CreateTable):
        if change.made.whole and not change.if_not_exists:
            yield from _in_new_table(change.made, subject)
        return
    table = done.before.table(getattr(change, "table", ""))
    if table is not None and table.whole:
        yield from _in_table(done, table, subject)


def _in_table(done: Done, table: Table, subject: Subject) -> Iterator[Missing]:
    change = done.change
    match change:
        case AddColumn(column=column):
            place = column.place
            later = {
                one.column.name.lower() for one in done.step.changes if isinstance(one, AddColumn)
            }
            if place and place != "first" and place.lower() not in later:
                yield from _columns(table, [place], 1054)
            if column.generated:
                for one in unknown_in_definition(column, table):
                    if one.name.lower() not in later:
                        yield _column(table, one.name, 1054)
        case DropColumn():
            yield from _columns(table, [change.name], 1091)
        case OfColumn():
            yield from _columns(table, [change.name], 1054)
        case AddIndex(index=index):
            yield from _columns(table, _parts(index), 1072)
        case AddPrimary(columns=columns):
            yield from _columns(table, columns, 1072)
        case AddForeignKey(key=key):
            yield from _columns(table, key.columns, 1072)
        case AddCheck(check=check):
            yield from _check(check, table, subject)
        case DropIndex() | RenameIndex():
            number = 1091 if isinstance(change, DropIndex) else 1176
            named = not any(part.expression for index in table.indexes for part in index.parts)
            if named and change.name.upper() != "PRIMARY" and table.index(change.name) is None:
                names = tuple(one.name for one in table.indexes)
                yield Missing("index", change.name, table.name, number, names)
        case DropForeignKey():
            if table.foreign_key(change.name) is None:
                names = tuple(one.name for one in table.foreign_keys)
                yield Missing("foreign key", change.name, table.name, 1091, names)
        case DropConstraint():
            yield from _constraint(change, table, subject)


def _constraint(change: DropConstraint, table: Table, subject: Subject) -> Iterator[Missing]:
    known = (
        *(one.name for one in table.checks),
        *(one.name for one in table.foreign_keys),
        *(one.name for one in table.indexes if one.unique),
    )
    if change.name.lower() in map(str.lower, known):
        return
    # A check without a name has another one on each flavour.
    if not table.checks and change.name.upper() != "PRIMARY":
        by_check = change.clause.split()[1:2] == ["CHECK"]
        number = 1091 if subject.server.is_mariadb else 3821 if by_check else 3940
        yield Missing("constraint", change.name, table.name, number, known)


def _check(check: Check, table: Table, subject: Subject) -> Iterator[Missing]:
    if check.text.upper().startswith("CHECK"):
        number = 1054 if subject.server.is_mariadb else 3820
        for one in unknown_in_expression(check.text[len("CHECK") :], table):
            yield _column(table, one.name, number)


def _in_new_table(table: Table, subject: Subject) -> Iterator[Missing]:
    for index in table.indexes:
        yield from _columns(table, _parts(index), 1072)
    yield from _columns(table, table.primary, 1072)
    keys: Iterable[ForeignKey] = table.foreign_keys
    for key in keys:
        yield from _columns(table, key.columns, 1072)
    for check in table.checks:
        yield from _check(check, table, subject)
    for column in table.columns:
        if column.generated:
            for one in unknown_in_definition(column, table):
                yield _column(table, one.name, 1054)


def _parts(index: Index) -> list[str]:
    return [] if index.implied else [one.name for one in index.parts if not one.expression]


def _columns(table: Table, names: Iterable[str], number: int) -> Iterator[Missing]:
    for name in names:
        if table.column(name) is None:
            yield _column(table, name, number)


def _column(table: Table, name: str, number: int) -> Missing:
    return Missing("column", name, table.name, number, tuple(one.name for one in table.columns))
