"""What may stay of what autogenerate proposes: additions. The rest is named, with the reason.

Old instances run beside new ones during a deploy, so a revision only adds. Whatever the models lack
is mostly no wish to drop it, but a stale database, another branch, or a server's own index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects.mysql import dialect as MySQL

_REMOVING = ("Drop", "Alter", "Rename", "Replace", "Revert", "Modify", "Refresh")
_UNDOING = (ops.DropTableOp, ops.DropColumnOp, ops.DropIndexOp, ops.DropConstraintOp)
_MAKING = (
    ops.CreateTableOp,
    ops.AddColumnOp,
    ops.CreateIndexOp,
    ops.AddConstraintOp,
    ops.AlterColumnOp,
    ops.RenameTableOp,
)
_NO_LITERAL = re.compile(r"(TINY|MEDIUM|LONG)?(TEXT|BLOB)|JSON|GEOMETRY|POINT|POLYGON")
_NOW = re.compile(
    r"\(?\s*(now|current_timestamp|localtime|localtimestamp|sysdate)\s*(\(\s*(\d)?\s*\))?\s*\)?",
    re.I,
)


@dataclass(frozen=True)
class LeftOut:
    """A proposal that is not in the file."""

    what: str
    why: str


@dataclass(frozen=True)
class Question:
    """A column that old instances' INSERTs do not fill: what is its server default?"""

    table: str
    column: str
    type: str

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Kept:
    """What is in the file, what is not, and what was changed on the way."""

    does: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    corrected: tuple[str, ...]


class BadAnswer(Exception):
    """The answer to a `Question` is no default for its column; the text says why."""


def keep_additions(
    script: ops.MigrationScript, answer: Callable[[Question, str | None], str]
) -> Kept:
    """Takes out of `script` whatever does not add, and sets what is missing.

    Args:
        answer: gives a server default for a column, as a person types it; its second argument is
            what was wrong with the answer before.
    """
    left_out: list[LeftOut] = []
    corrected: list[str] = []
    does: list[str] = []
    for upgrade in script.upgrade_ops_list:
        _filter(upgrade, lambda op: not is_ghost(op))
        _filter(upgrade, lambda op: _stays(op, left_out))
        for op in _each(upgrade):
            corrected.extend(_correct_now(op))
            if isinstance(op, ops.AddColumnOp):
                corrected.extend(_give_default(op, answer))
    for upgrade, downgrade in zip(script.upgrade_ops_list, script.downgrade_ops_list, strict=True):
        # What undoes an addition removes; whatever else is there undoes what was left out.
        _filter(downgrade, lambda op: not isinstance(op, _MAKING))
        corrected.extend(_name_constraints(upgrade, downgrade))
        does.extend(map(describe, _each(upgrade)))
    return Kept(tuple(does), tuple(left_out), tuple(corrected))


def describe(op: ops.MigrateOperation) -> str:
    """An operation in words: ``add column clients.tier``."""
    match op:
        case ops.CreateTableOp(table_name=table):
            return f"create table {table}"
        case ops.DropTableOp(table_name=table):
            return f"drop table {table}"
        case ops.RenameTableOp(table_name=table, new_table_name=new):
            return f"rename table {table} to {new}"
        case ops.AddColumnOp(table_name=table, column=column):
            return f"add column {table}.{column.name}"
        case ops.DropColumnOp(table_name=table, column_name=name):
            return f"drop column {table}.{name}"
        case ops.AlterColumnOp():
            return f"alter column {op.table_name}.{op.column_name}: {_alteration(op)}"
        case ops.CreateIndexOp(table_name=table, index_name=name):
            return f"create {'unique ' if op.unique else ''}index {name} on {table}"
        case ops.DropIndexOp(table_name=table, index_name=name):
            return f"drop index {name} on {table}"
        case ops.CreateForeignKeyOp(source_table=table, constraint_name=name):
            way = f"({', '.join(op.local_cols)}) → {op.referent_table}"
            return " ".join(filter(None, ["add foreign key", str(name or ""), "to", table, way]))
        case ops.AddConstraintOp():
            name, table = getattr(op, "constraint_name", None), getattr(op, "table_name", "?")
            return " ".join(
                filter(None, ["add", op.constraint_type, "constraint", name, "to", table])
            )
        case ops.DropConstraintOp(table_name=table, constraint_name=name):
            return f"drop constraint {name or '(without a name)'} of {table}"
        case ops.CreateTableCommentOp(table_name=table):
            return f"comment table {table}"
        case ops.DropTableCommentOp(table_name=table):
            return f"drop the comment of table {table}"
        case ops.ExecuteSQLOp(sqltext=sql):
            return f"execute {' '.join(str(sql).split())[:80]}"
    return type(op).__name__.removesuffix("Op")


def _alteration(op: ops.AlterColumnOp) -> str:
    told = []
    if op.modify_type is not None:
        told.append(f"type {_type(op.existing_type)} → {_type(op.modify_type)}")
    if op.modify_nullable is not None:
        told.append("NULL → NOT NULL" if not op.modify_nullable else "NOT NULL → NULL")
    if op.modify_server_default is not False:
        told.append(
            f"server default {_default(op.existing_server_default)} → "
            f"{_default(op.modify_server_default)}"
        )
    if op.modify_comment is not False:
        told.append(f"comment {op.existing_comment!r} → {op.modify_comment!r}")
    if op.modify_name is not None:
        told.append(f"name → {op.modify_name}")
    return ", ".join(told) or "its properties"


def _type(type_: Any) -> str:
    if type_ is None:
        return "(unknown)"
    try:
        return str(type_.compile(dialect=MySQL()))
    except sa.exc.SQLAlchemyError:
        return repr(type_)


def _default(default: Any) -> str:
    argument = getattr(default, "arg", default)
    return "none" if argument is None or argument is False else str(argument)


# What means nothing


def is_ghost(op: ops.MigrateOperation) -> bool:
    """Is this a difference of words alone, on MySQL? What is one is also taken out of `op`."""
    if not isinstance(op, ops.AlterColumnOp):
        return False
    if op.modify_type is not None and _plain_type(op.modify_type) == _plain_type(op.existing_type):
        op.modify_type = None
    if op.modify_server_default is not False and (
        isinstance(op.modify_server_default, sa.Identity)  # MySQL has none: AUTO_INCREMENT
        or _plain_default(op.modify_server_default) == _plain_default(op.existing_server_default)
    ):
        op.modify_server_default = False
    changes = (op.modify_type, op.modify_nullable, op.modify_name)
    return (
        all(change is None for change in changes)
        and op.modify_server_default is False
        and op.modify_comment is False
    )


def _plain_type(type_: Any) -> str:
    """A type as MySQL keeps it, whatever it is called."""
    text = _type(type_).upper().replace("INTEGER", "INT").replace("NUMERIC", "DECIMAL")
    if text in ("BOOL", "BOOLEAN", "TINYINT(1)"):
        return "TINYINT(1)"
    precision = re.fullmatch(r"FLOAT\((\d+)\)", text)
    if precision:
        return "DOUBLE" if int(precision[1]) > 24 else "FLOAT"
    return re.sub(r"INT\(\d+\)", "INT", text)  # a display width


def _plain_default(default: Any) -> str:
    text = _default(default).strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    text = text[1:-1] if text[:1] == text[-1:] == "'" and len(text) > 1 else text
    now = _NOW.fullmatch(text)
    if now:
        return f"CURRENT_TIMESTAMP({now[3] or ''})"
    return {"false": "0", "true": "1"}.get(text.lower(), text)


# What stays


def _stays(op: ops.MigrateOperation, left_out: list[LeftOut]) -> bool:
    if isinstance(op, ops.CreateTableCommentOp):
        return True
    if not type(op).__name__.startswith(_REMOVING):
        return True
    left_out.append(LeftOut(describe(op), _reason(op)))
    return False


def _reason(op: ops.MigrateOperation) -> str:
    match op:
        case ops.DropTableOp():
            return (
                "the chain has it and no model does. Instances that still run use it, and its rows "
                "would be lost. Import its model in env.py, or leave the table where it is"
            )
        case ops.DropColumnOp():
            return (
                "the chain has it and the model does not. Instances that still run read and write "
                "it. If it was renamed in the model: keep both, and copy"
            )
        case ops.DropIndexOp() | ops.DropConstraintOp():
            return "the chain has it and the model does not. Queries or rules may still rely on it"
        case ops.AlterColumnOp(modify_name=str()) | ops.RenameTableOp():
            return "instances that still run use the old name. Add a new one, and copy"
        case ops.AlterColumnOp() if op.modify_type is not None:
            return (
                "it rewrites the table, and rows may not fit. If the types mean the same, say in "
                "the model what the chain says; else add a new column, and copy"
            )
        case ops.AlterColumnOp() if op.modify_nullable is not None:
            return "INSERTs of instances that still run may give NULL, or count on getting a value"
        case ops.AlterColumnOp():
            return "a column of a live table is not altered. Say in the model what the chain says"
    return "it does not add, it changes what is there"


def _filter(container: ops.OpContainer, stays: Callable[[ops.MigrateOperation], bool]) -> None:
    kept: list[ops.MigrateOperation] = []
    for op in container.ops:
        if isinstance(op, ops.OpContainer):
            _filter(op, stays)
            if op.ops:
                kept.append(op)
        elif stays(op):
            kept.append(op)
    container.ops[:] = kept


def _each(container: ops.OpContainer) -> Iterable[ops.MigrateOperation]:
    for op in container.ops:
        if isinstance(op, ops.OpContainer):
            yield from _each(op)
        else:
            yield op


# What is set


def _columns(op: ops.MigrateOperation) -> list[tuple[str, sa.Column[Any]]]:
    if isinstance(op, ops.AddColumnOp):
        return [(op.table_name, op.column)]
    if isinstance(op, ops.CreateTableOp):
        return [(op.table_name, item) for item in op.columns if isinstance(item, sa.Column)]
    return []


def _correct_now(op: ops.MigrateOperation) -> Iterable[str]:
    """``func.now()`` becomes CURRENT_TIMESTAMP, which is the same on every server and version."""
    for table, column in _columns(op):
        argument = getattr(column.server_default, "arg", None)
        if argument is None or isinstance(argument, str):
            continue
        text = str(argument.compile(dialect=MySQL())) if hasattr(argument, "compile") else ""
        found = _NOW.fullmatch(text.strip())
        kind = _type(column.type).partition("(")[0]
        if found is None or text.upper() in ("CURRENT_TIMESTAMP", f"CURRENT_TIMESTAMP({found[3]})"):
            continue
        if kind not in ("DATETIME", "TIMESTAMP"):
            yield (
                f"{table}.{column.name}: the server default {text} is a moment, and the column is "
                f"{kind}: the server will refuse it. Give the model another server default"
            )
            continue
        precision = getattr(column.type, "fsp", None) or found[3]
        now = f"CURRENT_TIMESTAMP({precision})" if precision else "CURRENT_TIMESTAMP"
        column.server_default = sa.DefaultClause(sa.text(now))
        yield (
            f'{table}.{column.name}: the server default {text} is written as text("{now}"). '
            "The model should say that, too"
        )


def _give_default(
    op: ops.AddColumnOp, answer: Callable[[Question, str | None], str]
) -> Iterable[str]:
    column = op.column
    filled = column.server_default is not None or column.computed is not None
    if column.nullable or filled or column.identity is not None or column.primary_key:
        return
    question = Question(op.table_name, str(column.name), _type(column.type))
    problem: str | None = None
    while True:
        text = answer(question, problem)
        try:
            default = _as_default(text, column)
            break
        except BadAnswer as error:
            problem = str(error)
    if default is None:
        column.nullable = True
        yield f"{question.name}: may be NULL. Say so in the model: nullable=True"
        return
    column.server_default = sa.DefaultClause(default)
    said = repr(default) if isinstance(default, str) else f'text("{default}")'
    yield f"{question.name}: has a server default. Say so in the model: server_default={said}"


def _as_default(text: str, column: sa.Column[Any]) -> str | sa.TextClause | None:
    """What a person typed as a default: None for ``null``, SQL for ``(…)``, numbers and now."""
    kind = _type(column.type)
    name = kind.partition("(")[0].partition(" ")[0]
    if text.lower() == "null":
        return None
    if text.startswith("(") and text.endswith(")"):
        return sa.text(text)
    if _NO_LITERAL.fullmatch(name):
        raise BadAnswer(f"MySQL takes no default for {name}; answer null, or an expression: ('')")
    if name in ("DATETIME", "TIMESTAMP") and _NOW.fullmatch(text):
        precision = getattr(column.type, "fsp", None)
        return sa.text(f"CURRENT_TIMESTAMP({precision})" if precision else "CURRENT_TIMESTAMP")
    if name == "BOOL" or isinstance(column.type, sa.Boolean):
        if text.lower() not in ("true", "false", "1", "0"):
            raise BadAnswer("it is true or false")
        return sa.text("1" if text.lower() in ("true", "1") else "0")
    if isinstance(column.type, sa.Numeric | sa.Integer):
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise BadAnswer("it is not a number") from None
        if isinstance(column.type, sa.Integer) and number != number.to_integral_value():
            raise BadAnswer("it is not a whole number")
        return sa.text(text)
    if isinstance(column.type, sa.Enum) and text not in column.type.enums:
        raise BadAnswer(f"it is one of {', '.join(column.type.enums)}")
    length = getattr(column.type, "length", None)
    if length is not None and len(text) > length:
        raise BadAnswer(f"it is longer than {length} characters")
    return text


def _name_constraints(upgrade: ops.OpContainer, downgrade: ops.OpContainer) -> Iterable[str]:
    """A constraint without a name could not be dropped again: it is given one, in both directions."""
    unnamed: list[tuple[str, str, str]] = []
    for op in _each(upgrade):
        if isinstance(op, ops.AddConstraintOp) and op.constraint_name is None:  # type: ignore[attr-defined]
            name, table, kind = _new_name(op)
            op.constraint_name = name  # type: ignore[attr-defined]
            unnamed.append((name, table, kind))
            yield f"{table}: the {kind} constraint has no name in the model; it is called {name}"
    for op in _each(downgrade):
        if isinstance(op, ops.DropConstraintOp) and op.constraint_name is None:
            # The downgrade goes backwards.
            for entry in reversed(unnamed):
                if entry[1:] == (op.table_name, op.constraint_type):
                    op.constraint_name = entry[0]
                    unnamed.remove(entry)
                    break


def _new_name(op: ops.AddConstraintOp) -> tuple[str, str, str]:
    kind = op.constraint_type
    if isinstance(op, ops.CreateForeignKeyOp):
        parts: Sequence[str] = ("fk", op.source_table, *op.local_cols, op.referent_table)
        return "_".join(parts)[:64], op.source_table, kind
    table = str(op.table_name)  # type: ignore[attr-defined]
    columns = [getattr(one, "name", one) for one in getattr(op, "columns", ())]
    prefix = {"unique": "uq", "primary": "pk"}.get(kind, "ck")
    return "_".join([prefix, table, *map(str, columns)])[:64], table, kind
