"""For programs: one JSON document. A contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ebhook.lint.checking import Report
from ebhook.lint.finding import Finding
from ebhook.lint.formats.corrected import corrected
from ebhook.lint.formats.paths import shown
from ebhook.lint.source import Span


def render(report: Report, start: Path) -> str:
    document = {
        "exit_code": int(report.exit_code),
        "judged": report.judged,
        "revisions": report.revisions,
        "seconds": round(report.seconds, 3),
        "absent_modules": list(report.absent),
        "findings": [_finding(one, start) for one in report.findings],
        "allowed": [_finding(one, start) for one in report.allowed],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def _finding(finding: Finding, start: Path) -> dict[str, Any]:
    document: dict[str, Any] = {
        "rule": finding.rule.id,
        "title": finding.rule.title,
        "severity": finding.rule.severity.value,
        "revision": finding.revision,
        "file": shown(finding.path, start),
        **place(finding.span),
        "message": finding.message,
        "sql": finding.sql or None,
        "corrected": corrected(finding) or None,
        "edits": [{**place(edit.span), "text": edit.text} for edit in finding.edits],
        "called_from": [place(span) for span in finding.also],
    }
    if finding.allowed is not None:
        document["reason"] = finding.allowed
    return document


def place(span: Span) -> dict[str, int]:
    """Lines and columns from 1; the end is the column behind the last character."""
    return {
        "line": span.line,
        "column": span.column + 1,
        "end_line": span.end_line,
        "end_column": span.end_column + 1,
    }
