"""Notices that somebody else moves a tenant's version while we hold its lock.

Alembic and Flask-Migrate without ebhook's line (`ebhook.alembic`, `ebhook.flask`) take no lock. They cannot be
kept out, but two runs of one revision must not pass for one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, in_transaction, quoted, rows, versions
from ebhook.errors import MigrationFailed
from ebhook.next_command import ebhook, then


@dataclass
class VersionGuard:
    """Compares the version table of `database` with what this run has written there."""

    connection: Connection
    tenant: str
    database: str
    table: str
    expected: frozenset[str] = field(default=frozenset(), init=False)

    def expect(self, heads: Collection[str]) -> None:
        """What the version table holds now, by our own reading or writing."""
        self.expected = frozenset(heads)

    def before(self, revision: str) -> None:
        """Locks the version in the transaction of `revision`'s first statements, and compares.

        In an open transaction our own last move of the version is not committed yet, and keeps its
        row: nobody can have moved it.

        Raises:
            MigrationFailed: somebody else has moved it; `revision` has not begun.
        """
        if in_transaction(self.connection):
            return
        place = f"{quoted(self.database)}.{quoted(self.table)}"
        found = rows(self.connection, f"SELECT version_num FROM {place} FOR UPDATE")
        now = {str(row[0]) for row in found}
        if now != self.expected:
            self.connection.rollback()
            raise self._moved(now, f"Revision {revision} was not begun.")

    def after_failure(self, revision: str) -> MigrationFailed | None:
        """After Alembic could not move the version, and a rollback: the reason, if it is somebody
        else; None otherwise."""
        try:
            now = set(versions(self.connection, self.database, self.table))
        except MySQLError:
            return None
        if now == self.expected:
            return None
        return self._moved(
            now,
            f"The statements of {revision} ran here, too: what they changed outside of a "
            "transaction (each DDL statement) may be there twice.",
        )

    def _moved(self, now: Collection[str], state: str) -> MigrationFailed:
        was = ", ".join(sorted(self.expected)) or "base"
        return MigrationFailed(
            f"{self.tenant}: somebody else moved the version from {was} to "
            f"{', '.join(sorted(now)) or 'base'} while this run held the lock.",
            state,
            then(
                "Find who runs flask db or alembic without ebhook's line (docs/writing.md), then: ",
                ebhook("status", self.tenant),
            ),
        )
