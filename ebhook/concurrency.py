"""Signals, threads, child processes and the time that is left: what several rooms need of each."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What the operating system refuses when a machine is short of something. It passes.
SHORTAGES = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


def shortage_of(error: BaseException) -> str | None:
    """In words, what this machine is short of; None where `error` is about something else."""
    if isinstance(error, MemoryError):
        return "it is short of memory"
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return f"{os.strerror(error.errno)} (errno {error.errno})"
    if isinstance(error, RuntimeError) and "new thread" in str(error):
        return "it starts no more threads"
    return None


@dataclass(frozen=True)
class Budget:
    """The time that a command has. It reaches every wait.

    `deadline`: monotonic seconds, after which nothing new begins. `grace`: seconds that what runs
    may still take, after the deadline or a signal, before it is ended.
    """

    deadline: float
    grace: float

    def left(self, most: float = math.inf) -> float:
        """Seconds until the deadline, at most `most`, at least 0."""
        return max(0.0, min(most, self.deadline - time.monotonic()))

    @property
    def end(self) -> float:
        """When what still runs is ended, in monotonic seconds."""
        return self.deadline + self.grace


class Interruption:
    """While in the block, signals are counted instead of ending the process.

    `count` is how many came, `name` the last one's; waiting on `fileno()` ends when one comes. A
    signal that is ignored (nohup) stays ignored.
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
            if signal.getsignal(number) is not signal.SIG_IGN:
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
        """Runs `function` beside; `deliver` gives what it returned to `then`, or raises its error.

        Where no thread can be started, it is run at once.
        """

        def live() -> None:
            try:
                result = function()
                self._ended.append(lambda: then(result))
            except BaseException as error:
                self._ended.append(partial(_raise, error))
            with suppress(OSError):  # nobody waits any more
                os.write(self._writer, b"!")

        try:
            threading.Thread(target=live, daemon=True).start()
        except RuntimeError:
            live()

    def deliver(self) -> None:
        """Hands on what has ended."""
        os.read(self._reader, 4096)
        while self._ended:
            self._ended.popleft()()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *_: object) -> None:
        """Calls that have not ended are forgotten. Their pipe's end stays open for them."""
        os.close(self._reader)


def _raise(error: BaseException) -> None:
    raise error


class Answers:
    """Work for some threads, and what came of it, in the order in which it came. A context manager."""

    def __init__(self, function: Callable[[T], R], most: int) -> None:
        """
        Args:
            function: is given one item at a time, in a thread.
            most: how many threads there may be.
        """
        from queue import Empty, SimpleQueue  # only where something is asked side by side

        self._function, self._most, self._empty = function, most, Empty
        self._todo: SimpleQueue[Any] = SimpleQueue()
        self._done: SimpleQueue[Any] = SimpleQueue()
        self._threads = 0
        self.open = 0  # how many items have no answer yet

    def ask(self, items: Sequence[Any]) -> None:
        """Adds work. Raises RuntimeError where not one thread can be started."""
        for item in items:
            self._todo.put(item)
            self.open += 1
            if self._threads < min(self._most, self.open):
                try:
                    threading.Thread(target=self._live, daemon=True).start()
                except RuntimeError:
                    if not self._threads:
                        raise
                else:
                    self._threads += 1

    def next(self, seconds: float | None = None) -> tuple[Any, Any] | None:
        """An item and its answer; None when there was none in so many seconds.

        An error in a thread is raised here.
        """
        try:
            item, answer, error = self._done.get(timeout=seconds)
        except self._empty:
            return None
        self.open -= 1
        if error is not None:
            raise error
        return item, answer

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *error: object) -> None:
        """The threads end when they have done what they are at; nobody waits for them."""
        for _ in range(self._threads):
            self._todo.put(self)

    def _live(self) -> None:
        while (item := self._todo.get()) is not self:
            try:
                self._done.put((item, self._function(item), None))
            except BaseException as error:
                self._done.put((item, None, error))


def in_threads(function: Callable[[T], R], items: Sequence[T], most: int) -> Iterator[R]:
    """What `function` makes of each item, in their order, by at most `most` threads.

    An interruption does not wait for the threads that still wait for a server.
    """
    if not items:
        return

    def answer(number: int) -> R:
        return function(items[number])

    found: dict[int, R] = {}
    with Answers(answer, most) as answers:
        answers.ask(range(len(items)))
        for number in range(len(items)):
            while number not in found:
                said = answers.next()
                assert said is not None
                found[said[0]] = said[1]
            yield found.pop(number)


def within(seconds: float, function: Callable[[], R]) -> R:
    """What `function` returns, or raises; TimeoutError when that takes longer. It runs in a thread,
    which is then left alone: what waits in the C library (a name that is looked up) has no other end.
    """
    with Answers(lambda _: function(), 1) as answers:
        answers.ask([None])
        said = answers.next(seconds)
    if said is None:
        raise TimeoutError
    result: R = said[1]
    return result


def end_at(when: float, code: int, words: str) -> None:
    """A last resort: at `when` (monotonic seconds) this process ends with `code`, whatever it waits
    for. What it started ends with it. `words` go to stderr, if that takes them."""

    def live() -> None:
        time.sleep(max(0.0, when - time.monotonic()))
        with suppress(OSError, ValueError):
            if select.select([], [2], [], 0)[1]:
                os.write(2, words.encode())
        os._exit(code)

    with suppress(RuntimeError):  # no thread to be had: then the other bounds have to do
        threading.Thread(target=live, daemon=True).start()


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
