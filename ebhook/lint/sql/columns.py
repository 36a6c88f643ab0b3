"""Which columns a statement or an expression names that its tables do not have."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ebhook.lint.schema.schema import Column, Schema, Table
from ebhook.lint.sql.dml import tree_of
from ebhook.sql.tokens import THIS_DATABASE, TokenCursor, Unreadable


@dataclass(frozen=True)
class UnknownColumn:
    table: str
    name: str


def unknown_in_statement(sql: str, schema: Schema) -> Iterator[UnknownColumn]:
    """For INSERT, UPDATE, DELETE and SELECT. Where it cannot be told, nothing is found."""
    tree = tree_of(sql)
    if tree is not None:
        yield from _unknown(tree, schema)


def unknown_in_view(sql: str, schema: Schema) -> Iterator[UnknownColumn]:
    """For CREATE VIEW."""
    cursor = TokenCursor(sql)
    cursor.skip_until("AS")
    if cursor.accept("AS"):
        yield from unknown_in_statement(cursor.text[cursor.tokens[cursor.at].start :], schema)


def unknown_in_definition(column: Column, table: Table) -> Iterator[UnknownColumn]:
    """The columns that a generated column's expression names and its table does not have."""
    cursor = TokenCursor(column.text)
    try:
        while not cursor.ended and cursor.word != "AS":
            if cursor.word == "(":
                cursor.skip_group()
            else:
                cursor.at += 1
        start = cursor.at + 1
        cursor.at = start
        cursor.skip_group()
    except Unreadable:
        return
    yield from unknown_in_expression(cursor.since(start), table)


def unknown_in_expression(sql: str, table: Table) -> Iterator[UnknownColumn]:
    """For a check, or what a generated column is made of."""
    tree = tree_of(f"SELECT {sql}")
    if tree is None:
        return
    for name in _names(tree):
        if table.whole and table.column(name) is None:
            yield UnknownColumn(table.name, name)


# Words without brackets that are values, and not columns.
_VALUES = frozenset({
    "DEFAULT", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME",
    "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_USER", "TRUE", "FALSE",
})  # fmt: skip


def _is_word(column: Any) -> bool:
    quoted = column.this.args.get("quoted")
    return str(column.name).startswith("@") or (not quoted and str(column.name).upper() in _VALUES)


def _names(tree: Any) -> Iterator[str]:
    from sqlglot import exp

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    for one in tree.find_all(exp.Column):
        if not one.table and isinstance(one.this, exp.Identifier) and not _is_word(one):
            yield str(one.name)


def _unknown(tree: Any, schema: Schema) -> Iterator[UnknownColumn]:
    from sqlglot import exp

    tables = [one for one in tree.find_all(exp.Table) if one.name]
    # Names mean other things in there than their own tables' columns.
    if tree.find(exp.CTE, exp.Subquery, exp.Union, exp.OnCondition, exp.JSONTable):
        return
    if len(list(tree.find_all(exp.Select))) > 1 or any(
        one.db not in ("", THIS_DATABASE) for one in tables
    ):
        return
    known = {one.alias_or_name.lower(): schema.table(one.name) for one in tables}
    only = next(iter(known.values())) if len(known) == 1 else None
    aliases = {one.alias.lower() for one in tree.find_all(exp.Alias) if one.alias}
    said = set()
    for one in tree.find_all(exp.Column):
        table = known.get(one.table.lower()) if one.table else only
        if table is None or not table.whole or not isinstance(one.this, exp.Identifier):
            continue
        if not one.table and (one.name.lower() in aliases or _is_word(one)):
            continue
        if table.column(one.name) is None and one.name not in said and one.name != "*":
            said.add(one.name)
            yield UnknownColumn(table.name, one.name)
    if isinstance(tree, exp.Insert) and isinstance(tree.this, exp.Schema) and only is not None:
        for one in tree.this.expressions:
            if only.whole and only.column(one.name) is None:
                yield UnknownColumn(only.name, str(one.name))
