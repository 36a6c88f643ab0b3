"""EBH073: a comparison with NULL that is never true."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.sql.dml import tree_of
from ebhook.lint.subject import Subject

RULE = Rule("EBH073", "a comparison with NULL that is never true")


def check(subject: Subject) -> Iterator[Finding]:
    from sqlglot import exp

    for done in subject.all_done:
        tree = tree_of(done.change.clause) if isinstance(done.change, Data) else None
        where = tree.find(exp.Where) if tree is not None else None
        if where is None:
            continue
        for one in where.find_all(exp.EQ, exp.NEQ):
            null = [isinstance(side, exp.Null) for side in (one.this, one.expression)]
            if any(null):
                column = (one.expression if null[0] else one.this).sql("mysql")
                right = f"{column} IS {'NOT ' * isinstance(one, exp.NEQ)}NULL"
                yield subject.finding(
                    RULE,
                    done,
                    f"{one.sql('mysql')} is NULL for every row, and never true: the statement finds no "
                    "row, says nothing, and is done. Meant is, most likely, "
                    f"{right}.",
                    example=right,
                )
