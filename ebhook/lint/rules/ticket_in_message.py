"""EBH026: a revision's message does not begin with a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Edit, Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH026", "the message does not begin with a ticket")


def check(subject: Subject) -> Iterator[Finding]:
    message = subject.file.message
    if re.match(rf"(?:{subject.ticket})\b", message):
        return
    anywhere = re.search(rf"(?:{subject.ticket})\b", message)
    ticket = anywhere[0] if anywhere else example_of(subject)
    rest = (
        message.replace(ticket, "", 1).replace("()", "").replace("[]", "") if anywhere else message
    )
    rest = " ".join(rest.split()).strip(" :-")
    told = f"{message!r} does not" if message else "There is no message to"
    yield subject.finding(
        RULE,
        subject.file.doc_span,
        f"{told} begin with a ticket ({subject.ticket}). When this revision fails in one agency at "
        "night, the ticket is what tells whoever is on call why it exists and whom to ask.",
        edits=_edits(subject, f"{ticket} {rest}".strip()) if message and ticket else (),
        example=f'"""{ticket or "TICKET"} what this revision adds"""',
    )


def example_of(subject: Subject) -> str:
    """A ticket that fits the pattern: the file name's own, or one to be replaced."""
    for words in re.findall(r"[a-z]+_\d+", subject.file.path.stem):
        ticket = words.upper().replace("_", "-")
        if re.fullmatch(subject.ticket, ticket):
            return str(ticket)
    for ticket in ("JMS-1234", "#1234", "1234", "GH-1234"):
        if re.fullmatch(subject.ticket, ticket):
            return ticket
    return ""


def _edits(subject: Subject, message: str) -> list[Edit]:
    """The first line of the docstring anew, where it stands on the docstring's first line."""
    span = subject.file.doc_span
    text = subject.source.segment(span)
    old = subject.file.message
    at = text.find(old)
    if at < 0:
        return []
    start = span.column + at
    return [Edit(Span(span.line, start, span.line, start + len(old)), message)]
