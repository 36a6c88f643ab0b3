"""EBH050: a name is longer than the server allows."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.names import NewName, new_names
from ebhook.lint.rewrite import swap_literal
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
    for run in (subject.upgrade, subject.downgrade):
        failure = run.failure
        if failure is not None and type(failure.error).__name__ == "IdentifierError":
            yield subject.finding(
                RULE,
                failure.spans[0] if failure.spans else subject.home,
                f"{failure}: MySQL takes names of {_LONGEST} characters, and SQLAlchemy does not even "
                "send this one.",
                edits=_shortened(subject),
                example=f"a name of at most {_LONGEST} characters",
            )


def _edits(subject: Subject, one: NewName, short: str) -> list[Edit]:
    tree = subject.source.tree
    return list(swap_literal(subject.source, tree, one.name, short)) if tree is not None else []


def _shortened(subject: Subject) -> list[Edit]:
    import ast

    return [
        edit
        for node in subject.source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        and node.value.isidentifier() and len(node.value) > _LONGEST
        for edit in swap_literal(
            subject.source, node, node.value, node.value[:_LONGEST].rstrip("_")
        )
    ]  # fmt: skip
