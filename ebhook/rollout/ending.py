"""How what still runs is brought to its end, after a signal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.database.connection import connect, run
from ebhook.errors import EbhookError
from ebhook.settings import Settings
from ebhook.tenant import Tenant

GRACE = 20.0  # seconds that a running statement may still take after a signal
AGAIN = 2.0  # seconds between two attempts to end what runs


@dataclass
class InFlight:
    """A tenant that a worker has: its session, once it has the lock, and since when (monotonic)."""

    tenant: Tenant
    connection_id: int | None = None
    since: float = 0.0

    def took_lock(self, connection_id: int, now: float) -> None:
        self.connection_id, self.since = connection_id, now


@dataclass
class Escalation:
    """When running statements are ended. Times are in monotonic seconds."""

    deadline: float
    at: float | None = None

    def signalled(self, count: int, now: float) -> None:
        """`count` signals have come; the second one means: now."""
        self.at = now + (GRACE if count == 1 else 0.0)

    def wake_at(self, now: float) -> float | None:
        return self.at

    def is_due(self, now: float) -> bool:
        """Are statements to be ended now? From then on again and again."""
        if self.at is None or now < self.at:
            return False
        self.at = now + AGAIN  # the revision's next statement may have begun meanwhile
        return True


def end_statements(flights: Iterable[InFlight], settings: Settings) -> None:
    """KILL QUERY for whatever still runs: the server undoes it, and the worker lets go."""
    for flight in flights:
        if flight.connection_id is None:
            continue
        try:
            connection = connect(flight.tenant.url, database=None, timeout=settings.connect_timeout)
            try:
                run(connection, "KILL QUERY %s", flight.connection_id)
            finally:
                connection.close()
        except (EbhookError, MySQLError):
            pass  # it has just ended, or cannot be ended from here
