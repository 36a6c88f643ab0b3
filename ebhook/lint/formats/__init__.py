"""A report as text for people, as JSON, as annotations for GitHub, as SARIF: one file each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ebhook.lint.checking import Report
from ebhook.lint.formats import github, jsons, sarif, text

# Each takes the report and the folder that paths are told from.
FORMATS: dict[str, Callable[[Report, Path], str]] = {
    "text": text.render,
    "json": jsons.render,
    "github": github.render,
    "sarif": sarif.render,
}
