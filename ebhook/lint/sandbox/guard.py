"""While a migration is recorded it must reach nothing: no server, no process, no other database."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

_REACHES_OUT = {
    "socket.connect": "connects to a network address",
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.exec": "starts a program",
    "sqlite3.connect": "opens a SQLite database",
    "open": "writes a file",
    "os.remove": "deletes a file",
    "os.rename": "renames a file",
    "os.truncate": "cuts a file",
    "os.mkdir": "makes a folder",
    "os.rmdir": "deletes a folder",
    "shutil.rmtree": "deletes a folder",
}
_BOUNDARY = "run_version_file"  # the function of ours that all of a version file runs below
_WAITS = 10_000  # so often a loop may sleep before it is said to have no end


class Outside(BaseException):
    """A migration reached out. No Exception: an ``except Exception`` must not swallow it."""


class Endless(BaseException):
    """A migration waits for something that never comes here."""


class SandboxGuard:
    closed = False
    installed = False

    def audit(self, event: str, arguments: Any) -> None:
        if not self.closed or event not in _REACHES_OUT:
            return
        if event == "socket.connect" and arguments[0].type == socket.SOCK_DGRAM:
            return  # sends nothing: it is how programs learn their own address
        if event == "open" and not _writes(*arguments):
            return
        if not _importing():
            raise Outside(_REACHES_OUT[event])
        # What the application's own modules do when they are imported is no revision's doing.
        if event == "socket.connect":
            raise ConnectionRefusedError("lint reaches nothing")

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


_GUARD = SandboxGuard()


def _writes(path: object, mode: str | None, flags: int) -> bool:
    if path == os.devnull:
        return False
    return bool(set(mode or "") & set("wax+")) or bool(flags & (os.O_WRONLY | os.O_RDWR))


def _importing() -> bool:
    """Is a module being imported, by a version file or by what it imports?"""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_name != _BOUNDARY:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


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
