"""EBH006: a table is emptied."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.tables import Truncate
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.subject import Subject

RULE = Rule("EBH006", "a table is emptied with TRUNCATE", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(Truncate):
        table = done.change.table
        yield subject.finding(
            RULE,
            done,
            f"TRUNCATE empties {table} in every agency. It is DDL: it commits at once, cannot be "
            "rolled back, fires no trigger, and no downgrade brings the rows back. Leave the rows; "
            "what has to go, the application deletes by its own rules.",
            edits=without(subject, done),
            example=f"# The rows of {table} stay.",
        )
