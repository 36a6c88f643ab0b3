"""EBH020: the chain has several heads."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.words import listed
from ebhook.lint.source import Edit
from ebhook.lint.subject import VersionFile, WholeChain

RULE = Rule("EBH020", "the chain has several heads", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    parents = {parent for file in whole.by_id.values() for parent in file.parents}
    heads = [file for id, file in whole.by_id.items() if id not in parents]
    if len(heads) < 2:
        return
    named = listed([f"{file.id} ({file.path.name})" for file in heads])
    # The one that is to move: a new one, if it is known which are.
    newest = [file for file in heads if file.path in whole.judged] or heads
    others = [file for file in heads if file is not newest[-1]]
    for file in newest[-1:]:
        yield file.finding(
            RULE,
            file.place("down_revision"),
            f"The chain has {len(heads)} heads: {named}. Nobody can say which of them comes first, so "
            "no instance of this bundle boots. If this one is new, put it behind the other "
            f"(ebhook relink {file.id}); if both are deployed somewhere, merge them (ebhook merge).",
            edits=_relinked(file, others[-1]),
        )


def _relinked(file: VersionFile, onto: VersionFile) -> list[Edit]:
    node = file.source.assignment("down_revision")
    if node is None or node.value is None or onto.id is None or len(file.parents) > 1:
        return []
    edits = [Edit(file.source.span(node.value), quoted(onto.id))]
    for number, line in enumerate(file.source.lines[:20], start=1):
        if line.startswith("Revises:") and not line.strip().startswith("#"):
            span = file.source.line_span(number)
            edits.append(Edit(span, f"Revises: {onto.id}"))
            break
    return edits
