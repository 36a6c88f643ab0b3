"""EBH001: a table is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.tables import DropTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
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
            edits=without(subject, done),
            example=f"# Table {table} stays; take its model out of the application.",
        )
