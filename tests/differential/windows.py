"""Short chains out of a regression test: a database as it was at some point, and statements in a row.

A test is run once, in a database and a session of its own, to see which statements the server takes,
and where its database is empty again. Between two such places lies a segment; a window is a few
statements of it, and what was there before them is its setup.
"""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.err import MySQLError

from ebhook.database.connection import quoted
from ebhook.sql.statement import Kind, kind_of
from tests.conftest import AnyServer
from tests.differential.excluded import reason
from tests.support.content import Content, contents

STATEMENTS = 300  # of a test, at most: a few are generated, and endless
SETUP = 40  # statements before a window, at most
SEGMENT_WINDOWS, TEST_WINDOWS = 3, 8  # at most
ROWS = 1000  # of a table, at most
PATIENCE = 20.0  # seconds for one statement
# Reads that leave something behind.
_TELLING_READ = re.compile(r"\bINTO\b|:=|\bFOR\s+UPDATE\b|\bCALL\b", re.I)


@dataclass(frozen=True)
class Window:
    """`setup` is run before, by itself; `statements` are the revision; `bad` is one that the server
    refuses somewhere among them and that leaves nothing behind."""

    source: str
    setup: tuple[str, ...]
    statements: tuple[str, ...]
    bad: str = "INSERT INTO no_such_table VALUES (1)"


@contextmanager
def database(server: AnyServer) -> Iterator[str]:
    """A database of its own for the block; all names are of the same length."""
    name = f"d_{secrets.token_hex(6)}"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted(name)}")
    try:
        yield name
    finally:
        with suppress(MySQLError), server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")


def session(server: AnyServer, name: str, *, autocommit: bool) -> Connection[Any]:
    """A plain session as SQLAlchemy's driver opens it."""
    return server.connect(
        database=name,
        autocommit=autocommit,
        client_flag=CLIENT.FOUND_ROWS,
        read_timeout=PATIENCE,
    )


def do(connection: Connection[Any], statement: str) -> bool:
    """Runs a statement and reads all that it gives; whether the server took it.

    Raises what ended the session.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            while cursor.nextset():
                pass
    except MySQLError:
        if not connection.open:
            raise
        return False
    return True


def windows(
    server: AnyServer, source: str, statements: Sequence[str], rng: random.Random
) -> list[Window]:
    """The windows of one test."""
    found: list[Window] = []
    for number, segment in enumerate(_segments(server, statements, rng)):
        changing = [i for i, sql in enumerate(segment) if kind_of(sql) is not Kind.READ]
        if len(changing) < 2:
            continue
        for _ in range(min(SEGMENT_WINDOWS, 1 + len(segment) // 6)):
            width = rng.randint(2, 6)
            begin = max(0, rng.randrange(len(segment)) - 1)
            setup, chosen = segment[:begin], list(segment[begin : begin + width])
            while len(chosen) > 1 and _drops(chosen[-1]) and rng.random() < 0.7:
                chosen.pop()  # what is dropped cannot be compared
            if len(setup) <= SETUP and any(kind_of(sql) is not Kind.READ for sql in chosen):
                found.append(Window(f"{source}:{number}.{begin}", tuple(setup), tuple(chosen)))
    rng.shuffle(found)
    return found[:TEST_WINDOWS]


def _segments(
    server: AnyServer, statements: Sequence[str], rng: random.Random
) -> list[tuple[str, ...]]:
    """What the server takes of a test, cut where the database is empty."""
    segments: list[tuple[str, ...]] = []
    under_way: list[str] = []
    with database(server) as name, suppress(MySQLError):
        connection = session(server, name, autocommit=True)
        with connection, connection.cursor() as cursor:
            for sql in statements[:STATEMENTS]:
                if reason(sql) or (_is_mere_read(sql) and rng.random() < 0.9):
                    continue
                if not do(connection, sql):
                    continue
                under_way.append(sql)
                if _drops(sql) and _is_empty(cursor, name):
                    segments.append(tuple(under_way))
                    under_way = []
    return [*segments, tuple(under_way)]


def _is_mere_read(sql: str) -> bool:
    return kind_of(sql) is Kind.READ and not _TELLING_READ.search(sql)


def _drops(sql: str) -> bool:
    return re.match(r"\s*DROP\s+(?!TEMPORARY)", sql, re.I) is not None


def _is_empty(cursor: Any, name: str) -> bool:
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = %s)"
        " OR EXISTS (SELECT 1 FROM information_schema.routines WHERE routine_schema = %s)",
        (name, name),
    )
    return not cursor.fetchone()[0]


@dataclass(frozen=True)
class Undisturbed:
    """A window as the server takes it, and what it leads to without a crash, by plain execution.

    `without_ids`: the same without the values of AUTO_INCREMENT, which have gaps after a transaction
    that was undone, and no way back.
    """

    window: Window
    end: Content
    without_ids: Content


def undisturbed(server: AnyServer, window: Window) -> Undisturbed | None:
    """Runs a window plainly; statements that the server refuses in a fresh session are taken out.

    None: nothing is left of it, its tables are large, or the session does not survive it.
    """
    bad: str | None = None
    while True:
        try:
            refused, end, without_ids = _run(server, window)
        except MySQLError:
            return None
        if not refused:
            break
        bad = bad or window.statements[refused[0]]
        kept = [sql for i, sql in enumerate(window.statements) if i not in refused]
        window = replace(window, statements=tuple(kept))
        if len(kept) < 2 or all(kind_of(sql) is Kind.READ for sql in kept):
            return None
    if max(map(len, end.values()), default=0) > ROWS:
        return None
    if bad is not None and _leaves_nothing(server, window, bad, end):
        window = replace(window, bad=bad)
    return Undisturbed(window, end, without_ids)


def states(server: AnyServer, window: Window) -> tuple[Content, ...]:
    """What another session sees before the first statement, and after each."""
    with _prepared(server, window) as (name, connection):
        seen = [contents(server, [name], brief=True)[name]]
        for sql in window.statements:
            do(connection, sql)
            seen.append(contents(server, [name], brief=True)[name])
    return tuple(seen)


def _run(server: AnyServer, window: Window) -> tuple[list[int], Content, Content]:
    """The numbers of the statements that were refused, and the end with and without ids."""
    with _prepared(server, window) as (name, connection):
        refused = [i for i, sql in enumerate(window.statements) if not do(connection, sql)]
        connection.commit()
        end = contents(server, [name], brief=True)[name]
        return refused, end, contents(server, [name], ids(server, name), brief=True)[name]


def ids(server: AnyServer, name: str) -> list[tuple[str, str]]:
    """(table, column) of each column that numbers its rows."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = %s AND extra LIKE '%%auto_increment%%'",
            (name,),
        )
        return [(str(table), str(column).lower()) for table, column in cursor.fetchall()]


def _leaves_nothing(server: AnyServer, window: Window, bad: str, end: Content) -> bool:
    """Is the end the same with this statement, which must be refused, before the last one?"""
    with suppress(MySQLError), _prepared(server, window) as (name, connection):
        for sql in window.statements[:-1]:
            do(connection, sql)
        if do(connection, bad):
            return False
        do(connection, window.statements[-1])
        connection.commit()
        return contents(server, [name], brief=True)[name] == end
    return False


@contextmanager
def _prepared(server: AnyServer, window: Window) -> Iterator[tuple[str, Connection[Any]]]:
    """A database with a window's setup, and a fresh session in it."""
    with database(server) as name:
        prepare(server, name, window)
        with session(server, name, autocommit=False) as connection:
            yield name, connection


def prepare(server: AnyServer, name: str, window: Window) -> None:
    """Runs a window's setup in a database, as far as the server takes it."""
    with session(server, name, autocommit=True) as connection:
        for sql in window.setup:
            do(connection, sql)
