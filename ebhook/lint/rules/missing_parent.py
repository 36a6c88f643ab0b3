"""EBH021: a revision's parent is in no file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.subject import WholeChain

RULE = Rule("EBH021", "a revision's parent is in no file", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    for file in whole.files:
        for parent in file.parents:
            if parent in whole.by_id or file.id is None:
                continue
            node = file.source.assignment("down_revision")
            close = difflib.get_close_matches(parent, list(whole.by_id), n=1, cutoff=0.6)
            meant = f" Is {close[0]} meant?" if close else ""
            yield file.finding(
                RULE,
                file.place("down_revision"),
                f"{file.id} builds on {parent}, and no file has that revision: Alembic cannot walk "
                "the chain, and no instance of this bundle boots. Was a file left out of the commit, "
                f"or deleted?{meant}",
                edits=tuple(swap_literal(file.source, node, parent, close[0]))
                if node is not None and close
                else (),
                example=f"git log --all --diff-filter=D -- '*{parent}*'",
            )
