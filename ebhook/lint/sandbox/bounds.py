"""How long a version file may run, and how much memory it may take, while it is recorded."""

from __future__ import annotations

import contextlib
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ebhook.lint.sandbox.guard import Endless

MEMORY = 2 * 1024**3  # bytes, beside what the process has
_AGAIN = 1.0  # seconds until it is interrupted once more, if something caught the first


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises `Endless` in the block after `seconds`, and `MemoryError` when it takes too much.

    Signals are the main thread's alone: in another one the time has no bound. What C code does without
    coming back to Python cannot be interrupted.
    """
    with _memory():
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def over(*_: Any) -> None:
            raise Endless(f"it does not end within {seconds:g} s")

        before = signal.signal(signal.SIGALRM, over)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _memory() -> Iterator[None]:
    now = _size()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [now + MEMORY, *(one for one in (soft, hard) if one != resource.RLIM_INFINITY)]
    if now:
        resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _size() -> int:
    """The bytes of this process's address space; 0 where that cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError):
        return 0
    return pages * resource.getpagesize()
