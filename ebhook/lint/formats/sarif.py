"""SARIF 2.1.0, for code scanning and editors. (OASIS: sarif-v2.1.0)"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from ebhook import __version__
from ebhook.lint.checking import Report
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.formats.corrected import corrected, source_of
from ebhook.lint.formats.paths import shown
from ebhook.lint.rules import rules
from ebhook.lint.source import Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "ROOT"


def render(report: Report, start: Path) -> str:
    listed = [one.rule for one in rules()]
    # What verify finds is in the same report, under a rule of its own.
    listed += sorted({one.rule for one in report.findings} - set(listed), key=lambda rule: rule.id)
    places = {rule.id: place for place, rule in enumerate(listed)}
    results = [
        _result(one, places[one.rule.id], start) for one in (*report.findings, *report.allowed)
    ]
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ebhook lint",
                        "version": __version__,
                        "rules": [_rule(rule) for rule in listed],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_ROOT: {"uri": start.resolve().as_uri().rstrip("/") + "/"}},
                "invocations": [{"executionSuccessful": True, "exitCode": int(report.exit_code)}],
                "results": results,
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document)).decode() + "\n"


def _level(rule: Rule) -> str:
    return "note" if rule.severity is Severity.ADVICE else rule.severity.value


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.title[0].upper()}{rule.title[1:]}."},
        "help": {
            "text": f"docs/rules.md, {rule.id}: what breaks, for whom, and how to do it instead."
        },
        "defaultConfiguration": {"level": _level(rule)},
    }


def _result(finding: Finding, index: int, start: Path) -> dict[str, Any]:
    code = corrected(finding)
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": _level(finding.rule),
        "message": {"text": finding.message + (f"\n\n{code}" if code else "")},
        "locations": [_location(finding.path, finding.span, start)],
        "partialFingerprints": {"ebhook/v1": _fingerprint(finding)},
    }
    if finding.also:
        result["relatedLocations"] = [
            _location(finding.path, span, start) | {"message": {"text": "called from here"}}
            for span in finding.also
        ]
    if finding.edits:
        result["fixes"] = [
            {
                "description": {"text": "The corrected code."},
                "artifactChanges": [
                    {
                        "artifactLocation": _artifact(finding.path, start),
                        "replacements": [
                            {
                                "deletedRegion": _region(edit.span),
                                "insertedContent": {"text": edit.text},
                            }
                            for edit in finding.edits
                        ],
                    }
                ],
            }
        ]
    if finding.allowed is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.allowed}]
    return result


def _location(path: Path, span: Span, start: Path) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(path, start),
            "region": _region(span),
        }
    }


def _artifact(path: Path, start: Path) -> dict[str, Any]:
    told = shown(path, start)
    if Path(told).is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(told), "uriBaseId": _ROOT}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column + 1,
        "endLine": span.end_line,
        "endColumn": span.end_column + 1,
    }


def _fingerprint(finding: Finding) -> str:
    """The same finding in the same line's text, wherever the line has moved to."""
    source = source_of(finding.path)
    line = ""
    if source is not None and 0 < finding.span.line <= len(source.lines):
        line = source.lines[finding.span.line - 1].strip()
    told = "\0".join((finding.rule.id, finding.revision or "", line, finding.sql))
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]
