"""EBH105: rows that the table does not take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.words import listed
from ebhook.lint.schema import values
from ebhook.lint.schema.schema import Column, Table
from ebhook.lint.sql.dml import tree_of
from ebhook.lint.subject import Subject

RULE = Rule("EBH105", "rows that the table does not take")

_NUMBERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal"})


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        change = done.change
        if not isinstance(change, Data) or len(change.tables) != 1:
            continue
        table = done.before.table(change.tables[0])
        tree = tree_of(change.clause)
        if table is None or not table.whole or tree is None or change.ignores:
            continue
        where = " that has such a row" if change.verb == "UPDATE" else ""
        for number, words in dict.fromkeys(_problems(change, tree, table, subject)):
            yield subject.finding(
                RULE,
                done,
                f"{words}. The statement fails ({number}) in every agency{where}.",
                example=f"# {table.name}: {', '.join(one.text for one in table.columns[:6])}",
            )


def _problems(change: Data, tree: Any, table: Table, subject: Subject) -> Iterator[tuple[int, str]]:
    from sqlglot import exp

    zero_dates = subject.server.is_mariadb
    if change.verb == "UPDATE":
        for one in tree.expressions:
            if isinstance(one, exp.EQ) and isinstance(one.this, exp.Column):
                column = table.column(one.this.name)
                if column is not None:
                    yield from _value(column, one.expression, table, zero_dates)
        return
    if change.verb not in ("INSERT", "REPLACE") or not isinstance(tree, exp.Insert):
        return
    named = isinstance(tree.this, exp.Schema)
    names = [str(one.name) for one in tree.this.expressions] if named else []
    columns = [table.column(one) for one in names] if named else list(table.columns)
    if any(column is None for column in columns):
        return  # EBH100
    twice = next((one for one in names if [n.lower() for n in names].count(one.lower()) > 1), None)
    if twice is not None:
        yield 1110, f"Column {twice} is named twice"
        return
    known = [column for column in columns if column is not None]
    if named and tree.expression is not None:
        yield from _left_out(known, table)
    source = tree.expression
    if isinstance(source, exp.Values):
        for row in source.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            yield from _row(known, cells, table, zero_dates)
    elif isinstance(source, exp.Select) and not source.find(exp.Star):
        yield from _count(known, source.expressions, table)


def _row(
    columns: Sequence[Column], cells: Sequence[Any], table: Table, zero_dates: bool
) -> Iterator[tuple[int, str]]:
    if not cells:
        return  # VALUES (): the defaults
    wrong = list(_count(columns, cells, table))
    yield from wrong
    for column, cell in zip(columns, cells, strict=False) if not wrong else ():
        yield from _value(column, cell, table, zero_dates)


def _count(
    columns: Sequence[Column], cells: Sequence[Any], table: Table
) -> Iterator[tuple[int, str]]:
    if len(columns) != len(cells):
        yield 1136, f"{len(cells)} values are given for {len(columns)} columns of {table.name}"


def _left_out(columns: Sequence[Column], table: Table) -> Iterator[tuple[int, str]]:
    given = {one.name.lower() for one in columns}
    needed = [
        one.name
        for one in table.columns
        if not (one.nullable or one.default or one.auto_increment or one.generated)
        and one.name.lower() not in given
    ]
    if needed:
        are = "is" if len(needed) == 1 else "are"
        words = f"{listed(needed)} of {table.name} {are} NOT NULL without a default, and left out"
        yield 1364, words


def _value(column: Column, cell: Any, table: Table, zero_dates: bool) -> Iterator[tuple[int, str]]:
    from sqlglot import exp

    name = f"{table.name}.{column.name}"
    if isinstance(cell, (exp.Column, exp.Var)) and str(cell.name).upper() == "DEFAULT":
        if not column.nullable and column.default is None and not column.auto_increment:
            yield 1364, f"{name} is NOT NULL and has no default"
        return
    if isinstance(cell, exp.Null):
        stamp = column.type.name == "timestamp"  # may mean: now
        if not column.nullable and not column.auto_increment and not stamp:
            yield 1048, f"{name} is NOT NULL, and NULL is to be put there"
        return
    negative = isinstance(cell, exp.Neg) and isinstance(cell.this, exp.Literal)
    literal = cell.this if negative else cell
    if not isinstance(literal, exp.Literal) or (
        column.type.name == "enum" and not literal.is_string
    ):
        return
    text = f"-{literal.name}" if negative else str(literal.name)
    words = values.problem(text, column, zero_dates=zero_dates)
    if words:
        yield _number(column, words), f"{name}: {words}"


def _number(column: Column, words: str) -> int:
    if column.type.name in ("varchar", "char"):
        return 1406
    if column.type.name == "enum":
        return 1265
    if column.type.name in _NUMBERS:
        return 1366 if "is no number" in words else 1264
    return 1292
