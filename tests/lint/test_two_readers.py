"""The journal's reader of SQL and lint's agree on every statement that the tests have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ebhook.lint.changes.change import Change, OfTable
from ebhook.lint.changes.rows import Data, OpaqueStatement, Read, SessionStatement
from ebhook.lint.changes.tables import RenameTable
from ebhook.lint.changes.things import OfThing
from ebhook.lint.schema.schema import Schema
from ebhook.lint.sql.reading import count, read
from ebhook.sql.statement import Kind, kind_of, temporary, touched
from ebhook.sql.tokens import Unreadable

TESTS = Path(__file__).parents[1]
VERB = re.compile(
    r"\s*(ALTER|ANALYZE|CALL|CREATE|DELETE|DO|DROP|GRANT|INSERT|LOAD|LOCK|OPTIMIZE|RENAME|REPAIR|"
    r"REPLACE|REVOKE|SELECT|SET|SHOW|TRUNCATE|UNLOCK|UPDATE|WITH)\b.+",
    re.S,
)


@cache
def statements() -> tuple[str, ...]:
    """Every text of the tests that reads like a statement, formatted ones left out."""
    found: dict[str, None] = {}
    for path in sorted(TESTS.rglob("*")):
        if path.suffix == ".txt" and "lint" in path.parts:
            texts: Iterator[str] = iter(re.findall(r'execute\("([^"]+)"\)', path.read_text()))
        elif path.suffix == ".py":
            texts = _texts(path)
        else:
            continue
        found |= dict.fromkeys(one for one in texts if VERB.fullmatch(one))
    return tuple(found)


def _texts(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text("utf-8", "replace"))
    except SyntaxError:
        return
    parts = {
        id(part) for one in ast.walk(tree) if isinstance(one, ast.JoinedStr) for part in one.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def kind_by_lint(changes: tuple[Change, ...]) -> Kind:
    if all(isinstance(one, Read) for one in changes):
        return Kind.READ
    if any(isinstance(one, SessionStatement) for one in changes):
        return Kind.SESSION
    if any(isinstance(one, Data) for one in changes):
        return Kind.DATA
    if any(isinstance(one, OpaqueStatement) for one in changes):
        return Kind.OPAQUE
    return Kind.DEFINITION


def read_by_both() -> Iterator[tuple[str, tuple[Change, ...]]]:
    """The single statements that lint can read, with what it reads."""
    for sql in statements():
        try:
            if count(sql) == 1:
                yield sql, read(sql, Schema())
        except Unreadable:
            pass


def test_both_take_a_statement_for_the_same_kind() -> None:
    """What one calls data, a definition, a read or the session's, the other does, too; either may say
    that a statement could do anything."""
    differ = []
    for sql, changes in read_by_both():
        both = {kind_of(sql), kind_by_lint(changes)} - {Kind.OPAQUE}
        if changes and len(both) > 1:
            differ.append((sql, both))

    assert not differ


def test_both_see_the_same_objects() -> None:
    """The tables and things that the journal looks at for a statement are those that lint says it changes."""
    differ = []
    for sql, changes in read_by_both():
        seen = touched(sql)
        if seen is None or not seen.objects or temporary(sql):
            continue
        names = {name for one in changes for name in _names(one)}
        wanted = {f"{one.schema}.{one.name}" if one.schema else one.name for one in seen.objects}
        if names and not wanted <= names:
            differ.append((sql, wanted, names))

    assert not differ


def _names(change: Change) -> Iterator[str]:
    match change:
        case RenameTable():
            yield from (change.table, change.new)
        case OfTable():
            yield change.table
        case OfThing():
            yield change.name


def test_there_are_statements_to_compare() -> None:
    """A search that finds nothing would prove nothing."""
    assert len(list(read_by_both())) > 500
