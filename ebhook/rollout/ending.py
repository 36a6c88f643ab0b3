"""How what still runs is brought to its end, after a signal or the deadline.

First no revision begins any more. After the grace the statements are ended (KILL QUERY); where that is
not enough, the workers are: their sessions end with them, and the journal knows the rest. Then nothing
is waited for any longer.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import Enum

from pymysql.err import MySQLError

from ebhook.concurrency import Budget
from ebhook.database.connection import Connection, allow_silence, connect, rows, run, scalar
from ebhook.errors import EbhookError
from ebhook.lock.named_lock import lock_name
from ebhook.settings import Settings
from ebhook.tenant import Tenant

PATIENCE = 2.0  # seconds for a server that is to end a statement


class EndingStep(Enum):
    """What is done, and how many seconds after the grace."""

    END_STATEMENTS = 0.0
    KILL_WORKERS = 2.0
    GIVE_UP = 3.5


@dataclass
class Escalation:
    """When each step is due. Times are in monotonic seconds."""

    budget: Budget
    at: float = field(init=False)  # the end of the grace
    _left: list[EndingStep] = field(init=False, default_factory=lambda: list(EndingStep))

    def __post_init__(self) -> None:
        self.at = self.budget.end

    def signalled(self, count: int, now: float) -> None:
        """`count` signals have come so far; the second one means: now."""
        self.at = min(self.at, now + (self.budget.grace if count == 1 else 0.0))

    def wake_at(self) -> float | None:
        """When the next step is due."""
        return self.at + self._left[0].value if self._left else None

    def due(self, now: float) -> list[EndingStep]:
        """The steps to take now, each once."""
        due = [step for step in self._left if now >= self.at + step.value]
        self._left = self._left[len(due) :]
        return due

    @property
    def is_patient(self) -> bool:
        """No worker has been ended yet."""
        return EndingStep.KILL_WORKERS in self._left

    @property
    def is_over(self) -> bool:
        return not self._left


@dataclass
class InFlight:
    """A tenant that a worker has: its session, once it has the lock, and since when (monotonic)."""

    tenant: Tenant
    connection_id: int | None = None
    since: float = 0.0

    def took_lock(self, connection_id: int, now: float) -> None:
        self.connection_id, self.since = connection_id, now


def end_statement(flight: InFlight, settings: Settings) -> None:
    """KILL QUERY for what the tenant's worker still runs: the server undoes it, and the worker ends.

    Only where that session still has our lock. After a restart or a fail-over of the server its
    number is somebody else's.
    """
    id = flight.connection_id
    if id is None:
        return
    timeout = min(PATIENCE, settings.connect_timeout)
    # It has just ended, or it cannot be ended from here: the next step does.
    with (
        suppress(EbhookError, MySQLError),
        closing(connect(flight.tenant.url, database=None, timeout=timeout)) as connection,
    ):
        allow_silence(connection, PATIENCE)
        if _is_ours(connection, id, flight, settings):
            run(connection, "KILL QUERY %s", id)


def _is_ours(connection: Connection, id: int, flight: InFlight, settings: Settings) -> bool:
    ((_, uptime),) = rows(connection, "SHOW GLOBAL STATUS LIKE 'Uptime'")
    if float(uptime) + 1.0 < time.monotonic() - flight.since:
        return False  # it was started after our session began
    database = flight.tenant.database
    if settings.lock.named:
        folds = bool(scalar(connection, "SELECT @@lower_case_table_names"))
        owner = scalar(connection, "SELECT IS_USED_LOCK(%s)", lock_name(database, folds=folds))
        return owner is not None and int(owner) == id
    sql = "SELECT db FROM information_schema.processlist WHERE id = %s AND user = %s"
    return bool(scalar(connection, sql, id, flight.tenant.url.user) == database)
