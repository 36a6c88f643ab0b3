"""EBH005: an index, a key or a constraint is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.keys import DropConstraint, DropForeignKey, DropIndex, DropPrimary
from ebhook.lint.changes.tables import Toggle
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH005", "an index, a key or a constraint is dropped", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(DropIndex, DropForeignKey, DropConstraint, DropPrimary):
        what, why = _words(done)
        yield subject.finding(
            RULE,
            done,
            f"{what} is dropped. {why} Leave it.",
            edits=without(subject, done),
            example=f"# {what} stays.",
        )
    yield from _switched_off(subject)


_OFF = re.compile(
    r"ALTER (?:INDEX|KEY) (?P<index>\S+) (?:INVISIBLE|IGNORED)"
    r"|ALTER (?:CHECK|CONSTRAINT) (?P<check>\S+) NOT ENFORCED",
    re.I,
)


def _switched_off(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(Toggle):
        found = _OFF.fullmatch(" ".join(done.change.what.split()))
        if found is not None:
            what, name = ("Index", found["index"]) if found["index"] else ("Check", found["check"])
            table = done.change.table
            why = (
                "No query uses it any more: those of the previous release that lived on it become full "
                "scans, in the biggest agency first."
                if found["index"]
                else "Rows that break it may come in, and then it cannot be enforced again (3819)."
            )
            yield subject.finding(
                RULE,
                done,
                f"{what} {name} of {table} is switched off. {why} Leave it.",
                edits=without(subject, done),
                example=f"# {what} {name} stays.",
            )


def _words(done: Done) -> tuple[str, str]:
    change = done.change
    table = done.before.at_hand(change.table)
    if isinstance(change, DropPrimary):
        return f"The primary key of {change.table}", (
            "The table is rebuilt without one: nobody can write meanwhile, replication finds rows by "
            "scanning from then on, and the previous release counts on its uniqueness."
        )
    name = f"{change.name} of {change.table}"
    index = table.index(change.name)
    if isinstance(change, DropForeignKey) or table.foreign_key(change.name) is not None:
        return f"Foreign key {name}", (
            "The previous release leans on it: rows whose parent is missing may come in, ON DELETE no "
            "longer happens, and putting it back later fails with 1452."
        )
    if index is not None and index.unique:
        return f"Unique key {name}", (
            "The previous release leans on it: duplicates may come in, ON DUPLICATE KEY UPDATE "
            "inserts instead, and no downgrade can put it back over duplicates (1062)."
        )
    if isinstance(change, DropIndex):
        return f"Index {name}", (
            "Queries of the previous release that lived on it become full scans, in the biggest "
            "agency first; making it again takes as long as the table is big."
        )
    return f"Constraint {name}", (
        "The previous release leans on it; once rows break it, no downgrade can put it back."
    )
