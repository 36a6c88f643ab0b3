"""EBH071: an UPDATE or DELETE of all rows."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import only_one, replace, statement_at
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH071", "an UPDATE or DELETE of all rows")


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(Data):
        change = done.change
        if change.bounded or set(change.tables) <= subject.made:
            continue
        table = change.tables[0] if change.tables else "the table"
        yield subject.finding(
            RULE,
            done,
            f"{change.verb} without WHERE takes every row of {table}"
            f"{' that the join finds' if ' JOIN ' in change.clause.upper() else ''}, in one transaction: each row is "
            "locked until the end, the previous release waits and times out (1205), the undo log and "
            "replication lag grow with the biggest agency, and a failure at the last row undoes it "
            "all. Say which rows, in pieces by the primary key.",
            edits=_edits(subject, done),
            example=_piecewise(done),
        )


def _piecewise(done: Done) -> str:
    sql = " ".join(done.change.clause.split()).rstrip("; ")
    table = done.change.tables[0] if done.change.tables else "t"
    key = done.change.handle + (done.before.at_hand(table).primary or ("id",))[0]
    return f"op.execute({quoted(f'{sql} WHERE {key} BETWEEN 1 AND 10000')})"


def _edits(subject: Subject, done: Done) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    simple = " WHERE " not in done.change.clause.upper() and len(done.step.changes) == 1
    if (
        statement is None
        or not simple
        or not only_one(subject, done)
        or len(_piecewise(done)) > 300
    ):
        return []
    return [replace(subject.source, statement, _piecewise(done))]
