"""EBH050: a name is longer than the server allows."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.names import NewName, new_names
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.source import Edit
from ebhook.lint.subject import Subject

RULE = Rule("EBH050", "a name is longer than 64 characters")

_LONGEST = 64


def check(subject: Subject) -> Iterator[Finding]:
    for one in new_names(subject):
        if len(one.name) > _LONGEST:
            short = one.name[:_LONGEST].rstrip("_")
            yield subject.finding(
                RULE,
                one.done,
                f"{one.what} {one.name!r} has {len(one.name)} characters, and MySQL takes {_LONGEST}: "
                "the statement fails (1059) in every agency.",
                edits=_edits(subject, one, short),
                example=f"{one.what}: {short}",
            )


def _edits(subject: Subject, one: NewName, short: str) -> list[Edit]:
    tree = subject.source.tree
    return list(swap_literal(subject.source, tree, one.name, short)) if tree is not None else []
