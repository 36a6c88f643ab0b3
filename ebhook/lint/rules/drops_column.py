"""EBH002: a column is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import DropColumn
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.subject import Subject

RULE = Rule("EBH002", "a column is dropped", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(DropColumn):
        table, name = done.change.table, done.change.name
        column = done.before.at_hand(table).column(name)
        needed = (
            " It is NOT NULL without a default: when the models leave it out, give it a default "
            "first, or INSERTs fail."
            if column is not None
            and not column.nullable
            and column.default is None
            and not column.auto_increment
            else ""
        )
        yield subject.finding(
            RULE,
            done,
            f"Column {table}.{name} is dropped. Instances of the previous release name it in every "
            f"SELECT and INSERT on {table}, and fail with 1054 from this moment on; its values are "
            f"gone. Leave the column and take it out of the models.{needed}",
            edits=without(subject, done),
            example=f"# Column {table}.{name} stays; take it out of the model.",
        )
