"""A statement's text read into changes, whatever kind of statement it is."""

from __future__ import annotations

from functools import lru_cache

from ebhook.lint.changes.change import Change, OfTable
from ebhook.lint.changes.rows import Data, OpaqueStatement, Read, SessionStatement
from ebhook.lint.schema.schema import Schema
from ebhook.lint.sql import ddl, dml
from ebhook.sql.statement import Kind, kind_of
from ebhook.sql.tokens import Token, Unreadable, split, tokenize


def read(sql: str, schema: Schema) -> tuple[Change, ...]:
    """What `sql` does to a database that has `schema`. Raises `Unreadable`."""
    changes: list[Change] = []
    for statement in _split(sql):
        for change in _one(statement, schema):
            changes.append(_of_session(change, schema))
            schema = change.apply(schema)
    return tuple(changes)


def _of_session(change: Change, schema: Schema) -> Change:
    """`change`, unless it is one of tables that only this session has."""
    names = change.tables if isinstance(change, Data) else ()
    if isinstance(change, OfTable):
        names = (change.table,)
    if names and set(names) <= schema.temporary:
        return SessionStatement("TEMPORARY", clause=change.clause)
    return change


def count(sql: str) -> int:
    """How many statements a text has."""
    return len(_split(sql))


@lru_cache(maxsize=1024)
def _split(sql: str) -> tuple[str, ...]:
    return tuple(split(sql))


def _one(sql: str, schema: Schema) -> tuple[Change, ...]:
    sql, tokens = tokenize(sql)
    verb = next((token.word for token in tokens if token.word != "("), "")
    if verb == "ANALYZE":
        inner = next((one for one in tokens[1:5] if one.word in _RUN_BY_ANALYZE), None)
        if inner is not None:
            return (dml.read(sql[inner.start :]),)  # MariaDB runs it, and tells how
    if verb == "SET" and (statement := _set_statement(sql, tokens)):
        return _one(statement, schema)
    if verb in ddl.VERBS:
        return ddl.read(sql, schema)
    if verb in ("INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"):
        return (dml.read(sql),)
    match kind_of(sql):
        case Kind.READ:
            return (Read(clause=sql),)
        case Kind.DATA if verb == "DO":
            return (OpaqueStatement(verb, clause=sql),)  # a function, which may do anything
        case Kind.DATA:
            return (dml.read(sql),)
        case Kind.SESSION:
            return (SessionStatement(verb, clause=sql),)
    if verb in _OPAQUE:
        return (OpaqueStatement(verb, clause=sql),)
    raise Unreadable(f"no statement begins with {tokens[0].text[:30]!r}" if tokens else "is empty")


def _set_statement(sql: str, tokens: list[Token]) -> str:
    """MariaDB's SET STATEMENT … FOR: the statement that it is for; empty for any other SET."""
    if len(tokens) < 2 or tokens[1].word != "STATEMENT":
        return ""
    ends = [token.end for token in tokens if token.word == "FOR"]
    return sql[ends[0] :] if ends else ""


_RUN_BY_ANALYZE = frozenset({"UPDATE", "DELETE", "INSERT", "REPLACE"})
_OPAQUE = frozenset({
    "CALL", "PREPARE", "EXECUTE", "DEALLOCATE", "GRANT", "REVOKE", "HANDLER", "INSTALL",
    "UNINSTALL", "XA", "IMPORT", "BINLOG", "RESET", "PURGE", "CHANGE", "SIGNAL", "RESIGNAL", "GET",
    "CACHE", "SHUTDOWN", "RESTART", "CLONE", "BACKUP",
})  # fmt: skip
