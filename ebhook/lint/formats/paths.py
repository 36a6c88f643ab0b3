"""How a report names files."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path, start: Path) -> str:
    """`path` from `start`, with slashes; in full when it is not below."""
    try:
        return path.resolve().relative_to(start.resolve()).as_posix()
    except ValueError:
        return path.as_posix()
