"""EBH023: two files have the same revision id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.subject import VersionFile, WholeChain

RULE = Rule("EBH023", "two files have the same revision id", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    by_id: dict[str, list[VersionFile]] = {}
    for file in whole.files:
        if file.id is not None:
            by_id.setdefault(file.id, []).append(file)
    for id, files in by_id.items():
        # A new file is the wrong one; else all but the first.
        for file in [one for one in files if one.path in whole.judged][-1:] or files[1:]:
            if len(files) < 2:
                continue
            others = ", ".join(one.path.name for one in files if one is not file)
            node = file.source.assignment("revision")
            fresh = hashlib.sha256(file.path.name.encode()).hexdigest()[:12]
            yield file.finding(
                RULE,
                file.place(),
                f"Revision id {id} is in {others}, too. Alembic warns and takes one of the two, "
                "whichever it reads last: one of them never runs, and nobody is told. Give this "
                "one an id of its own (and its children that id as their down_revision).",
                edits=tuple(swap_literal(file.source, node, id, fresh)) if node else (),
            )
