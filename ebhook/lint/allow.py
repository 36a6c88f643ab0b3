"""``# ebhook: allow EBH004 -- reason``: findings that a person has looked at and stands for."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Edit, Source, Span

_MARK = re.compile(r"#\s*ebhook\s*:\s*(?P<body>.*)", re.I)
_BODY = re.compile(
    r"allow\s+(?P<ids>EBH\d+(?:\s*,\s*EBH\d+)*)\s*(?:--|—|–)\s*(?P<reason>\S.*)", re.I
)


@dataclass(frozen=True)
class Allow:
    """`line` is the one that it speaks of: its own, or the one below when it stands alone."""

    ids: tuple[str, ...]
    reason: str
    line: int
    span: Span


@dataclass(frozen=True)
class Malformed:
    span: Span
    message: str


def read(source: Source, known: Iterable[str]) -> tuple[list[Allow], list[Malformed]]:
    """The comments of a file that are meant for lint."""
    if "ebhook" not in source.text.lower():
        return [], []
    ids = set(known)
    found: list[Allow] = []
    wrong: list[Malformed] = []
    for comment in _comments(source):
        mark = _MARK.match(comment.string)
        if mark is None:
            continue
        line, column = comment.start
        span = Span(line, column, line, column + len(comment.string))
        body = _BODY.fullmatch(mark["body"].strip())
        if body is None:
            wrong.append(Malformed(span, _complaint(mark["body"].strip())))
            continue
        named = tuple(one.strip().upper() for one in body["ids"].split(","))
        unknown = [one for one in named if one not in ids]
        if unknown:
            wrong.append(Malformed(span, f"There is no rule {', '.join(unknown)}."))
            continue
        alone = not source.lines[line - 1][:column].strip()
        target = _next_code(source, line) if alone else line
        found.append(Allow(named, body["reason"].strip(), target, span))
    return found, wrong


def sort_out(
    source: Source, findings: list[Finding], allows: list[Allow]
) -> tuple[list[Finding], list[Finding], list[Allow]]:
    """What is left to say, what is allowed, and the allows that nothing was found for."""
    said, allowed = [], []
    used: set[Allow] = set()
    for finding in findings:
        by = None
        if not finding.rule.breaks_chain:
            by = next((one for one in allows if _covers(source, one, finding)), None)
        if by is None:
            said.append(finding)
        else:
            used.add(by)
            allowed.append(replace(finding, allowed=by.reason))
    # One of several ids that nothing was found for is unused, too.
    unused = []
    for one in allows:
        met = {finding.rule.id for finding in allowed if _covers(source, one, finding)}
        idle = tuple(id for id in one.ids if id not in met)
        if idle:
            unused.append(replace(one, ids=idle))
    return said, allowed, unused


def unused_finding(rule: Rule, source: Source, allow: Allow, revision: str | None) -> Finding:
    return Finding(
        rule,
        source.path,
        allow.span,
        f"Nothing here breaks {' or '.join(allow.ids)}. A comment that allows nothing today hides the "
        "next one who breaks it: take it out.",
        edits=(Edit(_with_blank(source, allow.span), ""),),
        revision=revision,
    )


def malformed_finding(
    rule: Rule, source: Source, wrong: Malformed, revision: str | None
) -> Finding:
    return Finding(
        rule,
        source.path,
        wrong.span,
        f"{wrong.message} Who reads this in a year, with an incident at hand, needs to know what "
        "makes it safe.",
        example="# ebhook: allow EBH004 -- what makes it safe here",
        revision=revision,
    )


def _complaint(body: str) -> str:
    if re.fullmatch(r"allow\s+EBH\d+(?:\s*,\s*EBH\d+)*\s*(?:--|—|–)?\s*", body, re.I):
        return "This gives no reason, and so allows nothing."
    return f"lint does not understand {body!r}, and so it allows nothing."


def _comments(source: Source) -> Iterator[tokenize.TokenInfo]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT:
                yield token
    except (tokenize.TokenError, SyntaxError):
        return


def _next_code(source: Source, line: int) -> int:
    """The first line below that is neither blank nor a comment."""
    for number in range(line, len(source.lines)):
        text = source.lines[number].strip()
        if text and not text.startswith("#"):
            return number + 1
    return line


def _covers(source: Source, allow: Allow, finding: Finding) -> bool:
    if finding.rule.id not in allow.ids:
        return False
    return any(
        first <= allow.line <= last
        for span in (finding.span, *finding.also)
        for first, last in [_lines(source, span)]
    )


def _lines(source: Source, span: Span) -> tuple[int, int]:
    """The lines of the simple statement around a place."""
    best: ast.stmt | None = None
    for node in source.nodes:
        if isinstance(node, ast.stmt) and source.span(node).holds(span):
            best = node  # the walk goes from the outside to the inside
    if best is None or hasattr(best, "body"):
        return span.line, span.end_line
    around = source.span(best)
    return around.line, around.end_line


def _with_blank(source: Source, span: Span) -> Span:
    """The comment with the blanks before it; the whole line when it stands alone."""
    text = source.lines[span.line - 1]
    before = text[: span.column].rstrip()
    if not before:
        return Span(span.line, 0, span.line + 1, 0)
    return Span(span.line, len(before), span.line, span.end_column)
