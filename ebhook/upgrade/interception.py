"""The locked connection as a migration sees it: whatever it does there goes by a `ConnectionListener`.

At PyMySQL's own level, below SQLAlchemy: a migration that asks for the driver's connection and cursor
is heard, too. ebhook's own statements use the connection itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pymysql.cursors import Cursor, SSCursor
from pymysql.err import InterfaceError, MySQLError

from ebhook.database.connection import Connection


class ConnectionListener(Protocol):
    """What hears the connection."""

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        """In place of a statement: `text` is final, with its values; `query` runs what it is given
        on `cursor`."""

    @property
    def wire(self) -> AbstractContextManager[Any]:
        """Held while the connection is used."""

    def before_commit(self) -> None: ...

    def commit(self) -> None:
        """In place of a commit."""

    def rollback(self) -> None:
        """In place of a rollback."""

    def set_by_driver(self) -> None:
        """The driver has set autocommit by itself, and does so again whenever the migration asks for it."""

    def moved(self) -> None:
        """The session may be in another database now."""

    def refuse(self, error: Exception) -> None:
        """ebhook itself refused something: the revision fails by it, whatever the file catches."""

    def was_told(self, text: str) -> bool:
        """Is it a statement that prepared this session?"""


class InterceptedConnection:
    """Stands in for `connection`. It never connects anew, and closing it leaves `connection` open.

    `errors` is the module of another driver, whose exceptions are raised in place of PyMySQL's.
    """

    def __init__(
        self, connection: Connection, listener: ConnectionListener, errors: Any = None
    ) -> None:
        vars(self).update(_connection=connection, _listener=listener, _errors=errors, _ended=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "autocommit":  # a property in MySQL's own driver
            self.autocommit(value)
        else:
            vars(self)[name] = value

    def end(self) -> None:
        """From now on it does nothing: a pool may keep it, and roll back on it at any time."""
        vars(self)["_ended"] = True

    def cursor(self, cursor: type[Cursor] | None = None, **options: Any) -> Cursor:
        if self._ended:
            raise InterfaceError(0, "the upgrade that this connection was for is over")
        if options.pop("server_side", False):
            cursor = SSCursor
        kind: Any = InterceptedCursor
        if cursor is not None and cursor is not Cursor and issubclass(cursor, Cursor):
            kind = type("_Hears", (InterceptedCursor, cursor), {})
        made: Cursor = kind(self._connection, self._listener, self._errors)
        return made

    def begin(self) -> None:
        with self._listener.wire:
            self._listener.before_commit()
            self._connection.begin()

    def commit(self) -> None:
        if not self._ended:
            self._listener.commit()

    def rollback(self) -> None:
        if not self._ended:
            self._listener.rollback()

    def close(self) -> None:
        """Back to its pool, or away: the connection is not the pool's."""

    terminate = close

    def autocommit(self, value: bool) -> None:
        if value != self._connection.get_autocommit():
            self._listener.before_commit()
        with self._listener.wire:
            self._connection.autocommit(value)
        self._listener.set_by_driver()

    def select_db(self, db: str) -> None:
        with self._listener.wire:
            self._connection.select_db(db)
            self._listener.moved()

    def ping(self, reconnect: bool = False) -> None:
        with self._listener.wire:
            self._connection.ping(reconnect=False)

    def show_warnings(self) -> Any:
        with self._listener.wire:
            return self._connection.show_warnings()


class InterceptedCursor(Cursor):
    """A cursor with a listener. Another kind of cursor is made from this and from itself."""

    def __init__(
        self, connection: Connection, listener: ConnectionListener, errors: Any = None
    ) -> None:
        super().__init__(connection)
        self.listener = listener
        self.errors = errors

    def _query(self, q: str | bytes | bytearray) -> int:
        # What execute, executemany and callproc all come to, in every release that is allowed.
        run = super()._query  # type: ignore[misc]
        try:
            if isinstance(q, str):
                self.listener.statement(self, q, run)
            else:
                text = bytes(q).decode("utf-8", "surrogateescape")
                self.listener.statement(
                    self, text, lambda sql: run(sql.encode("utf-8", "surrogateescape"))
                )
        except MySQLError as error:
            if self.errors is None:
                raise
            raise _as_drivers_own(error, self.errors) from error
        return int(self.rowcount)


def _as_drivers_own(error: MySQLError, errors: Any) -> BaseException:
    """The exception by which another driver says the same."""
    kind = getattr(errors, type(error).__name__, errors.DatabaseError)
    made: BaseException
    if hasattr(kind, "errno") or "mysql.connector" in kind.__module__:
        number, *words = error.args or (0,)
        made = kind(msg=str(words[0]) if words else None, errno=number)
    else:
        made = kind(*error.args)
    return made
