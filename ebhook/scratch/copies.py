"""A tenant's schema, without its rows, made again on a scratch database. The tenant is only read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows, run, scalar, text_of
from ebhook.database.errno import DENIED

_DEFINER = re.compile(r" DEFINER=(?:`(?:[^`]|``)*`|'[^']*'|[^\s@]+)@(?:`(?:[^`]|``)*`|'[^']*'|\S+)")
# What a scratch server has not: keys, and the tenant's own counters.
_ELSEWHERE = re.compile(r" AUTO_INCREMENT=\d+| ENCRYPTION='[YN]'")
_LENIENT = "NO_ENGINE_SUBSTITUTION"


@dataclass(frozen=True)
class SchemaCopy:
    """What makes a database as empty tables and code. `others`: (sql_mode, statement) in the order of making."""

    charset: str
    collation: str
    tables: tuple[str, ...]
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class CopyFailed(Exception):
    """The scratch server cannot make what the tenant has: `what` says which statement, and why."""

    what: str


def read_copy(
    connection: Connection, schema: str, *, named_in: str | None = None, skip: Collection[str] = ()
) -> SchemaCopy:
    """By SHOW CREATE, for which SELECT is enough; views, routines, triggers and events where the login is shown
    them.

    Args:
        named_in: a text in lower case; only tables whose names are in it are read, and nothing else.
        skip: tables to leave out.
    """
    connection.select_db(schema)
    charset, collation = rows(
        connection,
        "SELECT default_character_set_name, default_collation_name "
        "FROM information_schema.schemata WHERE schema_name = %s",
        schema,
    )[0]
    tables, views = [], []
    for name, kind in rows(connection, "SHOW FULL TABLES"):
        if name in skip:
            continue
        if kind == "BASE TABLE" and (named_in is None or str(name).lower() in named_in):
            text = str(rows(connection, f"SHOW CREATE TABLE {quoted(str(name))}")[0][1])
            tables.append(_ELSEWHERE.sub("", text))
        elif kind == "VIEW" and named_in is None:
            views.append(str(name))
    others = () if named_in is not None else tuple(_others(connection, schema, views))
    connection.rollback()
    return SchemaCopy(str(charset), str(collation), tuple(tables), others)


def _others(
    connection: Connection, schema: str, views: Collection[str]
) -> Iterator[tuple[str, str]]:
    mode = str(scalar(connection, "SELECT @@sql_mode"))
    for kind in ("PROCEDURE", "FUNCTION"):
        for row in _listed(connection, f"SHOW {kind} STATUS WHERE db = %s", schema):
            yield from _shown(connection, kind, str(row[1]), 1, 2)
    for name in views:
        try:
            text = str(rows(connection, f"SHOW CREATE VIEW {quoted(name)}")[0][1])
        except MySQLError:
            continue  # this login may not see it
        yield mode, _DEFINER.sub("", text).replace(f"{quoted(schema)}.", "")
    for row in _listed(connection, "SHOW TRIGGERS"):
        yield from _shown(connection, "TRIGGER", str(row[0]), 1, 2)
    for row in _listed(connection, "SHOW EVENTS"):
        yield from _shown(connection, "EVENT", str(row[1]), 1, 3)


def _listed(connection: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What this login is shown of it: nothing, where it may not ask."""
    try:
        return rows(connection, sql, *values)
    except MySQLError as error:
        if errno(error) not in DENIED:
            raise
        return []


def _shown(
    connection: Connection, kind: str, name: str, mode: int, text: int
) -> Iterator[tuple[str, str]]:
    try:
        (found,) = rows(connection, f"SHOW CREATE {kind} {quoted(name)}")
    except MySQLError:
        return
    if found[text] is not None:
        statement = _DEFINER.sub("", str(found[text]))
        # An event that runs would write into the copy.
        yield str(found[mode]), re.sub(r" ENABLE DO ", " DISABLE DO ", statement, count=1)


def make_copy(connection: Connection, database: str, copy: SchemaCopy) -> None:
    """Makes `copy` in the empty scratch database `database`, which is then the connection's own.

    Raises:
        CopyFailed: the server refuses a part of it.
    """
    connection.select_db(database)
    before = scalar(connection, "SELECT @@sql_mode")
    run(connection, "SET SESSION foreign_key_checks = 0")
    _run(
        connection,
        f"ALTER DATABASE {quoted(database)} CHARACTER SET {copy.charset} COLLATE {copy.collation}",
    )
    run(connection, "SET SESSION sql_mode = %s", _LENIENT)
    for statement in copy.tables:
        _run(connection, statement)
    waiting = list(copy.others)
    while waiting:  # a view may need a view
        failed: list[tuple[MySQLError, tuple[str, str]]] = []
        for mode, statement in waiting:
            try:
                run(connection, "SET SESSION sql_mode = %s", mode)
                run(connection, statement)
            except MySQLError as error:
                failed.append((error, (mode, statement)))
        if len(failed) == len(waiting):
            problem, (_, refused) = failed[0]
            raise CopyFailed(f"{text_of(problem)}: {' '.join(refused.split())[:120]}")
        waiting = [one for _, one in failed]
    run(connection, "SET SESSION foreign_key_checks = 1")
    run(connection, "SET SESSION sql_mode = %s", before)


def _run(connection: Connection, statement: str) -> None:
    try:
        run(connection, statement)
    except MySQLError as error:
        raise CopyFailed(f"{text_of(error)}: {' '.join(statement.split())[:120]}") from None
