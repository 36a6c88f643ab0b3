"""EBH062: a new table without a primary key."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.keys import AddPrimary
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.code import quoted
from ebhook.lint.subject import Subject

RULE = Rule("EBH062", "a new table without a primary key", Severity.WARNING)


def check(subject: Subject) -> Iterator[Finding]:
    later = {one.change.table for one in subject.done if isinstance(one.change, AddPrimary)}
    for done in subject.done:
        change = done.change
        if not isinstance(change, CreateTable) or change.table not in subject.made:
            continue
        if not change.made.whole or change.made.primary or change.table in later:
            continue
        serial = any(one.key == "primary" for one in change.made.columns)
        if serial:
            continue
        yield subject.finding(
            RULE,
            done,
            f"Table {change.table} has no primary key, and no later revision can give it one without "
            "rebuilding it. Row-based replication looks through the whole table for each row, group "
            "replication and sql_require_primary_key refuse it (3750), and no row can be named.",
            example=f"sa.Column({quoted('id')}, sa.BigInteger(), primary_key=True)",
        )
