"""The live display on a terminal: who does what now, above it the lines of what is done."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from ebhook.events import (
    Event,
    LockTaken,
    LockWaiting,
    PutBack,
    RevisionStarted,
    TenantDone,
    UpgradeStarted,
)


class Live:
    """Shows running tenants with their revision and time, and how many are done."""

    def __init__(self, stream: TextIO) -> None:
        self._running: dict[str, tuple[float, str]] = {}
        self._done: dict[str, int] = {}
        self._console = Console(file=stream, highlight=False)
        self._live = RichLive(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def show(self, event: Event) -> None:
        match event:
            case UpgradeStarted(tenant):
                self._running[tenant] = (time.monotonic(), "connecting")
            case LockWaiting(tenant, holder, _, left):
                self._say_of(tenant, f"waiting for {holder}, {left:.0f} s left")
            case LockTaken(tenant, _):
                self._say_of(tenant, "locked")
            case RevisionStarted(tenant, revision, message, number, of):
                self._say_of(tenant, f"{number}/{of} {revision} {message}")
            case PutBack(tenant, _):
                self._running.pop(tenant, None)
            case TenantDone(tenant=tenant, outcome=outcome):
                self._running.pop(tenant, None)
                word = outcome.value.replace("_", " ")
                self._done[word] = self._done.get(word, 0) + 1
            case _:
                pass

    def say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def _say_of(self, tenant: str, what: str) -> None:
        began, _ = self._running.get(tenant, (time.monotonic(), ""))
        self._running[tenant] = (began, what)

    def _draw(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for tenant, (began, what) in list(self._running.items()):
            table.add_row(Text(tenant, "bold"), f"{time.monotonic() - began:5.1f} s", Text(what))
        sums = ", ".join(f"{number} {word}" for word, number in self._done.items())
        return Group(table, Text(sums or "starting", "dim"))
