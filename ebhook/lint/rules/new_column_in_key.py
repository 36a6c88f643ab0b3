"""EBH042: a new column in a unique or primary key."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn
from ebhook.lint.changes.keys import AddIndex, AddPrimary
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import (
    column_call,
    counterparts,
    only_one,
    remove,
    replace,
    set_keyword,
    statement_at,
)
from ebhook.lint.fixes.words import listed
from ebhook.lint.schema.schema import Column
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH042", "a new column in a unique or primary key", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    added: dict[tuple[str, str], Column] = {}
    for done in subject.changes(AddColumn, AddIndex, AddPrimary):
        change = done.change
        if isinstance(change, AddColumn):
            added[change.table, change.column.name.lower()] = change.column
            if change.column.key is not None:
                yield _finding(
                    subject, done, change.column.key, [change.column], change.column.name, 1
                )
            continue
        columns = change.index.columns if isinstance(change, AddIndex) else change.columns
        new = [
            column
            for name in columns
            if (column := added.get((change.table, name.lower()))) is not None
        ]
        if new and isinstance(change, AddPrimary):
            yield _finding(subject, done, "primary", new, "PRIMARY", len(columns))
        elif new and change.index.unique:
            yield _finding(subject, done, "unique", new, change.index.name, len(columns))


def _finding(
    subject: Subject, done: Done, kind: str, new: list[Column], name: str, count: int
) -> Finding:
    table = done.change.table
    names = listed([one.name for one in new])
    if kind == "unique" and all(one.nullable and one.default is None for one in new):
        why = (
            "All rows have NULL there, and NULLs do not collide, so the key can be made, by reading "
            "the whole table; but the previous release knows nothing of it, and whatever fills the "
            "column later fails at the first duplicate, in some agencies only."
        )
    elif len(new) < count:
        why = (
            "All rows, and those that the previous release adds, get the same value there: it works "
            "only where the key's other columns do not repeat, and while that is so the new column "
            "adds nothing; the day it does, the previous release collides (1062). The key is built "
            "while the agency waits."
        )
    else:
        why = (
            "All rows, and those that the previous release adds, get the same value there: the second "
            "one collides (1062), in every agency that has two rows."
        )
    return subject.finding(
        RULE,
        done,
        f"{_columns(names, new)} of {table} {'is' if len(new) == 1 else 'are'} in the {kind} key"
        f"{'' if kind == 'primary' else f' {name}'}"
        f". {why} A plain index finds rows just as fast; a key belongs to a new table.",
        edits=_edits(subject, done, new[0]),
        example=f"op.create_index({quoted(f'ix_{table}_{new[0].name}'[:64])}, {quoted(table)}, "
        f"[{quoted(new[0].name)}])",
    )


def _columns(names: str, new: list[Column]) -> str:
    return f"The new column{'s' * (len(new) > 1)} {names}"


def _edits(subject: Subject, done: Done, column: Column) -> list[Edit]:
    source = subject.source
    statement = statement_at(source, done.span)
    if statement is None or isinstance(done.change, AddPrimary):
        return []
    call = column_call(source, done.span, column.name)
    if call is not None:
        edits = [set_keyword(source, call, "unique", "False")]
        return [*edits, *remove(source, counterparts(subject, [done]))]
    if not isinstance(done.change, AddIndex) or not only_one(subject, done):
        return []
    table, index = done.change.table, done.change.index
    name = index.name.replace("uq_", "ix_", 1)
    columns = ", ".join(quoted(part.name) for part in index.parts)
    edits = [
        replace(source, statement, f"op.create_index({quoted(name)}, {quoted(table)}, [{columns}])")
    ]
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back:
        drop = f"op.drop_index({quoted(name)}, table_name={quoted(table)})"
        edits.append(replace(source, back[0], drop))
        edits.extend(remove(source, back[1:]))
    return edits
