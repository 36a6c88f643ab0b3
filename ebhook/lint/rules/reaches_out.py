"""EBH083: a revision works on a connection of its own, or outside of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.rewrite import quoted
from ebhook.lint.source import Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH083", "a revision reaches outside of its connection")


def check(subject: Subject) -> Iterator[Finding]:
    said: set[Span] = set()
    for run in (subject.upgrade, subject.downgrade):
        own = [step.sql for step in run.steps if step.own and not step.sql.startswith("SET ")]
        for event in run.of("outside"):
            span = event.spans[0] if event.spans else subject.home
            if span in said:
                continue
            said.add(span)
            connects = "connection" in event.text
            yield subject.finding(
                RULE,
                span,
                f"The revision {event.text}. "
                + (
                    "That one has no lock, no time-outs and no journal: another instance may do the "
                    "same at the same time, and what it did cannot be seen. ebhook refuses it when "
                    "the revision runs. Use the connection that there is: op.execute(…), or "
                    "op.get_bind()."
                    if connects or "SQLite" in event.text
                    else "It runs at a boot, in every agency, on several instances at once, and "
                    "whether it happened is in no journal. Do it where the application is deployed."
                ),
                example=f"op.execute({quoted(' '.join(own[0].split()))})"
                if own
                else "op.execute(…)  # or op.get_bind().execute(…)",
            )
    if subject.loading is not None and re.search(r"Outside", type(subject.loading.error).__name__):
        yield subject.finding(
            RULE,
            subject.loading.spans[0] if subject.loading.spans else subject.home,
            f"The file {subject.loading.error} while it is imported, which every command does.",
            example="# nothing at the top of a version file but imports and names",
        )
