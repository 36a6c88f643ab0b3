"""EBH004: a column is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ebhook.lint.changes.columns import AddColumn, ModifyColumn, SetDefault
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import add_column_code, column_code, drop_column_code
from ebhook.lint.fixes.rewrite import counterparts, only_one, remove, statement_at, without
from ebhook.lint.fixes.rewrite import replace as replace_statement
from ebhook.lint.schema import sizes
from ebhook.lint.schema.schema import Column, Table, Type
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH004", "a column is changed", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    fresh = {
        (one.change.table, one.change.column.name.lower())
        for one in subject.done
        if isinstance(one.change, AddColumn)
    }
    for done in subject.changes(ModifyColumn, SetDefault):
        change = done.change
        if (change.table, change.name.lower()) in fresh:
            continue
        before = done.before.at_hand(change.table).column(change.name)
        if isinstance(change, SetDefault):
            if change.default is None:
                yield _default_dropped(subject, done, before)
            continue
        if change.name.lower() != change.column.name.lower() or _only_comment(
            before, change.column
        ):
            continue
        yield _changed(subject, done, before)


def _default_dropped(subject: Subject, done: Done, before: Column | None) -> Finding:
    table, name = done.change.table, done.change.name
    told = before is not None and before.nullable
    return subject.finding(
        RULE,
        done,
        f"The default of {table}.{name} is dropped. "
        + (
            "Rows that the previous release adds then have NULL there."
            if told
            else "The INSERTs of the previous release that leave it out then fail with 1364."
        )
        + " Leave the default: whoever gives a value does not meet it.",
        edits=without(subject, done),
        example=f"# {table}.{name} keeps its default.",
    )


def _changed(subject: Subject, done: Done, before: Column | None) -> Finding:
    table, column = done.change.table, done.change.column
    known = done.before.at_hand(table)
    what, why = _difference(before, column, known)
    name = f"{column.name}_new"
    advice = (
        "If it has to be: allow it, with the reason. Else leave"
        if before is not None and _grows(before, column, known)
        else "Leave"
    )
    add = add_column_code(table, column_code(column, name=name, nullable=True))
    drop = drop_column_code(table, name)
    return subject.finding(
        RULE,
        done,
        f"Column {table}.{column.name} is changed{what}. {why} {advice} it as it is and add a "
        "second column, which old instances do not know: write both, copy the values in a revision of its "
        "own, then read the new one.",
        edits=_instead(subject, done, add, drop),
        example=f"{add}\n# and in downgrade():\n{drop}",
    )


def _instead(subject: Subject, done: Done, add: str, drop: str) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    edits = [replace_statement(subject.source, statement, add)]
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back:
        edits.append(replace_statement(subject.source, back[0], drop))
        edits.extend(remove(subject.source, back[1:]))
    return edits


def _only_comment(before: Column | None, after: Column) -> bool:
    return before is not None and replace(before, comment="") == replace(after, comment="")


def _difference(before: Column | None, after: Column, table: Table) -> tuple[str, str]:
    """What differs, and what that does to whom."""
    if before is None:
        return f" to {after.text}", _COPY
    if before.type != after.type:
        words = f" from {_told(before.type)} to {_told(after.type)}"
        if before.nullable != after.nullable:
            return words, (
                f"{_COPY} It also becomes NULL, which op.alter_column makes of it without "
                "existing_nullable=False."
                if after.nullable
                else f"{_COPY} It also becomes NOT NULL: 1138 in every agency that has a NULL there."
            )
        if _grows(before, after, table):
            return words, (
                "The server does this one without rewriting rows, and old instances do not notice; "
                "still no downgrade can bring the shorter type back once longer values are in."
            )
        return words, _COPY
    if before.nullable and not after.nullable:
        return " to NOT NULL", (
            "It fails with 1138 in every agency that has a NULL there, and afterwards the INSERTs of "
            "the previous release that leave it out fail. The table is rebuilt."
        )
    if not before.nullable and after.nullable:
        return " to NULL", (
            "The previous release does not expect a NULL there and may fail when it reads one that "
            "this release wrote. The table is rebuilt."
        )
    if before.default != after.default:
        return "", (
            "Its default is another one; rows that the previous release adds have that one too. "
            "(op.alter_column with server_default alone sends ALTER COLUMN … SET DEFAULT, which is "
            "fine: leave existing_type, nullable and the like as they are.)"
        )
    return f" to {after.text}", _COPY


_COPY = (
    "The whole table is copied while nobody can write to it, in every agency at once; values that do "
    "not fit the new type are refused or cut; and the previous release reads and writes the old one."
)


def _told(kind: Type) -> str:
    charset = f" CHARACTER SET {kind.charset}" if kind.charset else ""
    return f"{kind}{charset}{f' COLLATE {kind.collation}' if kind.collation else ''}"


def _grows(before: Column, after: Column, table: Table) -> bool:
    """Does the type only get room for more, without a copy?"""
    old, new = before.type, after.type
    if replace(after, type=old, comment=before.comment) != before or old.name != new.name:
        return False
    if (old.charset, old.collation) != (new.charset, new.collation):
        return False
    if old.name in ("enum", "set"):
        return new.arguments[: len(old.arguments)] == old.arguments
    if old.name == "varchar" and old.arguments and new.arguments:
        less, more = int(old.arguments[0]), int(new.arguments[0])
        most = 255 // sizes.width(after, table)  # of what needs one byte for its length
        return less <= more and (less > most or more <= most)
    return False
