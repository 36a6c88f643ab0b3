"""EBH012: downgrade() does something to what upgrade() did not make."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.reversal import reversal
from ebhook.lint.fixes.rewrite import remove, statement_at
from ebhook.lint.subject import Subject

RULE = Rule("EBH012", "downgrade() does more than taking upgrade() back")


def check(subject: Subject) -> Iterator[Finding]:
    if not (subject.upgrade.complete and subject.downgrade.complete):
        return
    for undone in reversal(subject).more:
        what = undone.change.words
        statement = statement_at(subject.source, undone.span)
        alone = len([one for one in subject.undone if one.span == undone.span]) == 1
        yield subject.finding(
            RULE,
            undone,
            f"downgrade() {what}, which upgrade() has not made. Stepping back one revision then takes "
            "away what an older revision built, and the instances of the older release, for whose "
            "sake one steps back, fail on it.",
            edits=remove(subject.source, [statement]) if alone else (),
            example="# Nothing: upgrade() did not touch it.",
        )
