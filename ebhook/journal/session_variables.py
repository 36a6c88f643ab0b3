"""The system variables of the session that a migration runs in: what they were, and what they are now.

A migration may set any of them (SET NAMES, sql_mode, completion_type, …), also inside a routine or a
trigger; the server tells each change (`ebhook.database.session_tracking`). The journal's own statements
run with the values of before, and so does the next revision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows, run, scalar, take_change
from ebhook.database.errno import LOST
from ebhook.database.session_tracking import TRACK, SessionChange

# Variable → value as text; None: DEFAULT.
Values = Mapping[str, str | None]

# What own statements depend on: the characters of their texts and of what they read, what a text
# means, which rows come back, whether COMMIT ends the transaction, and what SHOW CREATE leaves out.
OWN = frozenset(
    {
        "character_set_client",
        "character_set_connection",
        "character_set_results",
        "collation_connection",
        "completion_type",
        "insert_id",
        "max_execution_time",
        "max_join_size",
        "max_statement_time",
        "old_mode",
        "show_create_table_skip_secondary_engine",
        "show_create_table_verbosity",
        "show_gipk_in_create_table_and_information_schema",
        "show_old_temporals",
        "sql_auto_is_null",
        "sql_big_selects",
        "sql_mode",
        "sql_quote_show_create",
        "sql_safe_updates",
        "sql_select_limit",
        "timestamp",
    }
)
# What cannot be set to what is told, or has another owner: `replies` gives LAST_INSERT_ID() again.
_LEFT_ALONE = frozenset(
    {"identity", "last_insert_id", "rand_seed1", "rand_seed2", "pseudo_thread_id"}
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class SessionVariables:
    """Follows the session of `connection`. `changed` has what differs from its beginning."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._first: dict[str, str] | None = None  # all, as they were before any was changed
        self._due: dict[str, str | None] = {}  # to be set before the next statement
        self._is_own = False
        self._autocommit = "ON" if connection.get_autocommit() else "OFF"
        self.changed: dict[str, str | None] = {}

    def read(self) -> None:
        """Before a statement that looks as if it sets some: reads them all, once in a session."""
        if self._first is None and not self.changed:
            found = rows(self._connection, "SHOW SESSION VARIABLES")
            self._first = {str(name).lower(): str(value) for name, value in found}

    def note(self, change: SessionChange) -> SessionChange:
        """What a statement of the migration has changed; the change, with what is not told of it."""
        values: dict[str, str | None] = {
            name: value
            for name, value in change.variables
            if name not in _LEFT_ALONE and not name.startswith("session_track_")
        }
        if "character_set_connection" in values and "collation_connection" not in values:
            # SET NAMES … COLLATE sets it, and is not told.
            values["collation_connection"] = str(
                scalar(self._connection, "SELECT @@collation_connection")
            )
        if "timestamp" in values and not self._stands_still(values["timestamp"]):
            values["timestamp"] = None
        if change.ends_tracking:
            run(self._connection, f"SET SESSION {TRACK}")
            take_change(self._connection)
        self.changed |= values
        if self.changed.get("autocommit") == self._autocommit:
            del self.changed["autocommit"]
        return SessionChange(tuple(values.items()), change.schema, change.state)

    def _stands_still(self, told: str | None) -> bool:
        """SET timestamp = DEFAULT is told with the value of before."""
        now = scalar(self._connection, "SELECT @@timestamp")
        return told is not None and abs(float(now) - float(told)) < 1e-6

    def assume(self, values: Iterable[tuple[str, str | None]]) -> None:
        """An earlier run left them so: to be set before anything else is run."""
        self._due |= dict(values)

    def set_due(self) -> None:
        """Sets what was assumed. Raises MySQLError."""
        due, self._due = self._due, {}
        if due:
            self.read()
            self._set(due)
            self.changed |= due

    @contextmanager
    def own(self) -> Iterator[None]:
        """In the block, statements of ebhook's own: no setting of the migration's changes them."""
        touched = {} if self._is_own else {n: v for n, v in self.changed.items() if n in OWN}
        if not touched:
            yield
            return
        if "insert_id" in touched:  # the next INSERT uses it up
            touched["insert_id"] = str(scalar(self._connection, "SELECT @@insert_id"))
        self._set(self._first_values(touched))
        self._is_own = True
        try:
            yield
        finally:
            self._is_own = False
            if self._connection.open:
                self._set(touched)
                take_change(self._connection)

    def as_read(self, name: str) -> str:
        """A name in a statement of the migration's, as the server understood it: the driver sends
        UTF-8, whatever character set the migration has told the server."""
        sent = self.changed.get("character_set_client")
        if name.isascii() or sent is None or sent.startswith("utf8"):
            return name
        octets = name.encode("utf-8", "surrogateescape").hex()
        charset = quoted(sent).strip("`")  # of the server's own
        with self.own():
            return str(
                scalar(self._connection, f"SELECT CONVERT(_{charset} X'{octets}' USING utf8mb4)")
            )

    def restore(self) -> None:
        """Sets all back to what they were. Raises MySQLError, and keeps what is then left."""
        self._due.clear()
        values = self._first_values(self.changed)
        try:
            if values:
                self._set(values)
                self.changed.clear()
        except MySQLError as error:
            if errno(error) in LOST:
                raise
            for name, value in values.items():  # all but those that it refuses
                self._set({name: value})
                del self.changed[name]
        take_change(self._connection)

    def _first_values(self, names: Iterable[str]) -> dict[str, str | None]:
        known: dict[str, str | None] = {**(self._first or {})}
        known |= {"timestamp": None, "insert_id": "0", "autocommit": self._autocommit}
        return {name: known[name] if name in known else self._global(name) for name in names}

    def _global(self, name: str) -> str | None:
        """A new session's value. MySQL's DEFAULT is another one for some (foreign_key_checks)."""
        with suppress(MySQLError):
            value = scalar(self._connection, f"SELECT @@GLOBAL.{quoted(name)}")
            return None if value is None else str(value)
        return None

    def _set(self, values: Values) -> None:
        """In the order of their names: a character set before its collation."""
        parts = (f"{name} = {self._literal(name, values[name])}" for name in sorted(values))
        run(self._connection, f"SET SESSION {', '.join(parts)}")

    def _literal(self, name: str, value: str | None) -> str:
        if value is None:
            return "DEFAULT"
        if name == "character_set_results" and not value:
            return "NULL"
        return value if _NUMBER.fullmatch(value) else str(self._connection.literal(value))
