"""EBH031: the chain begins in several places."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import VersionFile, WholeChain

RULE = Rule("EBH031", "the chain begins in several places")


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    first = [file for file in whole.by_id.values() if not file.parents and _says_none(file)]
    for file in first[1:]:
        if file.path not in whole.judged:
            continue
        yield file.finding(
            RULE,
            file.place("down_revision"),
            f"{file.id} builds on nothing, and neither does {first[0].id}: two chains in one folder. "
            "Which of them an agency gets first is chance, and each may need what the other makes.",
            example='down_revision = "…"  # the head, as `ebhook heads` says; not None',
        )


def _says_none(file: VersionFile) -> bool:
    node = file.source.assignment("down_revision")
    return node is not None and node.value is not None and file.source.code(node.value) == "None"
