"""A copy of a table, or a lock on it, that a statement asks for by name."""

from __future__ import annotations

import re

from ebhook.sql.statement import bare

_WORDS = (
    (r"\bALGORITHM\s*=?\s*COPY\b", "copies the whole table, and nobody can write meanwhile"),
    (r"\bLOCK\s*=?\s*EXCLUSIVE\b", "lets nobody read or write meanwhile"),
    (r"\bLOCK\s*=?\s*SHARED\b", "lets nobody write meanwhile"),
    (r"\bWITH\s+VALIDATION\b", "copies the whole table to look at each row"),
)
_SETTINGS = (
    (r"\bold_alter_table\s*:?=\s*(?:1|ON|TRUE)\b", "makes every ALTER TABLE copy its table"),
    (r"\balter_algorithm\s*:?=\s*'?COPY\b", "makes every ALTER TABLE copy its table"),
)


def by_statement(sql: str) -> tuple[str, str] | None:
    """The words of an ALTER TABLE or CREATE INDEX that ask for it, and what that does."""
    return _found(_WORDS, bare(sql))


def by_setting(sql: str) -> tuple[str, str] | None:
    """The same for a SET."""
    return _found(_SETTINGS, sql)


def without_words(sql: str) -> str:
    """`sql` without what asks for it."""
    for pattern, _ in _WORDS:
        sql = re.sub(rf"\s*,?\s*{pattern}", "", sql, flags=re.I)
    return sql


def _found(patterns: tuple[tuple[str, str], ...], sql: str) -> tuple[str, str] | None:
    for pattern, effect in patterns:
        match = re.search(pattern, sql, re.I)
        if match is not None:
            return " ".join(match[0].split()), effect
    return None
