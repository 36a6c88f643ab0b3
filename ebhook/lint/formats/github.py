"""For GitHub Actions: workflow commands, which become annotations in a pull request."""

from __future__ import annotations

from pathlib import Path

from ebhook.lint.checking import Report
from ebhook.lint.finding import Finding, Severity
from ebhook.lint.formats.corrected import corrected
from ebhook.lint.formats.paths import shown


def render(report: Report, start: Path) -> str:
    lines = [_finding(one, start) for one in report.findings]
    lines.append(
        f"::notice title=ebhook lint::{len(report.findings)} findings, {len(report.allowed)} allowed, "
        f"{report.judged} of {report.revisions} revisions judged"
    )
    return "\n".join(lines) + "\n"


def _finding(finding: Finding, start: Path) -> str:
    span = finding.span
    properties = {
        "file": shown(finding.path, start),
        "line": str(span.line),
        "endLine": str(span.end_line),
        "title": f"{finding.rule.id} {finding.rule.title}",
    }
    if span.line == span.end_line:  # GitHub takes columns within one line only
        properties |= {"col": str(span.column + 1), "endColumn": str(span.end_column + 1)}
    code = corrected(finding)
    message = finding.message + (f"\n\n{code}" if code else "")
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    level = {Severity.WARNING: "warning", Severity.ADVICE: "notice"}.get(
        finding.rule.severity, "error"
    )
    return f"::{level} {told}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
