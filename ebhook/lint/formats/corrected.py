"""The corrected code of a finding, as lines to read."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ebhook.lint.finding import Finding
from ebhook.lint.source import Source, try_source


@lru_cache(maxsize=64)
def source_of(path: Path) -> Source | None:
    try:
        return try_source(path)[0]
    except OSError:
        return None


def corrected(finding: Finding) -> str:
    """The lines that change, with ``-`` and ``+``; else an example."""
    source = source_of(finding.path)
    if finding.edits and source is not None:
        return source.diff(finding.edits)
    return "\n".join(
        f"+ {line}".rstrip() for line in finding.example.split("\n") if finding.example
    )
