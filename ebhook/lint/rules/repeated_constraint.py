"""EBH053: a foreign key or a check has a name that is taken."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.keys import AddCheck, AddForeignKey
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import swap_literal
from ebhook.lint.schema.schema import Check, ForeignKey, Schema
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH053", "a foreign key or a check has a name that is taken")


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        for constraint in _new(done):
            if isinstance(constraint, Check) and subject.server.is_mariadb:
                continue  # there, each table has its own
            table = _taken(done.before, constraint, done.change.table)
            if table is None:
                continue
            kind = "Foreign key" if isinstance(constraint, ForeignKey) else "Check"
            code = 1826 if kind == "Foreign key" else 3822
            better = f"{constraint.name}_{done.change.table}"[:64]
            yield subject.finding(
                RULE,
                done,
                f"{kind} {constraint.name} of {done.change.table} has the name of one of {table}. "
                "SQLite and PostgreSQL do not mind; here such names count for the whole database, "
                f"and the statement fails ({code}, or errno 121) in every agency. Begin the name "
                "with the table's.",
                edits=_edits(subject, done, constraint.name, better),
                example=better,
            )


def _new(done: Done) -> Iterator[ForeignKey | Check]:
    change = done.change
    if isinstance(change, CreateTable):
        yield from change.made.foreign_keys
        yield from change.made.checks
    elif isinstance(change, AddForeignKey):
        yield change.key
    elif isinstance(change, AddCheck):
        yield change.check


def _taken(schema: Schema, constraint: ForeignKey | Check, by: str) -> str | None:
    """The other table that has a constraint of this kind and name."""
    for table in schema.tables.values():
        of_kind = table.foreign_keys if isinstance(constraint, ForeignKey) else table.checks
        if table.name != by and any(one.name.lower() == constraint.name.lower() for one in of_kind):
            return table.name
    return None


def _edits(subject: Subject, done: Done, old: str, new: str) -> list[Edit]:
    call = subject.source.call_at(done.span) if done.span is not None else None
    return list(swap_literal(subject.source, call, old, new)) if call is not None else []
