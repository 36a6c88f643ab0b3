"""EBH043: a trigger on a table that is in use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.things import CreateThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.subject import Subject

RULE = Rule("EBH043", "a trigger on a table that is in use", protects=True)

_ON = re.compile(r"\b(?:BEFORE|AFTER)\s+(?:INSERT|UPDATE|DELETE)\s+ON\s+[`\w.]*?`?(\w+)`?\s", re.I)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(CreateThing):
        change = done.change
        on = _ON.search(done.step.sql) if change.kind == "TRIGGER" else None
        if on is None or on[1] in subject.made:
            continue
        yield subject.finding(
            RULE,
            done,
            f"Trigger {change.name} is on {on[1]}, which is in use: from this moment on each write of "
            "the previous release does something that it does not know of, and fails when the trigger "
            "does. It holds for everybody who writes, and no application can leave it out. Do it in the "
            "application; or let the trigger be on a new table.",
            edits=without(subject, done),
            example=f"# {on[1]}: in the application",
        )
