"""Every error that ebhook reports, with its exit code, on one screen.

An error says three things: ``what`` happened, the ``state`` now, and the ``next`` command.

    EbhookError                       exit
    ├── UsageFailed                    64   the command line asks for something that is not there
    ├── SettingsFailed                 78   ebhook.toml, the environment, or the application named there
    ├── ChainBroken                    65   migrations/: heads, parents, ids, syntax, env.py
    ├── TryAgain                       75   may pass by itself
    │   ├── LockHeld                        another instance has the tenant
    │   ├── TenantFrozen                    a person keeps every instance away
    │   ├── Unreachable                     no connection
    │   │   └── NoAnswer                        nothing there speaks MySQL in time
    │   ├── ConnectionLost                  the connection broke while something was under way
    │   ├── Deadlocked                      the server undid a transaction of ours
    │   ├── Transient                       refused for now: a fail-over, a rotation, throttling
    │   ├── Stopped                         a signal or the deadline came first
    │   └── Skipped                         never started
    └── PersonNeeded                    2   will not pass by itself
        ├── Refused                         the server said no: login, database, privileges, read-only
        ├── LockTableForeign                migration_lock has another shape
        ├── LockUnavailable                 the server has no GET_LOCK
        ├── JournalForeign                  migration_journal has another shape
        ├── MigrationFailed                 a revision raised
        ├── InDoubt                         whether a statement happened cannot be told
        ├── RevisionChanged                 a half-applied revision is not what it was
        ├── HalfApplied                     it is in the way of a downgrade
        ├── RevisionUnknown                 the database stands where this bundle knows nothing
        ├── StateUnknown                    what happened could not be read back
        └── ScratchFailed                   no private server could be had
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ebhook.next_command import Next, as_next


def one_line(text: str) -> str:
    """`text` as one line that a terminal shows as it is: control characters, line ends and marks that
    turn the direction of writing are escapes. For words that come from a database or a file."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class Exit(IntEnum):
    """Exit codes: a contract with scripts."""

    OK = 0
    FINDINGS = 1
    PERSON = 2
    USAGE = 64
    CHAIN = 65
    TRY_AGAIN = 75
    SETTINGS = 78


# From the mildest to the worst: the worst outcome of a run decides its exit code.
SEVERITY = (
    Exit.OK,
    Exit.FINDINGS,
    Exit.TRY_AGAIN,
    Exit.PERSON,
    Exit.CHAIN,
    Exit.SETTINGS,
    Exit.USAGE,
)


def worst(codes: list[Exit]) -> Exit:
    """The most severe of some exit codes; ``Exit.OK`` when there are none."""
    return max(codes, key=SEVERITY.index, default=Exit.OK)


@dataclass(frozen=True)
class FailedAt:
    """Where in a chain something failed: the revision, the statement in it (from 1), the server's
    error number; and where the tenant stands now. None: not known, or there is none."""

    revision: str | None = None
    statement: int | None = None
    errno: int | None = None
    stands_at: str | None = None


class EbhookError(Exception):
    """What happened, the state now, and the next command to type."""

    exit_code = Exit.PERSON

    def __init__(
        self,
        what: str,
        state: str = "Nothing was changed.",
        next: Next | str = "",
        at: FailedAt | None = None,
    ) -> None:
        super().__init__(what, state, next, at)
        self.what = what
        self.state = state
        self.next = as_next(next)
        self.at = at

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.state, str(self.next)) if part)


class UsageFailed(EbhookError):
    exit_code = Exit.USAGE


class SettingsFailed(EbhookError):
    exit_code = Exit.SETTINGS


class ChainBroken(EbhookError):
    exit_code = Exit.CHAIN


class TryAgain(EbhookError):
    exit_code = Exit.TRY_AGAIN


class LockHeld(TryAgain):
    pass


class TenantFrozen(TryAgain):
    pass


class Unreachable(TryAgain):
    pass


class NoAnswer(Unreachable):
    pass


class ConnectionLost(TryAgain):
    pass


class Deadlocked(TryAgain):
    pass


class Transient(TryAgain):
    pass


class Stopped(TryAgain):
    pass


class Skipped(TryAgain):
    pass


class PersonNeeded(EbhookError):
    pass


class Refused(PersonNeeded):
    pass


class LockTableForeign(PersonNeeded):
    pass


class LockUnavailable(PersonNeeded):
    pass


class MigrationFailed(PersonNeeded):
    pass


class JournalForeign(PersonNeeded):
    pass


class InDoubt(PersonNeeded):
    pass


class RevisionChanged(PersonNeeded):
    pass


class HalfApplied(PersonNeeded):
    pass


class RevisionUnknown(PersonNeeded):
    pass


class StateUnknown(PersonNeeded):
    pass


class ScratchFailed(PersonNeeded):
    pass
