"""What happens, as values: the core emits these and never prints; terminal, log and tests read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ebhook.errors import EbhookError
from ebhook.secret import Secret


class Outcome(StrEnum):
    """How one tenant ended. Exactly one per tenant and run."""

    AT_HEAD = "at_head"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    AHEAD = "ahead"
    LOCKED = "locked"
    FROZEN = "frozen"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        return self in (Outcome.AT_HEAD, Outcome.UPGRADED, Outcome.DOWNGRADED, Outcome.AHEAD)


@dataclass(frozen=True)
class SurveyDone:
    """All tenants were read: how many, how many of them are behind, in how many seconds; and how many
    could not be read after all."""

    tenants: int
    behind: int
    seconds: float
    unread: int = 0


@dataclass(frozen=True)
class WaveStarted:
    name: str
    tenants: tuple[str, ...]


@dataclass(frozen=True)
class WaitingForOthers:
    """This instance only waits: `behind` tenants are not at head yet; `left` seconds until it gives up."""

    behind: int
    left: float


@dataclass(frozen=True)
class UpgradeStarted:
    """A worker process began with a tenant."""

    tenant: str


@dataclass(frozen=True)
class LockWaiting:
    """Somebody else holds the tenant. Said once per holder, then with the time that is left."""

    tenant: str
    holder: str
    since: datetime | None
    seconds_left: float


@dataclass(frozen=True)
class LockTakenOver:
    """The row of a holder whose session is gone was replaced by ours."""

    tenant: str
    holder: str
    since: datetime | None


@dataclass(frozen=True)
class LockTaken:
    """From here on only `connection_id` writes in the tenant."""

    tenant: str
    connection_id: int


@dataclass(frozen=True)
class RevisionStarted:
    tenant: str
    revision: str
    message: str
    number: int
    of: int


@dataclass(frozen=True)
class RevisionDone:
    tenant: str
    revision: str
    seconds: float


@dataclass(frozen=True)
class StatementDone:
    """A statement that took long: `seconds`, with its attempts and the waits between them."""

    tenant: str
    statement: str
    seconds: float


@dataclass(frozen=True)
class StatementRetried:
    """The server refused a statement for now (1205, 1213); `blocker` names who is in the way."""

    tenant: str
    statement: str
    reason: str
    blocker: str | None


@dataclass(frozen=True)
class AlgorithmFallback:
    """The server cannot do this ADD COLUMN the cheap way."""

    tenant: str
    statement: str
    refused: str
    reason: str


@dataclass(frozen=True)
class Printed:
    """A line that a migration or env.py wrote to its output; without a tenant, what is loaded once
    for all of them did."""

    tenant: str
    line: str


@dataclass(frozen=True)
class PasswordRead:
    """A password that was read, or made, after the run began: it is to be shown to nobody either."""

    password: Secret


@dataclass(frozen=True)
class PutBack:
    """The tenant is looked at again later."""

    tenant: str
    why: str


@dataclass(frozen=True)
class TenantDone:
    tenant: str
    outcome: Outcome
    before: str | None
    after: str | None
    seconds: float
    error: EbhookError | None


@dataclass(frozen=True)
class Stopping:
    """A signal or the deadline: nothing new is started."""

    why: str


Event = (
    SurveyDone
    | WaveStarted
    | WaitingForOthers
    | UpgradeStarted
    | LockWaiting
    | LockTakenOver
    | LockTaken
    | RevisionStarted
    | RevisionDone
    | StatementDone
    | StatementRetried
    | AlgorithmFallback
    | Printed
    | PasswordRead
    | PutBack
    | TenantDone
    | Stopping
)

Emit = Callable[[Event], None]
