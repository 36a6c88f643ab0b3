"""Signals, threads and child processes: what several rooms need of each."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interruption:
    """While in the block, signals are counted instead of ending the process.

    `count` is how many came, `name` the last one's; waiting on `fileno()` ends when one comes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.name = ""
        self._reader, self._writer = os.pipe()
        self._before: dict[int, Any] = {}

    def fileno(self) -> int:
        return self._reader

    def drain(self) -> None:
        """After a wait: makes `fileno()` quiet again."""
        os.read(self._reader, 4096)

    def __enter__(self) -> Interruption:
        handler: Callable[[int, FrameType | None], None] = self._came
        for number in SIGNALS:
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    def _came(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        self.name = signal.Signals(number).name
        os.write(self._writer, b"!")


def in_threads(function: Callable[[T], R], items: Sequence[T], most: int) -> Iterator[R]:
    """What `function` makes of each item, in their order, by at most `most` threads.

    An interruption does not wait for the threads that still wait for a server.
    """
    from concurrent.futures import ThreadPoolExecutor  # late: most boots have one server

    if not items:
        return
    pool = ThreadPoolExecutor(max_workers=min(most, len(items)))
    try:
        yield from pool.map(function, items)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when `parent` ends (Linux: prctl(2), PR_SET_PDEATHSIG = 1).

    Args:
        parent: its pid, known before there was this process, which may have outlived it already.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
