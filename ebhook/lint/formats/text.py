"""For people: where, what, why, and the corrected code."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ebhook.lint.checking import Report
from ebhook.lint.finding import Finding, Severity
from ebhook.lint.formats.corrected import corrected, source_of
from ebhook.lint.formats.paths import shown

_WIDTH = 100
_MORE = 5


def render(report: Report, start: Path) -> str:
    # A loop says the same of many tables: once is enough, with the others named.
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for finding in report.findings:
        groups.setdefault((finding.path, finding.span, finding.rule.id), []).append(finding)
    parts = [finding_text(group, start) for group in groups.values()]
    parts.append("\n".join(_sums(report)))
    return "\n\n".join(parts) + "\n"


def finding_text(group: Sequence[Finding], start: Path) -> str:
    """One finding, with others of the same rule by the same line: where, what, why, what instead."""
    return "\n".join(_finding(*group, start=start))


def _finding(finding: Finding, *more: Finding, start: Path) -> Iterator[str]:
    span = finding.span
    place = f"{shown(finding.path, start)}:{span.line}:{span.column + 1}"
    rule = finding.rule
    mild = f" ({rule.severity.value})" * (rule.severity is not Severity.ERROR)
    yield f"{place}: {rule.id} {rule.title}{mild}"
    source = source_of(finding.path)
    if source is not None and 0 < span.line <= len(source.lines):
        line = source.lines[span.line - 1].rstrip()
        if line.strip():
            yield f"    {span.line} | {line.strip()}"
    # What really ran, where the line does not say it: loops, helpers, operations.
    if finding.sql and source is not None and " ".join(finding.sql.split()) not in source.text:
        yield f"    runs: {_short(finding.sql)}"
    yield textwrap.fill(
        finding.message,
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    if more:
        yield f"  And {len(more)} more like this, by the same line:"
        for one in more[:_MORE]:
            yield f"    {_short(one.sql) if one.sql else one.message.partition('. ')[0]}"
        if len(more) > _MORE:
            yield "    …"
    code = corrected(finding)
    if code:
        yield textwrap.indent(code, "    ")


def _sums(report: Report) -> Iterator[str]:
    if report.findings:
        counts = Counter(finding.rule for finding in report.findings)
        for rule, number in sorted(counts.items(), key=lambda one: one[0].id):
            yield f"{number:5}  {rule.id}  {rule.title}"
        yield ""
    if report.absent:
        yield (
            "Not installed here, and stood in for: "
            f"{', '.join(report.absent)}. Types and values from there were not judged."
        )
    files = len({finding.path for finding in report.findings})
    told = f"{_count(len(report.findings), 'finding')} in {_count(files, 'file')}"
    if not report.findings:
        told = "No findings"
    of = f" of {report.revisions}" if report.judged != report.revisions else ""
    allowed = f", {len(report.allowed)} allowed" if report.allowed else ""
    yield (
        f"{told}{allowed}; {report.judged}{of} revision{'s' * (report.revisions != 1)} judged in "
        f"{report.seconds:.1f} s."
    )
    if report.findings:
        yield (
            "What a person has looked at and stands for: # ebhook: allow ID -- the reason, on the "
            "line or above it. The rules: docs/rules.md"
        )


def _short(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= 200 else text[:199] + "…"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
