"""What statements gave back, kept so that a revision that is resumed sees what it saw the first time.

A resumed migration issues its statements again from the top, and those that are in are skipped. What
they gave back (rows, counts, new ids, an error that it caught) may decide what it does next, and the
database has moved on since: rows are changed, a column that it read may be dropped. So it is given
the same replies again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pymysql
from pymysql.cursors import Cursor
from pymysql.err import MySQLError

LARGEST = 2_000_000  # bytes of replies that are kept per revision: what is more is read again

# A place in a revision: how many statements that change something came before, and the how-manieth
# read after them; 0 is the statement itself.
Place = tuple[int, int]


@dataclass(frozen=True)
class Reply:
    """What one statement gave back. `asked` is a hash of a read's text; `steps` is how much
    `lastrowid` grows from each statement of a run to the next."""

    rowcount: int = 0
    lastrowid: int = 0
    columns: tuple[Any, ...] | None = None
    rows: tuple[tuple[Any, ...], ...] = ()
    error: tuple[str, int, str] | None = None
    asked: str = ""

    @property
    def is_plain(self) -> bool:
        return self.columns is None and self.error is None and not self.asked


FORGOTTEN = Reply(
    error=(
        "NotSupportedError",
        0,
        "This statement is in, and gave more rows than the journal keeps",
    )
)


def asked(text: str) -> str:
    """A short hash of a read's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def taken(cursor: Cursor) -> Reply | None:
    """The answer that `cursor` has just got; None when its rows come one by one."""
    columns: Any = cursor.description
    if columns is None:
        return Reply(max(cursor.rowcount, 0), getattr(cursor, "lastrowid", 0) or 0)
    rows = getattr(cursor, "_rows", None)
    if rows is None:
        return None
    return Reply(cursor.rowcount, 0, tuple(map(tuple, columns)), tuple(rows))


def failed(error: MySQLError) -> Reply:
    """The answer that was an error of the server."""
    number, words = error.args if len(error.args) == 2 else (0, str(error))
    return Reply(error=(type(error).__name__, number, str(words)))


def given(cursor: Cursor, answer: Reply, query: Callable[[str], Any]) -> None:
    """Puts an answer into `cursor`, as if it had come from the server now. Raises its error.

    Args:
        query: runs a statement on `cursor`.
    """
    if answer.error is not None:
        kind, number, words = answer.error
        raise getattr(pymysql.err, kind)(number, words)
    query(f"DO LAST_INSERT_ID({answer.lastrowid})" if answer.lastrowid else "DO 0")
    cursor.rowcount, cursor.lastrowid = answer.rowcount, answer.lastrowid
    if answer.columns is not None:
        cursor.description = answer.columns
        cursor._rows = answer.rows  # type: ignore[attr-defined]
        cursor.rownumber = 0


# As text: one JSON array a line.


def dumped(answers: Iterable[tuple[Place, Reply]]) -> str:
    """Lines for `loaded`. A loop of a thousand statements that all gave the same is one line."""
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in _lines(answers))


def size(answer: Reply) -> int:
    """How many bytes it takes, with its place."""
    try:
        return len(msgspec.json.encode(_fields(answer))) + 30
    except KeyError:  # a type of value that is not known here
        return LARGEST + 1


def loaded(text: str) -> dict[Place, Reply]:
    """What `dumped` wrote, in one or several parts."""
    found: dict[Place, Reply] = {}
    for line in filter(None, text.split("\n")):  # JSON leaves U+2028 and its like as they are
        place, number, step, fields = msgspec.json.decode(line)
        index, ordinal = place
        rowcount, lastrowid, columns, rows, error, question = fields
        first = Reply(
            rowcount,
            lastrowid,
            None if columns is None else tuple(map(tuple, columns)),
            tuple(tuple(map(_value, row)) for row in rows),
            None if error is None else tuple(error),
            question,
        )
        for further in range(number):
            one = replace(first, lastrowid=lastrowid + further * step) if further else first
            found[index + further, ordinal] = one
    return found


def continues(last: Sequence[tuple[Place, Reply]], new: tuple[Place, Reply]) -> bool:
    """Does `new` belong to the line of those before it: the same again, and `lastrowid` as much more?"""
    if not last:
        return False
    ((index, _), before), (place, answer) = last[-1], new
    if not (answer.is_plain and before.is_plain and place == (index + 1, 0)):
        return False
    grown = answer.lastrowid - before.lastrowid
    return answer.rowcount == before.rowcount and (
        len(last) == 1 or grown == before.lastrowid - last[-2][1].lastrowid
    )


def _lines(answers: Iterable[tuple[Place, Reply]]) -> Iterator[list[Any]]:
    run: list[tuple[Place, Reply]] = []
    for one in answers:
        if run and continues(run, one):
            run.append(one)
            continue
        if run:
            yield _line(run)
        run = [one]
    if run:
        yield _line(run)


def _line(run: list[tuple[Place, Reply]]) -> list[Any]:
    place, first = run[0]
    step = run[1][1].lastrowid - first.lastrowid if len(run) > 1 else 0
    return [place, len(run), step, _fields(first)]


def _fields(answer: Reply) -> list[Any]:
    rows = [[_plain(value) for value in row] for row in answer.rows]
    return [
        answer.rowcount,
        answer.lastrowid,
        answer.columns,
        rows,
        answer.error,
        answer.asked,
    ]


# The types of values that PyMySQL makes, and what JSON has no word for.
_WRITE: Mapping[type, tuple[str, Callable[[Any], Any]]] = {
    Decimal: ("decimal", str),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    timedelta: ("time", lambda value: [value.days, value.seconds, value.microseconds]),
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "decimal": Decimal,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": lambda parts: timedelta(*parts),
}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    name, write = _WRITE[type(value)]
    return {name: write(value)}


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    ((name, text),) = plain.items()
    return _READ[name](text)
