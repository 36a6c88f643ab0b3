"""EBH102: a foreign key does not fit what it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ebhook.lint.changes.keys import AddForeignKey
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import type_code
from ebhook.lint.fixes.rewrite import column_call
from ebhook.lint.schema.schema import TEXTS, Column, ForeignKey, Index, Part, Schema, Table
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH102", "a foreign key does not fit its parent")


@dataclass(frozen=True)
class Misfit:
    """What is wrong, in words, MySQL's number for it, and the column that should have another type."""

    words: str
    number: int
    column: Column | None = None
    wanted: Column | None = None


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        change = done.change
        if isinstance(change, CreateTable):
            table, keys = change.made, change.made.foreign_keys
        elif isinstance(change, AddForeignKey):
            table, keys = done.before.at_hand(change.table), (change.key,)
        else:
            continue
        for key in keys:
            misfit = _misfit(key, table, done.before, subject.server)
            if misfit is not None:
                yield _finding(subject, done, key, misfit)


def _finding(subject: Subject, done: Done, key: ForeignKey, misfit: Misfit) -> Finding:
    mariadb = subject.server.is_mariadb and misfit.number not in (1239, 1072)
    number = "1005, errno 150" if mariadb else f"{misfit.number}"
    example = (
        f'sa.Column("{misfit.column.name}", {type_code(misfit.wanted.type)}, …)'
        if misfit.column is not None and misfit.wanted is not None
        else f"# {key.columns[0]}: as {key.table} has it"
    )
    return subject.finding(
        RULE,
        done,
        f"Foreign key {key.name} of {done.change.table}: {misfit.words}. The statement fails "
        f"({number}) in every agency.",
        edits=_edits(subject, done, misfit),
        example=example,
    )


def _edits(subject: Subject, done: Done, misfit: Misfit) -> list[Edit]:
    """The parent's type in the user's own Column(…)."""
    if misfit.column is None or misfit.wanted is None:
        return []
    call = column_call(subject.source, done.span, misfit.column.name)
    code = type_code(misfit.wanted.type)
    if (
        call is None
        or len(call.args) < 2
        or (code.startswith("mysql.") and not _has_mysql(subject))
    ):
        return []
    return [Edit(subject.source.span(call.args[1]), code)]


def _has_mysql(subject: Subject) -> bool:
    return subject.source.imports.get("mysql") == "sqlalchemy.dialects.mysql"


def _misfit(key: ForeignKey, table: Table, schema: Schema, server: ServerVersion) -> Misfit | None:
    parent = table if key.table == table.name else schema.table(key.table)
    if not table.whole:
        return None
    if "SET NULL" in (key.on_delete, key.on_update):
        for name in key.columns:
            column = table.column(name)
            if column is not None and (not column.nullable or name in table.primary):
                return Misfit(f"{name} is NOT NULL, and SET NULL is to be put there", 1830)
    if parent is None or not parent.whole:
        return None  # the chain has not made it
    # MariaDB takes the columns of the same names, MySQL the primary key.
    referred = key.referred or (key.columns if server.is_mariadb else parent.primary)
    if len(referred) != len(key.columns):
        words = f"{len(key.columns)} columns refer to {len(referred)}"
        return Misfit(words, 1239)
    for name, other in zip(key.columns, referred, strict=True):
        column, wanted = table.column(name), parent.column(other)
        if wanted is None:
            return Misfit(f"{parent.name} has no column {other}", 3734)
        if column is not None and (difference := _difference(column, table, wanted, parent)):
            words = f"{name} is {difference[0]}, and {parent.name}.{other} is {difference[1]}"
            return Misfit(words, 3780, column, wanted)
    return _without_key(parent, referred, server)


def _without_key(parent: Table, referred: tuple[str, ...], server: ServerVersion) -> Misfit | None:
    primary = Index("PRIMARY", tuple(Part(one) for one in parent.primary), unique=True)
    indexes = (primary, *parent.indexes)
    strict = not server.is_mariadb and server.version >= (8, 4)
    if not strict and not any(one.serves(referred) for one in indexes):
        words = f"{parent.name} has no index on {', '.join(referred)}"
        return Misfit(words, 1822)
    wanted = tuple(one.lower() for one in referred)
    # restrict_fk_on_non_standard_key is on from 8.4: the whole of a unique key, or nothing.
    whole_key = any(one.unique and one.columns == wanted for one in indexes)
    if strict and not whole_key:
        return Misfit(f"{parent.name} has no unique key on {', '.join(referred)}", 6125)
    return None


def _difference(
    column: Column, table: Table, wanted: Column, parent: Table
) -> tuple[str, str] | None:
    """How the two are otherwise; None when the server takes them."""
    a, b = column.type, wanted.type
    if "absent" in (a.name, b.name):
        return None
    if {a.name, b.name} <= {"binary", "varbinary"}:
        return None
    lists = {"enum", "set"}
    if a.name in TEXTS and b.name in TEXTS and (a.name in lists) == (b.name in lists):
        one, two = _collation(column, table), _collation(wanted, parent)
        if one is None or two is None or one == two:
            return None  # lengths may differ, and CHAR may meet VARCHAR
        return one, two
    # How long or how precise they are does not count.
    return None if (a.name, a.unsigned) == (b.name, b.unsigned) else (str(a), str(b))


def _collation(column: Column, table: Table) -> str | None:
    """The collation, or the character set where only that is known; None where neither is."""
    if column.type.collation:
        return column.type.collation
    if column.type.charset:
        return column.type.charset
    return table.options.get("collate") or table.options.get("charset")
