"""EBH075: INSERT without the names of its columns."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.sql.dml import tree_of
from ebhook.lint.subject import Subject

RULE = Rule("EBH075", "INSERT without the names of its columns", Severity.WARNING)


def check(subject: Subject) -> Iterator[Finding]:
    from sqlglot import exp

    for done in subject.all_done:
        change = done.change
        if not isinstance(change, Data) or change.verb not in ("INSERT", "REPLACE"):
            continue
        tree = tree_of(change.clause)
        if not isinstance(tree, exp.Insert) or isinstance(tree.this, exp.Schema):
            continue
        if (
            tree.expression is None
            or " SET " in f" {change.clause.upper().partition('VALUES')[0]} "
        ):
            continue
        table = change.tables[0] if change.tables else "the table"
        known = done.before.at_hand(table)
        names = ", ".join(one.name for one in known.columns) if known.whole else "…"
        yield subject.finding(
            RULE,
            done,
            f"{change.verb} into {table} goes by the order of the columns, which is another one where "
            "a column was added in another place, and it fails (1136) as soon as there is one more. Name "
            "the columns.",
            example=f"INSERT INTO {table} ({names}) VALUES (…)",
        )
