"""EBH001: a table is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.tables import CreateTable, DropTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import only_one, replace, statement_at, without
from ebhook.lint.subject import Subject

RULE = Rule("EBH001", "a table is dropped", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(DropTable):
        table = done.change.table
        yield subject.finding(
            RULE,
            done,
            f"Table {table} is dropped. Instances of the previous release still query it while this "
            "one boots, and fail; its rows are gone in every agency, and no downgrade brings them "
            f"back. Leave {table} where it is and stop using it in the models.",
            edits=() if _made_anew(subject, table) else without(subject, done),
            example=f"# Table {table} stays; take its model out of the application.",
        )
    for done in subject.done:
        change = done.change
        if not isinstance(change, CreateTable) or change.table not in subject.made:
            continue
        if re.match(r"CREATE\s+OR\s+REPLACE\b", change.clause, re.I):
            statement = statement_at(subject.source, done.span)
            sql = re.sub(r"\bOR\s+REPLACE\s+", "", done.step.sql, count=1, flags=re.I)
            code = f"op.execute({quoted(sql)})"
            yield subject.finding(
                RULE,
                done,
                f"OR REPLACE drops a table {change.table} that an agency has and this chain does not know "
                "of, with its rows. Without these words the statement says so, and stops.",
                edits=[replace(subject.source, statement, code)]
                if statement is not None and only_one(subject, done)
                else (),
                example=code,
            )


def _made_anew(subject: Subject, table: str) -> bool:
    """Does the revision make one of the name again? Without the drop, that would fail (1050)."""
    return any(
        isinstance(one.change, CreateTable) and one.change.table == table for one in subject.done
    )
