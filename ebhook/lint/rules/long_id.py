"""EBH032: a revision id is longer than alembic_version can hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.subject import Subject

RULE = Rule("EBH032", "the revision id is longer than 32 characters")

_LONGEST = 32  # alembic_version.version_num VARCHAR(32)


def check(subject: Subject) -> Iterator[Finding]:
    id = subject.file.id or ""
    if len(id) <= _LONGEST:
        return
    node = subject.source.assignment("revision")
    fresh = hashlib.sha256(id.encode()).hexdigest()[:12]
    yield subject.finding(
        RULE,
        subject.file.place(),
        f"{id} has {len(id)} characters, and alembic_version.version_num holds {_LONGEST}: the "
        "revision's statements run, and then its version cannot be written (1406), in every agency.",
        edits=list(swap_literal(subject.source, node, id, fresh)) if node is not None else (),
    )
