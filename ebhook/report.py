"""Events and outcomes for people and programs: lines, a live display, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import msgspec

from ebhook.database import Tenant
from ebhook.errors import EbhookError, Exit
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
    StatementRetried,
    Stopping,
    SurveyDone,
    TenantDone,
    UpgradeStarted,
    WaveStarted,
)
from ebhook.lock_table import LockRow
from ebhook.rollout import Result
from ebhook.secret import Secret
from ebhook.survey import Half, Standing

WORDS = {outcome: outcome.value.replace("_", " ") for outcome in Outcome}

# Where a tenant with one of these stands may never have been read.
_UNREAD = (Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.UNKNOWN)


def line_of(event: Event) -> str | None:
    """An event as one line, or None for those that only a program wants."""
    match event:
        case SurveyDone(tenants, behind, seconds):
            return f"surveyed {count(tenants, 'tenant')} in {seconds:.2f} s: {behind} behind"
        case WaveStarted(name, tenants):
            few = len(tenants) < 6
            return f"{name} wave: {', '.join(tenants) if few else count(len(tenants), 'tenant')}"
        case LockWaiting(tenant, holder, since, left):
            held = f" since {since:%H:%M:%S} UTC" if since else ""
            return f"{tenant}: waiting for {holder}, who has the lock{held}; {left:.0f} s left"
        case LockTakenOver(tenant, holder, since):
            held = f" (taken {since:%Y-%m-%d %H:%M:%S} UTC)" if since else ""
            return f"{tenant}: took over the lock of {holder}, whose session is gone{held}"
        case RevisionStarted(tenant, revision, message, number, of):
            return f"{tenant}: {revision} {message} ({number} of {of})"
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
                return f"{tenant}: {WORDS[outcome]}: {error}"
            if outcome is Outcome.SKIPPED or (outcome is Outcome.AT_HEAD and seconds == 0):
                return None  # a dry run; or the survey has said it already
            return f"{tenant}: {WORDS[outcome]}, {before or 'base'} → {after or 'base'}, {seconds:.1f} s"
        case Stopping(why):
            return f"nothing new is started: {why}"
        case UpgradeStarted() | LockTaken() | RevisionDone() | PasswordRead():
            return None


class Reporter:
    """Where events go: lines on `stream`, with a live display below them, and JSON lines in a file.

    Texts pass through `hide`, which takes known passwords out of what migrations print.
    """

    def __init__(self, stream: TextIO, *, live: bool, log_file: Path | None = None) -> None:
        self._stream = stream
        self._secrets: set[str] = set()
        self._waited: dict[str, str] = {}
        self._wants_live = live
        self._live: Any = None
        self._log: TextIO | None = None
        if log_file is not None:
            try:
                self._log = log_file.open("a", encoding="utf-8")
            except OSError as error:
                self.say(f"{log_file}: {error.strerror}; going on without this log")

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.close()
        if isinstance(error, EbhookError):
            # An env.py that fails may well say with which URL.
            error.what, error.state, error.next = map(
                self.hide, (error.what, error.state, error.next)
            )
            self.log({"event": "Error", **error_document(error)})
        if self._log is not None:
            self._log.close()

    def knows(self, tenants: Iterable[Tenant]) -> None:
        """From now on the passwords of `tenants` are taken out of every text."""
        for tenant in tenants:
            self._knows(tenant.url.password)

    def _knows(self, password: Secret | None) -> None:
        if password is not None and len(password.reveal()) > 3:
            self._secrets.update(_spellings(password.reveal()))

    def hide(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def hidden(self, document: Any) -> Any:
        """`document` with the known passwords taken out of all its texts."""
        if isinstance(document, str):
            return self.hide(document)
        if isinstance(document, Mapping):
            return {key: self.hidden(value) for key, value in document.items()}
        if isinstance(document, (list, tuple)):
            return [self.hidden(value) for value in document]
        return document

    def emit(self, event: Event) -> None:
        if isinstance(event, PasswordRead):
            self._knows(event.password)
            return
        self.log({"event": type(event).__name__, **msgspec.to_builtins(event)})
        if self._wants_live and self._live is None and isinstance(event, UpgradeStarted):
            # Not before: it would draw over a question, and costs an import.
            from ebhook.live import Live

            self._live = Live(self._stream)
        if self._live is not None:
            self._live.show(event)
            if isinstance(event, RevisionStarted):
                return  # the display has it; what stays on the screen is how each tenant ended
        if isinstance(event, LockWaiting):
            # The holder once; after that only the live display counts down.
            if self._waited.get(event.tenant) == event.holder:
                return
            self._waited[event.tenant] = event.holder
        line = line_of(event)
        if line is not None:
            self.say(line)

    def say(self, line: str) -> None:
        try:
            if self._live is not None:
                self._live.say(self.hide(line))
            else:
                self._stream.write(self.hide(line) + "\n")
                self._stream.flush()
        except OSError:
            pass  # the terminal went away: the work goes on

    def log(self, document: Mapping[str, Any]) -> None:
        if self._log is None:
            return
        try:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            text = msgspec.json.encode({"time": now, **self.hidden(document)}).decode()
            self._log.write(text + "\n")
            self._log.flush()
        except OSError:
            self._log = None


# Documents for programs: a contract.


def error_document(error: EbhookError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "what": error.what,
        "state": error.state,
        "next": error.next,
        "exit_code": int(error.exit_code),
    }


def rollout_document(head: str | None, code: Exit, results: Sequence[Result]) -> dict[str, Any]:
    tenants = []
    for result in results:
        document: dict[str, Any] = {
            "tenant": result.tenant,
            "outcome": result.outcome.value,
            "before": result.before,
            "after": result.after,
            "seconds": round(result.seconds, 3),
            "error": str(result.error) if result.error is not None else None,
        }
        if result.statements:
            document["sql"] = list(result.statements)
        tenants.append(document)
    return {"head": head, "exit_code": int(code), "tenants": tenants}


def status_document(head: str | None, standings: Sequence[Standing]) -> dict[str, Any]:
    return {
        "head": head,
        "tenants": [
            {
                "tenant": standing.tenant.name,
                "state": standing.state.value,
                "revision": standing.revision,
                "behind": standing.behind,
                "ahead": standing.ahead,
                "lock": lock_document(standing.lock),
                "half_applied": half_document(standing.half),
                "edited": list(standing.edited),
                "error": str(standing.error) if standing.error is not None else None,
            }
            for standing in standings
        ],
    }


def half_document(half: Half | None) -> dict[str, Any] | None:
    if half is None:
        return None
    return {"revision": half.revision, "kind": half.kind, "statements": half.position}


def lock_document(lock: LockRow | None) -> dict[str, Any] | None:
    if lock is None:
        return None
    return {
        "holder": lock.holder,
        "since": lock.since.replace(tzinfo=UTC).isoformat() if lock.since is not None else None,
        "alive": lock.alive,
        "frozen": lock.frozen,
        "token": lock.token,
        "pid": lock.pid,
        "connection_id": lock.connection_id,
        "environment": lock.environment,
        "version_label": lock.version_label,
        "command": lock.command,
    }


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of a command, on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")


# Tables for people.


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the last one is as long as it wants to be."""
    widths = [max(len(line[i]) for line in [headings, *lines]) for i in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [headings, *lines]
    )


def rollout_text(
    head: str | None, results: Sequence[Result], seconds: float, *, target: str | None = None
) -> str:
    """The report of a rollout: what is not simply at head, then one line of sums.

    Args:
        target: where the tenants were to go; None: to `head`.
    """
    told = [result for result in results if result.outcome is not Outcome.AT_HEAD]
    parts = []
    if told:
        lines = [
            (
                result.tenant,
                WORDS[result.outcome],
                result.before or ("?" if result.outcome in _UNREAD else "base"),
                result.after or ("?" if result.outcome in _UNREAD else "base"),
                f"{result.seconds:.1f}",
            )
            for result in told
        ]
        parts.append(table(("tenant", "outcome", "before", "after", "seconds"), lines))
    parts.extend(_problems((result.tenant, result.error) for result in results))
    words = WORDS if target in (None, head) else {**WORDS, Outcome.AT_HEAD: "there already"}
    sums: dict[str, int] = {}
    for result in results:
        sums[words[result.outcome]] = sums.get(words[result.outcome], 0) + 1
    summed = ", ".join(f"{number} {word}" for word, number in sums.items())
    where = f"head {head}" if head is not None else "the chain is empty"
    parts.append(f"{count(len(results), 'tenant')}: {summed} ({where}), in {seconds:.2f} s")
    return "\n\n".join(parts)


def status_text(head: str | None, standings: Sequence[Standing]) -> str:
    lines = [
        (
            standing.tenant.name,
            standing.state.value.replace("_", " "),
            standing.revision or "-",
            "-" if standing.behind is None else str(standing.behind),
            lock_text(standing.lock),
            _journal_text(standing),
        )
        for standing in standings
    ]
    parts = [table(("tenant", "state", "revision", "behind", "lock", "journal"), lines)]
    parts.extend(_problems(((s.tenant.name, s.error) for s in standings), state=False))
    parts.append(f"head: {head or 'none, the chain is empty'}")
    return "\n\n".join(parts)


def _problems(
    problems: Iterable[tuple[str, EbhookError | None]], *, state: bool = True
) -> Iterator[str]:
    """Each problem once, with the tenants that have it: a server that is away is one problem."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for name, error in problems:
        if error is not None:
            what = error.what.removeprefix(f"{name}: ")
            advice = error.next
            if advice.endswith(f" {name}"):
                advice = advice.removesuffix(name) + "{tenant}"
            groups.setdefault((what, error.state if state else "", advice), []).append(name)
    for (what, now, advice), names in groups.items():
        named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        one = names[0] if len(names) == 1 else "TENANT"
        parts = (f"{named}: {what}", now, advice.replace("{tenant}", one))
        yield "\n  ".join(part for part in parts if part)


def _journal_text(standing: Standing) -> str:
    """What the journal has to say: half applied, ahead by, edited since."""
    told = []
    if standing.half is not None:
        done = "half applied" if standing.half.kind == "upgrade" else "half undone"
        statements = count(standing.half.position, "statement")
        told.append(f"{standing.half.revision} {done}, {statements} in")
    if standing.ahead:
        told.append(f"ahead by {standing.ahead}")
    if standing.edited:
        told.append(f"edited after applied: {', '.join(standing.edited)}")
    return "; ".join(told) or "-"


def lock_text(lock: LockRow | None) -> str:
    """``i-0abc:412 (v512) since 10:31:07`` and whether its holder still lives."""
    if lock is None:
        return "-"
    since = f" since {lock.since:%Y-%m-%d %H:%M:%S} UTC" if lock.since is not None else ""
    state = ", frozen" if lock.frozen else "" if lock.alive else ", its session is gone"
    return f"{lock}{since}{state}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _spellings(password: str) -> Iterator[str]:
    """A password as texts may have it: plain, quoted by Python or JSON, in a URL, in an ini file's
    URL."""
    for text in (
        password,
        repr(password)[1:-1],
        repr(password.encode("utf-8", "surrogateescape"))[2:-1],
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        quote(password),
        quote(password, safe=""),
        quote(password, safe=" +"),  # SQLAlchemy's own way
        quote_plus(password),
    ):
        yield text
        yield text.replace("%", "%%")


def _short(statement: str) -> str:
    text = " ".join(statement.split())
    return text if len(text) <= 120 else text[:117] + "…"
