"""The locked connection as a migration sees it: whatever it does there goes by a `ConnectionListener`.

At PyMySQL's own level, below SQLAlchemy: a migration that asks for the driver's connection and cursor
is heard, too. ebhook's own statements use the connection itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pymysql.cursors import Cursor

from ebhook.database.connection import Connection


class ConnectionListener(Protocol):
    """What hears the connection."""

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        """In place of a statement: `text` is final, with its values; `query` runs what it is given
        on `cursor`."""

    def before_commit(self) -> None: ...

    def commit(self) -> None:
        """In place of a commit."""

    def rollback(self) -> None:
        """In place of a rollback."""

    def moved(self) -> None:
        """The session may be in another database now."""


class InterceptedConnection:
    """Stands in for `connection`. It never connects anew."""

    def __init__(self, connection: Connection, listener: ConnectionListener) -> None:
        self._connection = connection
        self._listener = listener

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self, cursor: type[Cursor] | None = None) -> Cursor:
        kind = (
            InterceptedCursor
            if cursor in (None, Cursor)
            else type("_Hears", (InterceptedCursor, cursor), {})
        )
        made: Cursor = kind(self._connection, self._listener)
        return made

    def begin(self) -> None:
        self._listener.before_commit()
        self._connection.begin()

    def commit(self) -> None:
        self._listener.commit()

    def rollback(self) -> None:
        self._listener.rollback()

    def autocommit(self, value: bool) -> None:
        if value != self._connection.get_autocommit():
            self._listener.before_commit()
        self._connection.autocommit(value)

    def select_db(self, db: str) -> None:
        self._connection.select_db(db)
        self._listener.moved()

    def ping(self, reconnect: bool = False) -> None:
        self._connection.ping(reconnect=False)


class InterceptedCursor(Cursor):
    """A cursor with a listener. Another kind of cursor is made from this and from itself."""

    def __init__(self, connection: Connection, listener: ConnectionListener) -> None:
        super().__init__(connection)
        self.listener = listener

    def _query(self, q: str | bytes | bytearray) -> int:
        # What execute, executemany and callproc all come to, in every release that is allowed.
        run = super()._query  # type: ignore[misc]
        if isinstance(q, str):
            self.listener.statement(self, q, run)
        else:
            text = bytes(q).decode("utf-8", "surrogateescape")
            self.listener.statement(
                self, text, lambda sql: run(sql.encode("utf-8", "surrogateescape"))
            )
        return int(self.rowcount)
