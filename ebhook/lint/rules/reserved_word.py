"""EBH051: a table or a column has the name of a reserved word."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.names import new_names
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.subject import Subject

RULE = Rule("EBH051", "a table or a column is named by a reserved word")


def check(subject: Subject) -> Iterator[Finding]:
    for one in new_names(subject):
        if one.what not in ("Table", "Column", "View") or one.name.lower() not in (
            subject.server.reserved
        ):
            continue
        better = f"{one.table}_{one.name}" if one.is_column else f"{one.name}_"
        better = f"{one.name}_value" if len(better) > 40 else better
        tree = subject.source.tree
        yield subject.finding(
            RULE,
            one.done,
            f"{one.what} {one.name!r} is a reserved word of {subject.server}. SQLAlchemy puts it in "
            "backticks; a query, a report or a fix that a person writes in an incident fails with "
            f"1064 until somebody remembers to. Call it {better}.",
            edits=list(swap_literal(subject.source, tree, one.name, better))
            if tree is not None
            else (),
            example=f"{one.what}: {better}",
        )
