"""Statements that change data, read with sqlglot: which tables, which rows, which functions."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from ebhook.lint.changes import Data
from ebhook.lint.tokens import Token, Unreadable, tokenize

# Another value at each call, or on each server.
_PASSING = frozenset({
    "NOW", "SYSDATE", "CURDATE", "CURTIME", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
    "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UNIX_TIMESTAMP",
    "UUID", "UUID_SHORT", "UUID_V4", "UUID_V7", "RAND", "RANDOM_BYTES", "CONNECTION_ID", "USER",
    "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "VERSION",
})  # fmt: skip
_BARE = frozenset({
    "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE",
    "UTC_TIME", "UTC_TIMESTAMP", "CURRENT_USER",
})  # fmt: skip


def read(sql: str) -> Data:
    """What one INSERT, UPDATE, DELETE, REPLACE, LOAD or WITH … does. Raises `Unreadable`."""
    _, tokens = tokenize(sql)
    verb = next(
        (
            one.word
            for one in tokens
            if one.word in ("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD")
        ),
        "",
    )
    functions = tuple(dict.fromkeys(_passing(tokens)))
    if verb == "LOAD":
        into = [at for at, token in enumerate(tokens) if token.word == "TABLE"]
        name = tokens[into[0] + 1].text.strip("`") if into and into[0] + 1 < len(tokens) else ""
        return Data("LOAD", (name,), True, functions, clause=sql)
    # sqlglot has no REPLACE; it reads like an INSERT.
    tree = _parsed(
        re.sub(r"\bREPLACE\b", "INSERT", sql, count=1, flags=re.I) if verb == "REPLACE" else sql
    )
    if tree is None or verb == "" or (verb == "UPDATE" and not tree.args.get("expressions")):
        raise Unreadable("this is no statement of SQL that sqlglot knows")
    return Data(verb, _targets(tree, verb), _bounded(tree, verb), functions, clause=sql)  # type: ignore[arg-type]


def columns_of(sql: str) -> list[str]:
    """What a SELECT gives back; one unnamed column when that cannot be told."""
    try:
        tree = _parsed(sql)
    except Unreadable:
        tree = None
    names = getattr(tree, "named_selects", None)
    return [str(one) for one in names] if names else ["?"]


@lru_cache(maxsize=256)
def _parsed(sql: str) -> Any:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    try:
        trees = sqlglot.parse(sql, read="mysql")
    except SqlglotError as error:
        raise Unreadable(_reason(error)) from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    found = [one for one in trees if one is not None]
    return found[0] if len(found) == 1 and not isinstance(found[0], exp.Command) else None


def _reason(error: Any) -> str:
    """sqlglot's words in one line, without its colours."""
    told = getattr(error, "errors", None)
    if told:
        first = told[0]
        return f"{first['description'].rstrip('.')} at {first['highlight']!r}"
    return str(error).splitlines()[0]


def _targets(tree: Any, verb: str) -> tuple[str, ...]:
    from sqlglot import exp

    places = tree.args.get("tables") if verb == "DELETE" else None
    roots = places or [tree.this]
    found = []
    for root in roots:
        table = root if isinstance(root, exp.Table) else root.find(exp.Table) if root else None
        if table is not None:
            found.append(f"{table.db}.{table.name}" if table.db else table.name)
    return tuple(found)


def _bounded(tree: Any, verb: str) -> bool:
    if verb not in ("UPDATE", "DELETE"):
        return True
    from sqlglot import exp

    if tree.args.get("limit") is not None:
        return True
    where = tree.args.get("where")
    if where is None:
        return False
    condition = where.this.unnest()
    if isinstance(condition, exp.Boolean):
        return not condition.this
    if isinstance(condition, exp.Literal):
        return str(condition.this) in ("0", "")
    if isinstance(condition, exp.EQ):
        both = condition.this, condition.expression
        return not (isinstance(both[0], exp.Literal) and both[0] == both[1])
    return True


def _passing(tokens: list[Token]) -> list[str]:
    found = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        called = after is not None and after.word == "("
        if token.word in _PASSING and (called or token.word in _BARE):
            found.append(f"{token.word}()")
    return found
