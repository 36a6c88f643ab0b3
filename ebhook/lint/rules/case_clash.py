"""EBH052: names that differ only by case."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.change import OfTable
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.names import new_names
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.schema.schema import Schema
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH052", "two names differ only by case")


def check(subject: Subject) -> Iterator[Finding]:
    said: set[tuple[str, str]] = set()
    for one in new_names(subject):
        if one.what == "Table":
            other = _other_table(one.done.before, one.name)
            if other is not None:
                yield _table(subject, one.done, one.name, other)
        elif one.is_column:
            table = one.done.before.table(one.table or "")
            made = one.done.change.made if isinstance(one.done.change, CreateTable) else table
            names = [column.name for column in made.columns] if made is not None else []
            twins = [
                name for name in names if name.lower() == one.name.lower() and name != one.name
            ]
            if twins and (one.table or "", one.name.lower()) not in said:
                said.add((one.table or "", one.name.lower()))
                yield subject.finding(
                    RULE,
                    one.done,
                    f"Columns {one.name} and {twins[0]} of {one.table} differ only by case, which "
                    "MySQL does not tell apart: the statement fails (1060) in every agency.",
                    edits=_renamed(subject, one.name, f"{one.name}_2"),
                    example=f"Column: {one.name}_2",
                )
    for done in subject.done:
        change = done.change
        if not isinstance(change, OfTable) or isinstance(change, CreateTable):
            continue
        if done.before.table(change.table) is None:
            other = _other_table(done.before, change.table)
            if other is not None:
                yield subject.finding(
                    RULE,
                    done,
                    f"{change.table} is the table {other}, spelled otherwise. On a developer's macOS "
                    "or Windows that works; on the servers (Linux, RDS) names of tables have case, "
                    "and the statement fails (1146) in every agency.",
                    edits=_renamed(subject, change.table, other),
                    example=other,
                )


def _table(subject: Subject, done: Done, name: str, other: str) -> Finding:
    return subject.finding(
        RULE,
        done,
        f"Tables {name} and {other} differ only by case. On Linux they are two; on macOS, on Windows "
        "and wherever lower_case_table_names is 1 they are one, the statement fails (1050), and a "
        "dump cannot be restored there.",
        edits=_renamed(subject, name, f"{name.lower()}_2"),
        example=f"Table: {name.lower()}_2",
    )


def _renamed(subject: Subject, old: str, new: str) -> list:  # type: ignore[type-arg]
    tree = subject.source.tree
    return list(swap_literal(subject.source, tree, old, new)) if tree is not None else []


def _other_table(schema: Schema, name: str) -> str | None:
    wanted = name.lower()
    return next((one for one in schema.tables if one.lower() == wanted and one != name), None)
