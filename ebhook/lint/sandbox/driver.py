"""A database driver without a database: it tells a tape what is run, and the tape answers.

SQLAlchemy and Alembic work on it as on PyMySQL, so that every statement comes by with its final
text, whatever made it: an operation, a helper, a loop, a session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class DriverReply:
    """What a statement gives back. `columns` is None when it gives no rows."""

    columns: tuple[str, ...] | None = None
    rows: tuple[tuple[object, ...], ...] = ()


class StatementTape(Protocol):
    def statement(self, sql: str, *, rows: int, own: bool) -> DriverReply:
        """`rows`: how many times it runs, with other values. `own`: on a second connection."""

    def committed(self, *, own: bool) -> None: ...


class SandboxConnection:
    """What a driver's ``connect`` gives. `own`: the migration opened it itself."""

    server_version = ""

    def __init__(self, tape: StatementTape, *, own: bool) -> None:
        self._tape = tape
        self._own = own

    def cursor(self, *_: Any) -> SandboxCursor:
        return SandboxCursor(self._tape, self._own)

    def commit(self) -> None:
        self._tape.committed(own=self._own)

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ping(self, *_: Any, **__: Any) -> None:
        pass

    def autocommit(self, _: object) -> None:
        pass

    def get_autocommit(self) -> bool:
        return False

    def character_set_name(self) -> str:
        return "utf8mb4"

    def get_server_info(self) -> str:
        return self.server_version

    def escape_string(self, text: str) -> str:
        from pymysql.converters import escape_string

        escaped: str = escape_string(text)
        return escaped


class SandboxCursor:
    arraysize = 1

    def __init__(self, tape: StatementTape, own: bool) -> None:
        self._tape = tape
        self._own = own
        self._rows: list[tuple[object, ...]] = []
        self.description: tuple[tuple[Any, ...], ...] | None = None
        self.rowcount = 0
        self.lastrowid = 1

    def execute(self, sql: str, parameters: Any = None) -> int:
        return self._run(mogrify(sql, parameters), 1)

    def executemany(self, sql: str, rows: Sequence[Any]) -> int:
        listed = list(rows)
        texts = [mogrify(sql, row) for row in listed[:1]]
        return self._run(texts[0], len(listed)) if texts else 0

    def _run(self, sql: str, rows: int) -> int:
        answer = self._tape.statement(sql, rows=rows, own=self._own)
        self._rows = list(answer.rows)
        self.rowcount = len(self._rows)
        self.description = None
        if answer.columns is not None:
            self.description = tuple(
                (name, 253, None, None, None, None, True) for name in answer.columns
            )
        return self.rowcount

    def fetchone(self) -> tuple[object, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[object, ...]]:
        count = size or self.arraysize
        found, self._rows = self._rows[:count], self._rows[count:]
        return found

    def fetchall(self) -> list[tuple[object, ...]]:
        found, self._rows = self._rows, []
        return found

    def mogrify(self, sql: str, parameters: Any = None) -> str:
        return mogrify(sql, parameters)

    def nextset(self) -> None:
        return None

    def setinputsizes(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        self._rows = []

    def __iter__(self) -> Any:
        return iter(self.fetchall())

    def __enter__(self) -> SandboxCursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def mogrify(sql: str, parameters: Any) -> str:
    """`sql` with its values, as PyMySQL writes them."""
    if parameters is None:
        return sql
    if isinstance(parameters, Mapping):
        return sql % {name: _literal(value) for name, value in parameters.items()}
    if isinstance(parameters, (tuple, list)):
        return sql % tuple(_literal(value) for value in parameters)
    return sql % _literal(parameters)


def _literal(value: object) -> str:
    from pymysql.converters import encoders, escape_item

    try:
        return str(escape_item(value, "utf8mb4", mapping=encoders))
    except (TypeError, ValueError, AttributeError, KeyError):
        return str(escape_item(str(value), "utf8mb4", mapping=encoders))
