"""EBH030: upgrade() does nothing, and the revision is no merge."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Read, SessionStatement
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject

RULE = Rule("EBH030", "upgrade() does nothing")


def check(subject: Subject) -> Iterator[Finding]:
    if subject.is_merge or subject.loading is not None or not subject.upgrade.complete:
        return
    if any(
        step.unreadable
        or not all(isinstance(one, (Read, SessionStatement)) for one in step.changes)
        for step in subject.upgrade.steps
    ):
        return
    if any(subject.upgrade.of("looked")):
        return  # EBH090: elsewhere it may do something
    yield subject.finding(
        RULE,
        subject.home,
        "upgrade() changes nothing in the database. Each agency still takes its lock for it, and the "
        "revision looks as if something had been done: most often autogenerate found nothing, or the "
        "lines were lost in a merge. Write what it is for, or delete the file (and put its children "
        "behind its parent).",
        example=f"git rm {subject.file.path.name}",
    )
