"""EBH011: downgrade() goes in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.reversal import corrected, reversal
from ebhook.lint.subject import Subject

RULE = Rule("EBH011", "downgrade() is not in the reverse order of upgrade()")


def check(subject: Subject) -> Iterator[Finding]:
    if not (subject.upgrade.complete and subject.downgrade.complete):
        return
    for first, second in reversal(subject).disorder[:1]:
        edits, example = corrected(subject)
        yield subject.finding(
            RULE,
            second,
            f"downgrade() takes back {first.change.thing} before {second.change.thing}, although "
            "upgrade() did them in that order. What is built on the first may still be there when it "
            "goes, and foreign keys refuse that (1451, 1828, 3730); and a downgrade that dies half "
            "way leaves a state that upgrade() never had. Go backwards, line by line.",
            edits=edits,
            example=example,
        )
