"""EBH024: branch labels, or dependencies across branches."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Edit
from ebhook.lint.subject import Subject

RULE = Rule("EBH024", "a revision has branch labels or depends_on")


def check(subject: Subject) -> Iterator[Finding]:
    source = subject.source
    for name in ("branch_labels", "depends_on"):
        node = source.assignment(name)
        if node is None or node.value is None or not _says_something(subject, name):
            continue
        yield subject.finding(
            RULE,
            source.span(node),
            f"{name} makes branches, and a database then stands at several revisions at once. Every "
            "agency has one line of revisions and one version: which of them is older, and what a "
            "downgrade takes back, must never be a question.",
            edits=[Edit(source.span(node.value), "None")],
        )


def _says_something(subject: Subject, name: str) -> bool:
    node = subject.source.assignment(name)
    value = subject.source.value(name)
    return bool(value) or (
        value is None and node is not None and subject.source.code(node).split()[-1] != "None"
    )
