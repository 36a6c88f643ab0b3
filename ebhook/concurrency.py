"""Signals, threads and child processes: what several rooms need of each."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, Generic, TypeVar

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


class Background:
    """Calls that wait for servers, in threads of their own: wait on `fileno()`, then `deliver`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._ended: deque[Callable[[], None]] = deque()

    def fileno(self) -> int:
        return self._reader

    def call(self, function: Callable[[], T], then: Callable[[T], None]) -> None:
        """Runs `function` beside; `deliver` gives what it returned to `then`, or raises its error."""

        def live() -> None:
            try:
                result = function()
                self._ended.append(lambda: then(result))
            except BaseException as error:
                self._ended.append(partial(_raise, error))
            with suppress(OSError):  # nobody waits any more
                os.write(self._writer, b"!")

        threading.Thread(target=live, daemon=True).start()

    def deliver(self) -> None:
        """Hands on what has ended."""
        os.read(self._reader, 4096)
        while self._ended:
            self._ended.popleft()()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        """Calls that have not ended are forgotten. Their pipe stays open for them."""
        os.close(self._reader)


def _raise(error: BaseException) -> None:
    raise error


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


class BackgroundCall(Generic[T]):
    """Runs `function` beside the caller, who asks for its `result()` later, which raises what it raised."""

    def __init__(self, function: Callable[[], T]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(max_workers=1)
        self._future = pool.submit(function)
        pool.shutdown(wait=False)

    def result(self) -> T:
        return self._future.result()


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


def become(user: str) -> None:
    """Gives up root for `user` and its groups, for good; HOME and its like are that user's.

    Raises:
        KeyError: there is no such user.
        OSError: this process may not.
    """
    import pwd

    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)
