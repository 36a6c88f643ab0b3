"""EBH028: the Revises line says something else than down_revision."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Edit, Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH028", "the Revises line says something else than down_revision")


def check(subject: Subject) -> Iterator[Finding]:
    file = subject.file
    for number, line in enumerate(file.source.lines, start=1):
        found = re.match(r"(Revises|Revision ID):[ \t]*(.*?)\s*$", line)
        if not found or number > len(file.doc.splitlines()) + 3:
            continue
        name = "down_revision" if found[1] == "Revises" else "revision"
        right = ", ".join(file.parents) if found[1] == "Revises" else file.id or ""
        # What stands behind the ids is somebody's note: "Revises: 7f3a (JMS-1230)".
        told = re.sub(r"\s+(?:\(.*\)|(?:#|--|–|—|<-|←).*)$", "", found[2])
        said = [one for one in re.split(r"[\s,]+", told) if one not in ("", "None", "<base>")]
        if sorted(said) == sorted(right.split(", ") if right else []):
            continue
        span = file.source.line_span(number)
        yield subject.finding(
            RULE,
            span,
            f"This line says {found[2] or 'nothing'!r}, and {name} says {right or None!r}. Alembic goes "
            "by the latter; people review the former. Most often one of them was forgotten when "
            "the revision was moved to another parent.",
            edits=[Edit(Span(number, 0, number, span.end_column), f"{found[1]}: {right}".rstrip())],
        )
