"""EBH041: a unique key, foreign key, check or primary key on a table that has rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn
from ebhook.lint.changes.keys import AddCheck, AddForeignKey, AddIndex, AddPrimary
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import (
    argument_of_kind,
    column_call,
    counterparts,
    only_one,
    remove,
    replace,
    statement_at,
    take_out,
    without,
)
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH041", "a new constraint on a table that is in use", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    added = {
        (one.change.table, one.change.column.name.lower())
        for one in subject.done
        if isinstance(one.change, AddColumn)
    }
    for done in subject.changes(AddIndex, AddForeignKey, AddCheck, AddPrimary):
        change = done.change
        match change:
            case AddIndex(index=index):
                if index.unique and not _new(added, change.table, index.columns):
                    yield _unique(subject, done)
            case AddForeignKey():
                yield _foreign_key(subject, done)
            case AddCheck(check=check) if not re.search(r"\bNOT\s+ENFORCED\s*$", check.text, re.I):
                yield _check(subject, done)
            case AddPrimary(columns=columns):
                if not _new(added, change.table, columns):
                    yield _primary(subject, done)


def _new(added: set[tuple[str, str]], table: str, columns: tuple[str, ...]) -> bool:
    """Is one of the columns new? Then EBH042 says what there is to say."""
    return any((table, one.lower()) in added for one in columns)


def _unique(subject: Subject, done: Done) -> Finding:
    table, index = done.change.table, done.change.index
    columns = ", ".join(quoted(part.name) for part in index.parts)
    name = index.name.replace("uq_", "ix_", 1)
    make = f"op.create_index({quoted(name)}, {quoted(table)}, [{columns}])"
    drop = f"op.drop_index({quoted(name)}, table_name={quoted(table)})"
    return subject.finding(
        RULE,
        done,
        f"Unique key {index.name} on {table}, which has rows already: in an agency with duplicates "
        "the revision fails (1062) and stays half done, and elsewhere INSERTs of the previous "
        "release, which knows of no such rule, begin to fail. Make a plain index, and let the "
        "application see to uniqueness; or make the key in a new table.",
        edits=_instead(subject, done, make, drop),
        example=f"{make}\n# and in downgrade():\n{drop}",
    )


def _foreign_key(subject: Subject, done: Done) -> Finding:
    table, key = done.change.table, done.change.key
    columns = ", ".join(quoted(one) for one in key.columns)
    name = f"ix_{table}_{'_'.join(key.columns)}"[:64]
    make = f"op.create_index({quoted(name)}, {quoted(table)}, [{columns}])"
    drop = f"op.drop_index({quoted(name)}, table_name={quoted(table)})"
    return subject.finding(
        RULE,
        done,
        f"Foreign key {key.name} on {table}, which is in use: the server copies the whole table and "
        f"blocks writes to it and to {key.table} meanwhile (1846 refuses anything cheaper), it fails "
        "(1452) in an agency with an orphan row, and DELETEs of the previous release on "
        f"{key.table} begin to fail. An index serves the joins; new tables can have foreign keys.",
        edits=_foreign_key_edits(subject, done, make, drop),
        example=f"{make}\n# and in downgrade():\n{drop}",
    )


def _foreign_key_edits(subject: Subject, done: Done, make: str, drop: str) -> list[Edit]:
    if only_one(subject, done):
        return _instead(subject, done, make, drop)
    # op.add_column(…, sa.Column(…, sa.ForeignKey(…))) makes both.
    source, key = subject.source, done.change.key
    call = column_call(source, done.span, key.columns[0]) if len(key.columns) == 1 else None
    node = argument_of_kind(source, call, "ForeignKey") if call is not None else None
    if call is None or node is None:
        return []
    return [take_out(source, call, node), *remove(source, counterparts(subject, [done]))]


def _check(subject: Subject, done: Done) -> Finding:
    table, check = done.change.table, done.change.check
    return subject.finding(
        RULE,
        done,
        f"Check {check.name} on {table}, which has rows already: the server copies the whole table "
        "and blocks writes meanwhile, it fails (3819) in an agency with a row that does not fit, and "
        "INSERTs of the previous release begin to fail. Let the application check it.",
        edits=without(subject, done) or _check_edits(subject, done),
        example=f"# {check.text}: checked by the application.",
    )


def _check_edits(subject: Subject, done: Done) -> list[Edit]:
    source = subject.source
    for one in subject.done:
        if one.span == done.span and isinstance(one.change, AddColumn):
            call = column_call(source, done.span, one.change.column.name)
            node = argument_of_kind(source, call, "CheckConstraint") if call is not None else None
            if call is not None and node is not None:
                return [take_out(source, call, node)]
    return []


def _primary(subject: Subject, done: Done) -> Finding:
    table = done.change.table
    return subject.finding(
        RULE,
        done,
        f"A primary key on {table}, which has rows already: the whole table is rebuilt, and it fails "
        "in an agency with duplicates (1062) or NULLs (1138). Make a new table that has the key from "
        "the start.",
        edits=without(subject, done),
        example=f"# {table} stays without; a new table has its key from the start.",
    )


def _instead(subject: Subject, done: Done, make: str, drop: str) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    edits = [replace(subject.source, statement, make)]
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back:
        edits.append(replace(subject.source, back[0], drop))
        edits.extend(remove(subject.source, back[1:]))
    return edits
