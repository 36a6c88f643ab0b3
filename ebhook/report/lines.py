"""An event as one line for people."""

from __future__ import annotations

from ebhook.errors import one_line
from ebhook.events import (
    AlgorithmFallback,
    Event,
    LockTaken,
    LockTakenOver,
    LockWaiting,
    Outcome,
    PasswordRead,
    Printed,
    PutBack,
    RevisionDone,
    RevisionStarted,
    StatementDone,
    StatementRetried,
    Stopping,
    SurveyDone,
    TenantDone,
    UpgradeStarted,
    WaitingForOthers,
    WaveStarted,
)
from ebhook.report.screen import said_seconds

WORDS = {outcome: outcome.value.replace("_", " ") for outcome in Outcome}

# What a signal means for what is under way.
_SIGNALS = {
    "SIGINT": "; what runs may end by itself; Ctrl-C again ends it now",
    "SIGTERM": "; what runs may end by itself, for a while",
    "SIGHUP": "; what runs may end by itself, for a while",
}


def line_of(event: Event) -> str | None:
    """An event as one line, or None for those that only a program wants."""
    match event:
        case SurveyDone(tenants, behind, seconds, unread):
            read = f", {unread} could not be read" if unread else ""
            return f"surveyed {count(tenants, 'tenant')} in {said_seconds(seconds)}: {behind} behind{read}"
        case WaveStarted(name, tenants):
            few = len(tenants) < 6
            return f"{name} wave: {', '.join(tenants) if few else count(len(tenants), 'tenant')}"
        case WaitingForOthers(behind, left):
            be = "is" if behind == 1 else "are"
            return f"{count(behind, 'tenant')} {be} behind; waiting for whoever migrates; {left:.0f} s left"
        case LockWaiting(tenant, holder, since, left):
            held = f" since {since:%H:%M:%S} UTC" if since else ""
            return f"{tenant}: waiting for {holder}, who has the lock{held}; {left:.0f} s left"
        case LockTakenOver(tenant, holder, since):
            held = f" (taken {since:%Y-%m-%d %H:%M:%S} UTC)" if since else ""
            return f"{tenant}: took over the lock of {holder}, whose session is gone{held}"
        case RevisionStarted(tenant, revision, message, number, of):
            return f"{tenant}: {revision} {one_line(message)} ({number} of {of})"
        case StatementRetried(tenant, statement, reason, blocker):
            by = f"; in the way: {blocker}" if blocker else ""
            return f"{tenant}: trying again, {reason}{by}: {_short(statement)}"
        case AlgorithmFallback(tenant, statement, refused, reason):
            return f"{tenant}: not possible {refused} ({reason}): {_short(statement)}"
        case Printed(tenant, line):
            return f"{tenant} | {line}" if tenant else f"| {line}"
        case PutBack(tenant, why):
            return f"{why} Put back." if why.startswith(tenant) else f"{tenant}: {why} Put back."
        case TenantDone(tenant, outcome, before, after, seconds, error):
            if error is not None:
                # Where it stands, and what to do, is said once: in the report.
                said = error.what.removeprefix(f"{tenant}: ")
                return f"{tenant}: {WORDS[outcome]}: {said}"
            if outcome is Outcome.SKIPPED or (outcome in _SURVEYED and seconds == 0):
                return None  # a dry run; or the report has it
            return f"{tenant}: {WORDS[outcome]}, {before or 'base'} → {after or 'base'}, {said_seconds(seconds)}"
        case Stopping(why):
            return f"nothing new is started: {why}{_SIGNALS.get(why, '')}"
        case StatementDone() | UpgradeStarted() | LockTaken() | RevisionDone() | PasswordRead():
            return None


# How a tenant ends that needs no work.
_SURVEYED = (Outcome.AT_HEAD, Outcome.AHEAD)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= 120 else text[:117] + "…"
