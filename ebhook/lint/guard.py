"""While a migration is recorded it must reach nothing: no server, no process, no other database."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

_REACHES_OUT = {
    "socket.connect": "connects to a network address",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.exec": "starts a program",
    "sqlite3.connect": "opens a SQLite database",
}
_WAITS = 10_000  # so often a loop may sleep before it is said to have no end


class Outside(BaseException):
    """A migration reached out. No Exception: an ``except Exception`` must not swallow it."""


class Endless(BaseException):
    """A migration waits for something that never comes here."""


class _Guard:
    closed = False
    installed = False

    def audit(self, event: str, _: Any) -> None:
        if self.closed and event in _REACHES_OUT:
            raise Outside(_REACHES_OUT[event])

    def connect(self, *_: Any) -> None:
        if self.closed:
            raise Outside("opens a connection of its own")

    def install(self) -> None:
        import sqlalchemy as sa

        if not self.installed:
            self.installed = True
            sys.addaudithook(self.audit)
            # Before any driver's own connect, those in C included.
            sa.event.listen(sa.Engine, "do_connect", self.connect)


_GUARD = _Guard()


@contextlib.contextmanager
def closed() -> Iterator[None]:
    """Nothing can be reached inside; waiting takes no time."""
    _GUARD.install()
    slept = 0

    def sleep(_: Any) -> None:
        nonlocal slept
        slept += 1
        if slept > _WAITS:
            raise Endless("it waits without end")

    before, _GUARD.closed = _GUARD.closed, True
    really, time.sleep = time.sleep, sleep
    try:
        yield
    finally:
        _GUARD.closed = before
        time.sleep = really
