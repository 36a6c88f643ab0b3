"""EBH010: downgrade() leaves something behind."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.reversal import DROPS, corrected, reversal
from ebhook.lint.fixes.words import listed
from ebhook.lint.source import Edit, Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH010", "downgrade() leaves something behind")


def check(subject: Subject) -> Iterator[Finding]:
    run = subject.downgrade
    if run.missing or _refuses(subject):
        what = "There is no downgrade()" if run.missing else "downgrade() refuses to work"
        yield _finding(subject, what) if reversal(subject).left else _nothing(subject, what)
        return
    if not (run.complete and subject.upgrade.complete):
        return  # EBH090 or EBH092 says why this cannot be told
    if reversal(subject).left or reversal(subject).changed:
        yield _finding(subject, "downgrade() does not take everything back")


def _refuses(subject: Subject) -> bool:
    """Does it raise by itself, instead of failing?"""
    failure = subject.downgrade.failure
    if failure is None or not failure.spans:
        return False
    raising = (
        one
        for one in subject.source.nodes
        if isinstance(one, ast.Raise) and subject.source.span(one).holds(failure.spans[0])
    )
    return next(raising, None) is not None


def _finding(subject: Subject, what: str) -> Finding:
    gone, stays = list[str](), list[str]()
    for one in reversal(subject).left:
        told = gone if isinstance(one.change, DROPS) else stays
        if (words := one.change.thing) not in told:
            told.append(words)
    changed = reversal(subject).changed
    stays.extend(one.words for one in changed)
    left = "; ".join(
        f"{what} is {listed(words)}"
        for what, words in (("what stays", stays), ("what does not come back", gone))
        if words
    )
    edits, example = ([], "\n".join(one.code for one in changed)) if changed else corrected(subject)
    return subject.finding(
        RULE,
        subject.function_span("downgrade"),
        f"{what}; {left}. Who steps back one revision and up again meets "
        f"what is {_met(stays, gone)}, in the middle of an incident.",
        edits=edits,
        example=example,
    )


def _nothing(subject: Subject, what: str) -> Finding:
    """There is nothing to take back, and still no way."""
    function = subject.source.function("downgrade")
    end = len(subject.source.lines) + 1
    edit = Edit(Span(end, 0, end, 0), "\n\ndef downgrade():\n    pass\n")
    if function is not None:
        first, last = subject.source.span(function.body[0]), subject.source.span(function.body[-1])
        edit = Edit(Span(first.line, first.column, last.end_line, last.end_column), "pass")
    return subject.finding(
        RULE,
        subject.function_span("downgrade"),
        f"{what}: nobody can step back over this revision, to this one or to any before it, although "
        "there is nothing to take back.",
        edits=[edit],
    )


def _met(stays: list[str], gone: list[str]) -> str:
    there, away = (
        "still there and fails (1050, 1060, 1061, 1062)",
        "gone and fails (1051, 1091, 1146)",
    )
    return " or ".join(words for words, any in ((there, stays), (away, gone)) if any)
