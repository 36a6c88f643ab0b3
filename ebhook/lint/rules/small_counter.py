"""EBH065: an AUTO_INCREMENT column that runs out of numbers soon."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.rewrite import column_call
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH065", "an AUTO_INCREMENT column that runs out soon", Severity.WARNING)

_MOST = {"tinyint": (127, 255), "smallint": (32_767, 65_535), "mediumint": (8_388_607, 16_777_215)}


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        change = done.change
        if not isinstance(change, CreateTable):
            continue
        for column in change.made.columns:
            if not column.auto_increment or column.type.name not in _MOST:
                continue
            most = _MOST[column.type.name][column.type.unsigned]
            yield subject.finding(
                RULE,
                done,
                f"{change.table}.{column.name} counts up to {most:,}, and then every INSERT fails "
                "(1062, 1467); rows that are deleted count, too. A wider type later copies the "
                "table, and each foreign key to it has to follow. BIGINT costs nothing here.",
                edits=_edits(subject, done, column.name),
                example=f'sa.Column("{column.name}", sa.BigInteger(), primary_key=True)',
            )


def _edits(subject: Subject, done: Done, name: str) -> list[Edit]:
    call = column_call(subject.source, done.span, name)
    if call is None or len(call.args) < 2:
        return []
    return [Edit(subject.source.span(call.args[1]), "sa.BigInteger()")]
