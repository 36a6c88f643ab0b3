"""What a server was asked, by its own account: the general log, kept in its table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.conftest import AnyServer
from tests.support.watching import ask

# ebhook's own tables, and Alembic's: what is counted is what the revisions did.
OWN = ("alembic_version", "migration_lock", "migration_journal")
_CHANGES = re.compile(r"\s*(CREATE|ALTER|DROP|RENAME|TRUNCATE|INSERT|UPDATE|DELETE)\b", re.I)
_CONNECT = re.compile(r"(?P<user>.*)@.* on (?P<database>.*) using .*", re.S)


@dataclass(frozen=True)
class Statement:
    """One statement, and the session and database that it ran in."""

    session: int
    database: str
    sql: str

    @property
    def changes(self) -> bool:
        """Of a revision: it changes the schema or data, and not ebhook's own tables."""
        return bool(_CHANGES.match(self.sql)) and not any(name in self.sql for name in OWN)


@dataclass(frozen=True)
class GeneralLog:
    """The log since it was switched on."""

    server: AnyServer

    def statements(self) -> list[Statement]:
        """Every statement, in order."""
        return [
            Statement(session, database, text)
            for session, database, kind, text in self._lines()
            if kind == "Query"
        ]

    def logins(self) -> Counter[str]:
        """How many connections each user made."""
        return Counter(
            match["user"]
            for _, _, kind, text in self._lines()
            if kind == "Connect" and (match := _CONNECT.fullmatch(text))
        )

    def changes(self) -> dict[str, list[str]]:
        """Database → what revisions did in it, in order, without ALGORITHM clauses."""
        done: dict[str, list[str]] = {}
        for statement in self.statements():
            if statement.changes:
                done.setdefault(statement.database, []).append(statement.sql)
        return done

    def _lines(self) -> Iterator[tuple[int, str, str, str]]:
        databases: dict[int, str] = {}
        with self.server.connect() as connection:
            ask(connection, "SET SESSION sql_log_off = 1")
            lines = ask(
                connection,
                "SELECT thread_id, command_type, CONVERT(argument USING utf8mb4)"
                " FROM mysql.general_log",
            )
        for session, kind, text in lines:
            if kind == "Connect" and (match := _CONNECT.fullmatch(text)):
                databases[session] = match["database"]
            elif kind == "Init DB":
                databases[session] = text
            yield int(session), databases.get(session, ""), str(kind), str(text)


@contextmanager
def general_log(server: AnyServer) -> Iterator[GeneralLog]:
    """Keeps the log while the block runs; it starts empty."""
    with server.connect() as connection:
        ask(connection, "SET SESSION sql_log_off = 1")
        ask(connection, "SET GLOBAL general_log = OFF")
        ask(connection, "TRUNCATE mysql.general_log")
        ask(connection, "SET GLOBAL log_output = 'TABLE'")
        ask(connection, "SET GLOBAL general_log = ON")
        try:
            yield GeneralLog(server)
        finally:
            ask(connection, "SET GLOBAL general_log = OFF")
            ask(connection, "TRUNCATE mysql.general_log")
