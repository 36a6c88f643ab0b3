"""EBH091: SQL that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import replace, statement_at
from ebhook.lint.sql import reading
from ebhook.lint.subject import Subject
from ebhook.sql.tokens import split

RULE = Rule("EBH091", "SQL that cannot be read")


def check(subject: Subject) -> Iterator[Finding]:
    for step in (*subject.upgrade.steps, *subject.downgrade.steps):
        if step.unreadable:
            yield subject.finding(
                RULE,
                step,
                f"lint cannot read this statement ({step.unreadable}), and so judges nothing of it. If "
                "the server can, write it in a plainer way, or allow it and say why; if it cannot, "
                "this fails (1064) in every agency.",
                example="op.…(…)  # the operation of Alembic that says the same, where there is one",
            )
        elif reading.count(step.sql) > 1:
            statement = statement_at(subject.source, step.spans[0] if step.spans else None)
            lines = [f"op.execute({quoted(' '.join(one.split()))})" for one in split(step.sql)]
            yield subject.finding(
                RULE,
                step,
                f"There are {len(lines)} statements in one call. PyMySQL, which ebhook uses, sends one "
                "at a time and the server refuses this text (1064); and of several at once nobody "
                "could tell how far a crash let them get. Execute them one by one.",
                edits=[replace(subject.source, statement, lines)] if statement is not None else (),
                example="\n".join(lines),
            )
