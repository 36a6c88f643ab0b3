"""What takes a change back: whether another change does, and the code that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ebhook.lint.fixes.code import drop_column_code, quoted
from ebhook.lint.schema import show
from ebhook.lint.schema.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddPrimary,
    AlterThing,
    Change,
    Convert,
    CreateTable,
    CreateThing,
    Data,
    DropColumn,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
    DropTable,
    DropThing,
    ModifyColumn,
    OfTable,
    Rebuild,
    RenameColumn,
    RenameIndex,
    RenameTable,
    SetDefault,
    SetOption,
    Toggle,
)
from ebhook.lint.schema.schema import Schema, Table
from ebhook.lint.subject import Done


def undoes(done: Done, undone: Done) -> bool:
    """Does the second change take the first one back?"""
    a, b = done.change, undone.change
    if isinstance(a, OfTable) and isinstance(b, OfTable) and type(a) in _UNDOES:
        kinds, names = _UNDOES[type(a)]
        return isinstance(b, kinds) and names(a, b)
    if isinstance(a, CreateThing) and isinstance(b, (DropThing, CreateThing)):
        return (a.kind, a.name.lower()) == (b.kind, b.name.lower())
    if isinstance(a, DropThing) and isinstance(b, CreateThing):
        return (a.kind, a.name.lower()) == (b.kind, b.name.lower())
    if isinstance(a, AlterThing) and isinstance(b, AlterThing):
        return (a.kind, a.name.lower()) == (b.kind, b.name.lower())
    if isinstance(a, Data) and isinstance(b, Data):
        return bool(set(a.tables) & set(b.tables))
    return False


def _same_table(a: OfTable, b: OfTable) -> bool:
    return a.table == b.table


def _by_name(of_a: str, of_b: str = "name") -> Callable[[Any, Any], bool]:
    """Compares an attribute path of the one with an attribute of the other, and the tables."""

    def same(a: Any, b: Any) -> bool:
        name: object = a
        for part in of_a.split("."):
            name = getattr(name, part)
        return a.table == b.table and str(name).lower() == str(getattr(b, of_b)).lower()

    return same


def _adds(a: OfTable, b: OfTable) -> bool:
    added = {AddColumn: "column", AddIndex: "index", AddForeignKey: "key", AddCheck: "check"}
    name = getattr(getattr(b, added[type(b)]), "name", "") if type(b) in added else ""
    return a.table == b.table and str(name).lower() == str(getattr(a, "name", "")).lower()


def _renamed_back(a: Any, b: Any) -> bool:
    return bool((a.table, a.new) == (b.new, b.table))


def _column_back(a: OfTable, b: OfTable) -> bool:
    if a.table != b.table:
        return False
    match a:
        case RenameColumn(new=new):
            name = new
        case ModifyColumn(column=column):
            name = column.name
        case _:
            name = getattr(a, "name", "")
    return name.lower() == str(getattr(b, "name", "")).lower()


_COLUMN = (RenameColumn, ModifyColumn, SetDefault)
_UNDOES: dict[type[Change], tuple[tuple[type[Change], ...], Callable[[Any, Any], bool]]] = {
    CreateTable: ((DropTable,), _same_table),
    DropTable: ((CreateTable,), _same_table),
    RenameTable: ((RenameTable,), _renamed_back),
    AddColumn: ((DropColumn,), _by_name("column.name")),
    DropColumn: ((AddColumn,), _adds),
    ModifyColumn: (_COLUMN, _column_back),
    RenameColumn: (_COLUMN, _column_back),
    SetDefault: (_COLUMN, _column_back),
    AddIndex: ((DropIndex, DropConstraint), _by_name("index.name")),
    DropIndex: ((AddIndex,), _adds),
    RenameIndex: ((RenameIndex,), lambda a, b: bool((a.table, a.new) == (b.table, b.name))),
    AddPrimary: ((DropPrimary,), _same_table),
    DropPrimary: ((AddPrimary,), _same_table),
    AddForeignKey: ((DropForeignKey, DropConstraint), _by_name("key.name")),
    DropForeignKey: ((AddForeignKey,), _adds),
    AddCheck: ((DropConstraint,), _by_name("check.name")),
    DropConstraint: ((AddCheck, AddIndex, AddForeignKey), _adds),
    SetOption: ((SetOption, Convert), lambda a, b: a.table == b.table
                and getattr(b, "name", "charset") == a.name),
    Convert: ((Convert, SetOption), _same_table),
    Toggle: ((Toggle,), _same_table),
    Rebuild: ((Rebuild,), _same_table),
}  # fmt: skip


def undo_code(change: Change, before: Schema) -> str:
    """The statement that takes back `change`; empty when nobody can tell."""
    old = before.at_hand(change.table) if isinstance(change, OfTable) else Table("")
    match change:
        case CreateTable():
            return f"op.drop_table({quoted(change.table)})"
        case DropTable():
            return _execute(show.create_table(old)) if old.whole else ""
        case AddColumn():
            return drop_column_code(change.table, change.column.name)
        case AddIndex() if change.index.unique:
            return (
                f"op.drop_constraint({quoted(change.index.name)}, {quoted(change.table)}, "
                'type_="unique")'
            )
        case AddIndex():
            return f"op.drop_index({quoted(change.index.name)}, table_name={quoted(change.table)})"
        case AddForeignKey():
            return (
                f"op.drop_constraint({quoted(change.key.name)}, {quoted(change.table)}, "
                'type_="foreignkey")'
            )
        case AddCheck():
            return (
                f"op.drop_constraint({quoted(change.check.name)}, {quoted(change.table)}, "
                'type_="check")'
            )
        case DropColumn() | ModifyColumn():
            return _column_code(change, old)
        case DropIndex() | DropForeignKey() | DropConstraint() | DropPrimary():
            return _key_code(change, old)
        case AddPrimary():
            return _execute(f"ALTER TABLE {change.table} DROP PRIMARY KEY")
        case RenameTable():
            return f"op.rename_table({quoted(change.new)}, {quoted(change.table)})"
        case RenameColumn():
            return _execute(
                f"ALTER TABLE {change.table} RENAME COLUMN {change.new} TO {change.name}"
            )
        case RenameIndex():
            return _execute(
                f"ALTER TABLE {change.table} RENAME INDEX {change.new} TO {change.name}"
            )
        case CreateThing():
            return _execute(f"DROP {change.kind} {change.name}")
        case SetOption():
            return _option_code(change, old)
        case Convert() if "charset" in old.options:
            return _execute(
                f"ALTER TABLE {change.table} CONVERT TO CHARACTER SET {old.options['charset']}"
            )
        case SetDefault():
            column = old.column(change.name)
            was = (
                f"SET DEFAULT {column.default.text}"
                if column is not None and column.default
                else "DROP DEFAULT"
            )
            return _execute(f"ALTER TABLE {change.table} ALTER COLUMN {change.name} {was}")
        case Data(verb="INSERT") | Data(verb="REPLACE"):
            table = change.tables[0] if change.tables else "…"
            return _execute(f"DELETE FROM {table} WHERE …") + "  # the rows that upgrade() inserted"
    return ""


_OPTION_SQL = {"charset": "DEFAULT CHARACTER SET ", "collate": "COLLATE "}


def _option_code(change: SetOption, table: Table) -> str:
    old = table.options.get(change.name)
    value = old if old is not None else "…"
    if change.name == "comment":
        return _execute(f"ALTER TABLE {change.table} COMMENT = '{value if old else ''}'")
    words = _OPTION_SQL.get(change.name, f"{change.name.upper()} = ")
    return _execute(f"ALTER TABLE {change.table} {words}{value}")


def _column_code(change: DropColumn | ModifyColumn, table: Table) -> str:
    """The column as it was, in the place where it was."""
    old = table.column(change.name)
    if old is None:
        return ""
    definition = show.column(old)
    if isinstance(change, ModifyColumn):
        new = change.column.name
        verb = "MODIFY" if new.lower() == old.name.lower() else f"CHANGE `{new}`"
        return _execute(f"ALTER TABLE {table.name} {verb} {definition}")
    at = table.columns.index(old)
    where = f"AFTER `{table.columns[at - 1].name}`" if at else "FIRST"
    return _execute(f"ALTER TABLE {table.name} ADD COLUMN {definition} {where}")


def _key_code(
    change: DropIndex | DropForeignKey | DropConstraint | DropPrimary, table: Table
) -> str:
    """The key as it was; empty when the chain does not know it."""
    if isinstance(change, DropPrimary):
        names = ", ".join(table.primary)
        return _execute(f"ALTER TABLE {table.name} ADD PRIMARY KEY ({names})") if names else ""
    text = ""
    if (index := table.index(change.name)) is not None:
        text = show.index(index)
    elif (key := table.foreign_key(change.name)) is not None:
        text = show.foreign_key(key)
    elif (check := table.check(change.name)) is not None:
        text = f"CONSTRAINT `{check.name}` {check.text}"
    return _execute(f"ALTER TABLE {table.name} ADD {text}") if text else ""


def _execute(sql: str) -> str:
    return f"op.execute({quoted(sql)})"
