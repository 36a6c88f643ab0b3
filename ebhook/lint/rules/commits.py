"""EBH082: a revision commits by itself."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import SessionStatement
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import remove, statement_at
from ebhook.lint.source import Span
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH082", "a revision commits or begins transactions by itself")

_VERBS = {"COMMIT", "ROLLBACK", "BEGIN", "START", "LOCK", "UNLOCK", "SAVEPOINT", "RELEASE"}


def check(subject: Subject) -> Iterator[Finding]:
    said: set[Span] = set()
    for done in (*subject.done, *subject.undone):
        change = done.change
        if isinstance(change, SessionStatement) and (
            change.verb in _VERBS or "AUTOCOMMIT" in change.clause.upper()
        ):
            if done.span in said:
                continue
            said.add(done.span or subject.home)
            statement = statement_at(subject.source, done.span)
            yield _finding(subject, done, " ".join(change.clause.split())[:60], statement)
    for run in (subject.upgrade, subject.downgrade):
        for event in run.of("commit"):
            if event.spans[0] not in said:
                said.add(event.spans[0])
                statement = statement_at(subject.source, event.spans[0])
                what = subject.source.segment(event.spans[0]).partition("\n")[0]
                yield _finding(subject, event.spans[0], what, statement)


def _finding(subject: Subject, at: Done | Span, what: str, statement: object) -> Finding:
    return subject.finding(
        RULE,
        at,
        f"{what} ends the transaction that the revision runs in. What was done before it is in the "
        "database without a word in the journal that it is, so after a crash nobody can tell whether "
        "to do it again. Leave transactions to Alembic: data and the version commit together.",
        edits=remove(subject.source, [statement]) if statement is not None else (),  # type: ignore[list-item]
        example="# nothing: Alembic commits at the end of the revision",
    )
