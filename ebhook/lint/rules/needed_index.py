"""EBH013: downgrade() drops an index that a foreign key still needs."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.keys import DropIndex
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import remove, statement_at
from ebhook.lint.schema.schema import Index, Part, Schema, Table
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH013", "downgrade() drops an index that a foreign key needs")


def check(subject: Subject) -> Iterator[Finding]:
    for undone in subject.undone:
        if not isinstance(undone.change, DropIndex):
            continue
        needed = _needed_by(undone.before, undone.change)
        if needed is not None:
            yield _finding(subject, undone, needed)


def _finding(subject: Subject, undone: Done, needed: tuple[Table, str]) -> Finding:
    owner, key = needed
    change = undone.change
    same_table = owner.name == change.table
    with_table = change.table in subject.made
    advice = (
        f"Leave this line out: the index goes with its table {change.table}."
        if with_table
        else f"Drop the foreign key {key} first, or leave the index."
    )
    alone = len([one for one in subject.undone if one.span == undone.span]) == 1
    statement = statement_at(subject.source, undone.span) if with_table and alone else None
    return subject.finding(
        RULE,
        undone,
        f"Index {change.name} of {change.table} is the only one that foreign key {key}"
        f"{'' if same_table else f' of {owner.name}'} can use, and the server refuses to drop it "
        f"(1553): this downgrade fails half way. {advice}",
        edits=remove(subject.source, [statement]),
        example=f"op.drop_constraint({quoted(key)}, {quoted(owner.name)}, "
        f'type_="foreignkey")\nop.drop_index({quoted(change.name)}, '
        f"table_name={quoted(change.table)})",
    )


def _needed_by(schema: Schema, change: DropIndex) -> tuple[Table, str] | None:
    """The foreign key that cannot do without the index, and its table."""
    table = schema.table(change.table)
    index = table.index(change.name) if table is not None else None
    if table is None or index is None:
        return None
    others = [one for one in table.indexes if one is not index]
    others.append(Index("PRIMARY", tuple(Part(one) for one in table.primary)))

    def only(columns: tuple[str, ...]) -> bool:
        return index.serves(columns) and not any(one.serves(columns) for one in others)

    for key in table.foreign_keys:
        if only(key.columns):
            return table, key.name
    for other in schema.tables.values():
        for key in other.foreign_keys:
            if key.table == table.name and key.referred and only(key.referred):
                return other, key.name
    return None
