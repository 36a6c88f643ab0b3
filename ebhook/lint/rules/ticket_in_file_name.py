"""EBH027: a version file's name does not have the ticket of its message."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject

RULE = Rule("EBH027", "the file name does not have the ticket")


def check(subject: Subject) -> Iterator[Finding]:
    file = subject.file
    found = re.match(rf"(?:{subject.ticket})\b", file.message)
    if found is None:
        return  # EBH026 says it
    slug = _slug(found[0])
    if re.search(rf"(?:^|_){re.escape(slug)}(?:_|$)", _slug(file.path.stem)):
        return
    name = f"{file.id}_{_slug(file.message)[:60].rstrip('_')}.py"
    yield subject.finding(
        RULE,
        file.doc_span,
        f"{file.path.name} does not have {found[0]} in its name. A listing of the folder, a log line "
        "and a git diff show file names, not messages; there the ticket is missed.",
        example=f"git mv {file.path.name} {name}",
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
