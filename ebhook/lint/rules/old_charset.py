"""EBH064: latin1 or utf8mb3 in a new table or column."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH064", "a character set that is too small for a new table", Severity.WARNING)

_OLD = frozenset({"latin1", "latin2", "utf8", "utf8mb3", "ascii", "ucs2", "swe7"})


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        for what, charset in _charsets(done):
            if charset in _OLD - {"ascii"}:
                yield subject.finding(
                    RULE,
                    done,
                    f"{what} has character set {charset}, which has no room for every text (emoji, "
                    "many names), and from which a table is converted later only by rewriting it. A "
                    "join with a utf8mb4 column cannot use its index, or fails (1267).",
                    example='mysql_charset="utf8mb4", mysql_collate="utf8mb4_unicode_ci"',
                )


def _charsets(done: Done) -> Iterator[tuple[str, str]]:
    change = done.change
    match change:
        case CreateTable() if change.made.whole:
            options = change.made.options
            of = options.get("charset") or options.get("collate", "").partition("_")[0]
            yield f"Table {change.table}", of
            for column in change.made.columns:
                kind = column.type
                of = kind.charset or (kind.collation or "").partition("_")[0]
                yield f"Column {change.table}.{column.name}", of
        case AddColumn(column=column):
            of = column.type.charset or (column.type.collation or "").partition("_")[0]
            yield f"Column {change.table}.{column.name}", of
