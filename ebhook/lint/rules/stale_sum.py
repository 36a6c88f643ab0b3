"""EBH033: chain.sum does not list this chain."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Span
from ebhook.lint.subject import WholeChain

RULE = Rule("EBH033", "chain.sum lists another chain", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    if whole.complaint:
        yield Finding(
            RULE,
            whole.folder / "chain.sum",
            Span(1, 0, 1, 0),
            f"{whole.complaint} A boot reads the head from chain.sum, and refuses a bundle whose "
            "chain.sum does not fit its version files: one of them was left out.",
            example="ebhook chain --write",
        )
