"""EBH066: an index that another one does the work of."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.keys import AddIndex
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.rewrite import without
from ebhook.lint.schema.schema import Index, Part, Table
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH066", "an index that another one does the work of", Severity.ADVICE)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        change = done.change
        if isinstance(change, CreateTable):
            for index in change.made.indexes:
                yield from _found(subject, done, index, change.made)
        elif isinstance(change, AddIndex):
            yield from _found(subject, done, change.index, done.before.at_hand(change.table))


def _found(subject: Subject, done: Done, index: Index, table: Table) -> Iterator[Finding]:
    better = _better(index, table)
    if better is None:
        return
    columns = ", ".join(part.name for part in better.parts)
    name = "the primary key" if better.name == "PRIMARY" else f"index {better.name}"
    yield subject.finding(
        RULE,
        done,
        f"Index {index.name} of {table.name} adds nothing to {name} ({columns}), which begins with the "
        "same columns: queries and foreign keys use that one. Each write still keeps both, and no "
        "later revision may drop one of them (EBH005).",
        edits=without(subject, done) if isinstance(done.change, AddIndex) else (),
        example=f"# without {index.name}",
    )


def _better(index: Index, table: Table) -> Index | None:
    """Another index that begins with the same parts."""
    if index.implied or index.unique or index.kind:
        return None
    primary = Index("PRIMARY", tuple(Part(one) for one in table.primary), unique=True)
    for other in (primary, *table.indexes):
        if other.name.lower() == index.name.lower() or other.kind or other.implied:
            continue
        same = _parts(other)[: len(index.parts)] == _parts(index)
        # Of two alike, the later one.
        if same and (len(other.parts) > len(index.parts) or _earlier(other, index, table)):
            return other
    return None


def _parts(index: Index) -> list[tuple[str, int | None]]:
    return [(part.name.lower(), part.length) for part in index.parts]


def _earlier(other: Index, index: Index, table: Table) -> bool:
    if other.name == "PRIMARY" or index not in table.indexes:
        return True
    return table.indexes.index(other) < table.indexes.index(index)
