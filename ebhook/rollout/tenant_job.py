"""One tenant on its way through a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    EbhookError,
    LockHeld,
    MigrationFailed,
    Skipped,
    Stopped,
    Transient,
)
from ebhook.fleet.standing import Standing
from ebhook.next_command import Again, Next, ebhook, then


class Place(Enum):
    """Where a tenant is that has no result yet."""

    WAITING = "its turn has not come"
    HELD = "somebody else has its lock"
    LATER = "it is tried again after a pause"
    LOOKING = "it is being read where it stands"
    RUNNING = "a worker has it"


@dataclass
class TenantJob:
    """One tenant on its way through the rollout. Times are in monotonic seconds."""

    standing: Standing
    began: float | None = None  # when its first worker started
    held_since: float | None = None  # when it was first found held by somebody else
    losses: int = 0
    tries: int = 0  # looks in vain, one after another
    retry_at: float = 0.0
    error: EbhookError | None = None  # what it ended with, or is in its way
    at: str | None = None  # where it was seen last

    def __post_init__(self) -> None:
        self.at, self.error = self.standing.revision, self.standing.error

    @property
    def name(self) -> str:
        return self.standing.tenant.name

    @property
    def is_lost(self) -> bool:
        return isinstance(self.error, ConnectionLost | Deadlocked)

    @property
    def has_failed(self) -> bool:
        """It ended with an error that nothing more is done about."""
        passing = ConnectionLost | Deadlocked | LockHeld | Transient
        return self.error is not None and not isinstance(self.error, passing)

    # How it ends without a worker's word

    def skipped(self, why: str) -> Skipped:
        # By the way that was typed: by its name alone, it would go before the canary.
        go_on = then("Mend what stopped it, then go on with: ", Again())
        return Skipped(f"{self.name}: not started: {why}.", self._stands, go_on)

    def stopped(self) -> Stopped:
        """Its worker or its connection was lost, and nothing new is started."""
        return Stopped(self._lost.what, self._stands, self._go_on)

    def lost_too_often(self) -> MigrationFailed:
        next = then("See the server's error log, then: ", ebhook("upgrade", self.name))
        return MigrationFailed(self._lost.what, self._stands, next)

    def unknown(self) -> ConnectionLost:
        """It was lost, and could not be read again in time."""
        return ConnectionLost(
            f"{self._lost.what} Since then it could not be read again.",
            "Where it stands is not known.",
            then("See where it stands: ", ebhook("status", self.name)),
        )

    @property
    def _lost(self) -> EbhookError:
        assert self.error is not None
        return self.error

    @property
    def _stands(self) -> str:
        return f"It stands at {self.at or 'base'}."

    @property
    def _go_on(self) -> Next:
        return then("Go on with: ", ebhook("upgrade", self.name))
