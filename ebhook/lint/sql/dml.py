"""Statements that change data, read with sqlglot: which tables, which rows, which functions."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

from ebhook.lint.changes.rows import Data
from ebhook.sql.tokens import THIS_DATABASE, Token, Unreadable, tokenize

# Another value at each call, or on each server.
_PASSING = frozenset({
    "NOW", "SYSDATE", "CURDATE", "CURTIME", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
    "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP", "UNIX_TIMESTAMP",
    "UUID", "UUID_SHORT", "UUID_V4", "UUID_V7", "RAND", "RANDOM_BYTES", "CONNECTION_ID", "USER",
    "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "VERSION", "DATABASE", "SCHEMA",
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
    tree = _parsed(_for_sqlglot(sql))
    if tree is None or verb == "" or (verb == "UPDATE" and not tree.args.get("expressions")):
        raise Unreadable("this is no statement of SQL that sqlglot knows")
    tables, handle = _targets(tree, verb)
    how = _MODIFIERS.search(sql)
    ignores = how is not None and "IGNORE" in how[0].upper().split()
    return Data(verb, tables, _bounded(tree, verb), functions, handle, ignores, clause=sql)  # type: ignore[arg-type]


_MODIFIERS = re.compile(
    r"\b(INSERT|REPLACE|UPDATE|DELETE)\b(?:\s+(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|QUICK|IGNORE)\b)*",
    re.I,
)
_PORTION = re.compile(
    r"\bFOR\s+PORTION\s+OF\s+\S+\s+FROM\s+.+?\s+TO\s+(?:'[^']*'|\S+)", re.I | re.S
)


def _for_sqlglot(sql: str) -> str:
    """A statement that sqlglot reads and that is about the same rows: it has no REPLACE, none of the
    words that only say how, no ``t.*`` to delete from, and no FOR PORTION OF."""

    def plain(match: re.Match[str]) -> str:
        return "INSERT" if match[1].upper() == "REPLACE" else match[1]

    sql = _PORTION.sub("", _MODIFIERS.sub(plain, sql, count=1))
    if not re.match(r"\s*DELETE\b", sql, re.I):
        return sql
    head, word, rest = (*re.split(r"(\bFROM\b)", sql, maxsplit=1, flags=re.I), "", "")[:3]
    return re.sub(r"\.\s*\*", "", head) + word + rest


def tree_of(sql: str) -> Any:
    """sqlglot's tree of a statement; None when it cannot read it."""
    try:
        return _parsed(_for_sqlglot(sql))
    except Unreadable:
        return None


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


def _targets(tree: Any, verb: str) -> tuple[tuple[str, ...], str]:
    """The tables whose rows change, one of another database with its name; and what goes before a
    column of the first one, where others could be meant."""
    from sqlglot import exp

    if verb == "DELETE" and tree.args.get("tables"):
        roots = tree.args["tables"]
    elif verb == "UPDATE":
        # SET says which of the joined tables; a bare name is taken to be the first one's.
        columns = [one.this for one in tree.expressions if isinstance(one.this, exp.Column)]
        names = dict.fromkeys(one.table for one in columns)
        roots = [exp.to_table(one) if one else tree.this for one in names] or [tree.this]
    else:
        roots = [tree.this]
    tables = [
        one if isinstance(one, exp.Table) else one.find(exp.Table) if one is not None else None
        for one in roots
    ]
    known = [one for one in tables if one is not None]
    meant = [_meant(tree, one) for one in known]
    joined = len({id(one) for one in tree.find_all(exp.Table)} - {id(one) for one in known}) > 0
    handle = f"{known[0].alias_or_name}." if joined and known else ""
    return tuple(dict.fromkeys(_name(one) for one in meant)), handle


def _name(table: Any) -> str:
    return f"{table.db}.{table.name}" if table.db and table.db != THIS_DATABASE else str(table.name)


def _meant(tree: Any, table: Any) -> Any:
    """The table that a name stands for: ``DELETE c FROM cases c``, ``UPDATE other.t SET t.a = 1``."""
    from sqlglot import exp

    if table.db:
        return table
    known = [one for one in tree.find_all(exp.Table) if one is not table]
    named = (one for one in known if table.name in (one.alias, one.name))
    return next(named, table)


def _bounded(tree: Any, verb: str) -> bool:
    if verb not in ("UPDATE", "DELETE"):
        return True
    from sqlglot import exp

    if tree.args.get("limit") is not None:
        return True
    where = tree.args.get("where")
    if where is None:
        return False
    condition = _simplified(where.this)
    if _compares_with_itself(condition):
        return False
    if isinstance(condition, exp.Boolean):
        return not condition.this
    if isinstance(condition, exp.Literal):
        return str(condition.this) in ("0", "")
    if isinstance(condition, exp.EQ):
        both = condition.this, condition.expression
        return not (isinstance(both[0], exp.Literal) and both[0] == both[1])
    return True


def _compares_with_itself(condition: Any) -> bool:
    """``id = id``, alone or as one of several that would do."""
    from sqlglot import exp

    condition = condition.unnest()
    if isinstance(condition, exp.Or):
        return _compares_with_itself(condition.left) or _compares_with_itself(condition.right)
    if isinstance(condition, exp.And):
        return _compares_with_itself(condition.left) and _compares_with_itself(condition.right)
    alike = isinstance(condition, (exp.EQ, exp.GTE, exp.LTE))
    return alike and bool(condition.this == condition.expression)


def _simplified(condition: Any) -> Any:
    """A condition with what is always true or false in it worked out."""
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.simplify import simplify

    try:
        return simplify(condition.copy()).unnest()
    except (SqlglotError, RecursionError, TypeError, ValueError, AttributeError):  # as it stands
        return condition.unnest()


def _passing(tokens: list[Token]) -> list[str]:
    found = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        called = after is not None and after.word == "("
        if re.fullmatch(r"@@\w+", token.text):
            found.append(token.text)
        if token.word in _PASSING and (called or token.word in _BARE):
            found.append(f"{token.word}()")
    return found
