"""Waiting for what is seen to happen: always with a deadline, never for a fixed time."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pymysql.connections import Connection

T = TypeVar("T")

PATIENCE = 60.0  # seconds after which a thing that should have happened is taken not to happen


def until(look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of `look`, which is asked again every few milliseconds."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(0.01)
    return seen


def ask(connection: Connection[Any], query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with connection.cursor() as cursor:
        cursor.execute(query, values or None)
        return list(cursor.fetchall())


def running(connection: Connection[Any], database: str, words: str) -> list[int]:
    """The sessions that run, in `database`, a statement with these `words` in it."""
    rows = ask(
        connection,
        "SELECT id FROM information_schema.processlist WHERE db = %s AND info LIKE %s"
        " AND id <> CONNECTION_ID() AND command = 'Query'",
        database,
        f"%{words}%",
    )
    return [int(row[0]) for row in rows]


def sessions(connection: Connection[Any], database: str) -> list[int]:
    """The sessions that are in `database`."""
    query = "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()"
    return [int(row[0]) for row in ask(connection, query, database)]


def descendants(pid: int) -> list[int]:
    """The processes that `pid` started, and those that they did."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def marked(mark: str) -> list[int]:
    """The processes with `mark` in their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (place / "environ").read_bytes():
                found.append(int(place.name))
    return found


@contextmanager
def ends_of(pids: Iterable[int]) -> Iterator[Callable[[], None]]:
    """While these processes live: yields what waits for the end of them all."""
    handles = [os.pidfd_open(pid) for pid in pids]

    def wait() -> None:
        for handle in handles:
            assert select.select([handle], [], [], PATIENCE)[0], "it still runs"

    try:
        yield wait
    finally:
        for handle in handles:
            os.close(handle)
