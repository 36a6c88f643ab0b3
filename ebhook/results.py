"""How tenants ended, and what that comes to: an exit code, and whether the instance may start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ebhook.errors import (
    ConnectionLost,
    EbhookError,
    Exit,
    LockHeld,
    MigrationFailed,
    PersonNeeded,
    Skipped,
    StateUnknown,
    Stopped,
    TenantFrozen,
    Transient,
    TryAgain,
    Unreachable,
    worst,
)
from ebhook.events import Outcome
from ebhook.settings import Settings


@dataclass(frozen=True)
class PlannedStatement:
    """What a dry run would have run. `revision` is None for what keeps the version table.

    `adds_column`: Alembic's own ADD COLUMN, which is sent with an ALGORITHM clause.
    """

    sql: str
    revision: str | None
    adds_column: bool = False


@dataclass(frozen=True)
class Result:
    """How one tenant ended. `statements` is what a dry run would have run."""

    tenant: str
    outcome: Outcome
    before: str | None
    after: str | None
    seconds: float
    error: EbhookError | None = None
    statements: tuple[PlannedStatement, ...] = ()


def outcome_of(error: EbhookError) -> Outcome:
    """What a tenant comes to that ends with `error`."""
    if isinstance(error, LockHeld):
        return Outcome.LOCKED
    if isinstance(error, TenantFrozen):
        return Outcome.FROZEN
    if isinstance(error, Unreachable | ConnectionLost | Transient):
        return Outcome.UNREACHABLE
    if isinstance(error, Stopped | Skipped):
        return Outcome.SKIPPED
    if isinstance(error, StateUnknown):
        return Outcome.UNKNOWN
    if isinstance(error, MigrationFailed) or not isinstance(error, PersonNeeded):
        return Outcome.FAILED
    return Outcome.REFUSED


def exit_code(results: Iterable[Result]) -> Exit:
    """The worst outcome decides."""
    return worst([result.error.exit_code for result in results if result.error is not None])


def excused(settings: Settings, results: Iterable[Result], error: EbhookError | None) -> bool:
    """May an instance start although `results`, or what came before them, are not good?

    A broken chain, wrong settings and a wrong command line are defects of the bundle: never.
    """
    boot = settings.boot
    allowed = dict.fromkeys(Outcome, boot.on_failure == "start")
    allowed[Outcome.UNREACHABLE] = boot.on_unreachable == "start"
    allowed[Outcome.FROZEN] = "start" in (boot.on_frozen, boot.on_failure)
    if error is not None:
        mine = isinstance(error, TryAgain | PersonNeeded)
        return mine and allowed[outcome_of(error)]
    bad = [result for result in results if not result.outcome.good]
    return all(
        allowed[result.outcome] and isinstance(result.error, TryAgain | PersonNeeded)
        for result in bad
    )
