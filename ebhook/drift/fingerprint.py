"""Short names for tables and schemas: the same name, the same schema."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from ebhook.drift.snapshot import Snapshot, TableSnapshot

LENGTH = 12  # hexadecimal digits; enough for the shapes of any fleet


def fingerprint(snapshot: Snapshot) -> str:
    """Of a whole schema: tables with the order of their columns, everything else without order."""
    parts = [f"{name}\0{of_table(table)}" for name, table in sorted(snapshot.tables.items())]
    return _short([*parts, *_lines(snapshot.others), *_lines(snapshot.options)])


def of_table(table: TableSnapshot) -> str:
    """Of one table."""
    columns = [f"{name}\0{text}" for name, text in table.columns.items()]
    return _short([*columns, "", *_lines(table.keys), "", *_lines(table.options)])


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name}\0{text}" for name, text in sorted(values.items())]


def _short(parts: Iterable[str]) -> str:
    text = "\1".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:LENGTH]
