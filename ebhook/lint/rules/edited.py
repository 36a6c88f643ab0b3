"""EBH029: a revision was edited after it was listed, released or applied."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import WholeChain

RULE = Rule("EBH029", "a revision was edited afterwards")


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    for id, who in whole.edited.items():
        file = whole.by_id.get(id)
        if file is None:
            continue
        yield file.finding(
            RULE,
            file.place(),
            f"This file is not what it was: {who}. Agencies that have {id} already never see the "
            "change, and new ones get another schema than theirs. Put the file back as it was, and "
            "say what is missing in a new revision. (If it was applied nowhere yet, or only a "
            "comment changed: ebhook chain --write)",
            example=f"git checkout <the commit before the edit> -- {file.path.name}",
        )
