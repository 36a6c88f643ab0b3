"""The live displays on a terminal: a rollout at work, and a fleet that is being watched."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live as RichLive
from rich.text import Text

from ebhook.errors import one_line
from ebhook.events import (
    Event,
    LockTaken,
    LockWaiting,
    PutBack,
    RevisionStarted,
    SurveyDone,
    TenantDone,
    UpgradeStarted,
)
from ebhook.report.screen import coloured, laid_out, said_seconds


class Live:
    """Shows running tenants with their revision and time, and how many are done."""

    def __init__(self, stream: TextIO) -> None:
        self._began = time.monotonic()
        self._tenants = 0
        self._running: dict[str, tuple[float, str]] = {}
        self._done: Counter[str] = Counter()
        self._first: float | None = None  # when the first upgrade began
        self._worked = 0  # tenants that an upgrade was done with
        self._console = Console(file=stream, highlight=False)
        self._live = _live(self._console, self)
        self._live.start()

    def show(self, event: Event) -> None:
        match event:
            case SurveyDone(tenants):
                self._tenants = tenants
            case UpgradeStarted(tenant):
                now = time.monotonic()
                self._first = self._first or now
                self._running[tenant] = (now, "connecting")
            case LockWaiting(tenant, holder, _, left):
                self._say_of(tenant, f"waiting for {holder}, {left:.0f} s left")
            case LockTaken(tenant, _):
                self._say_of(tenant, "locked")
            case RevisionStarted(tenant, revision, message, number, of):
                self._say_of(tenant, f"{number}/{of} {revision} {message}")
            case PutBack(tenant, _):
                self._running.pop(tenant, None)
            case TenantDone(tenant=tenant, outcome=outcome):
                self._worked += self._running.pop(tenant, None) is not None
                self._done[outcome.value.replace("_", " ")] += 1
            case _:
                pass

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def _say_of(self, tenant: str, what: str) -> None:
        began, _ = self._running.get(tenant, (time.monotonic(), ""))
        self._running[tenant] = (began, what)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        now = time.monotonic()
        running = list(self._running.items())
        widest = max((cell_len(tenant) for tenant, _ in running), default=0)
        for tenant, (began, what) in running:
            blanks = " " * (widest - cell_len(tenant))
            line = Text.assemble((tenant, "bold"), f"{blanks}  {now - began:5.1f} s  {what}")
            yield _cut(line)
        sums = ", ".join(f"{number} {word}" for word, number in self._done.items())
        done = f"{self._done.total()} of {self._tenants} done"
        told = ": ".join(part for part in (done, sums) if part)
        parts = (told, said_seconds(now - self._began), self._estimate(now))
        yield _cut(Text("; ".join(part for part in parts if part), "dim"))

    def _estimate(self, now: float) -> str:
        """What is left, by how long those took that are done; nothing as long as none is."""
        left = self._tenants - self._done.total()
        if not self._worked or left <= 0 or self._first is None:
            return ""
        seconds = (now - self._first) / self._worked * left
        about = f"{max(1, round(seconds))} s" if seconds < 60 else said_seconds(seconds)
        return f"{left} left, about {about}"


class Watched:
    """Shows a table that is read again and again; as much of it as the terminal has lines for.

    What is not simply at head comes first, and what has changed since the last look is bold.
    """

    def __init__(self, stream: TextIO, headings: Sequence[str], every: float) -> None:
        self._headings = tuple(headings)
        self._every = every
        self._at = ""
        self._calm: list[Sequence[str]] = []
        self._told: list[Sequence[str]] = []
        self._changed: set[str] = set()
        self._below: Sequence[str] = ()
        self._live = _live(Console(file=stream, highlight=False), self)

    def __enter__(self) -> Watched:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(
        self,
        at: str,
        told: Sequence[Sequence[str]],
        calm: Sequence[Sequence[str]],
        below: Sequence[str],
    ) -> None:
        """Another look, `at` that time: the lines to see first, the others, and what is below them."""
        before = {line[0]: tuple(line) for line in (*self._told, *self._calm)}
        now = {line[0]: tuple(line) for line in (*told, *calm)}
        self._changed = {name for name in now if before and before.get(name) != now[name]}
        self._at, self._told, self._calm, self._below = at, list(told), list(calm), below
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._at:
            yield Text("looking …", "dim")
            return
        lines = [*self._told, *self._calm]
        room = max(1, console.height - len(self._below) - 4)  # less what stands around them
        laid = laid_out([self._headings, *map(_one_line, lines[:room])], None)
        headings, *rows = (coloured(row, colours=False) for row in laid)
        yield _cut(Text(headings, "dim"))
        for line, row in zip(lines, rows, strict=False):
            yield _cut(Text(row, "bold" if line[0] in self._changed else ""))
        if len(lines) > room:
            all_calm = " at head" if room >= len(self._told) else ""
            yield _cut(Text(f"… and {len(lines) - room} more{all_calm}", "dim"))
        for text in self._below:
            yield _cut(Text(text, "bold"))
        yield _cut(Text(f"{self._at}, every {self._every:g} s; Ctrl-C ends it", "dim"))


def _live(console: Console, shown: RenderableType) -> RichLive:
    return RichLive(
        shown,
        console=console,
        refresh_per_second=8,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def _one_line(cells: Sequence[str]) -> list[str]:
    return [one_line(cell) for cell in cells]


def _cut(line: Text) -> Text:
    """A line that a narrow terminal cuts, rather than breaks."""
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
