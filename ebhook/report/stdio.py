"""Standard input, output and error as one finds them: closed, full, or of another character set.

What was done to databases does not depend on whether anybody could read of it.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
from typing import Any, TextIO, cast

_PIPE_BUF = 4096  # bytes for which a pipe that takes any takes all

_limits: dict[
    int, float
] = {}  # descriptor → seconds for whoever reads it; without: as long as it takes


def limit_waiting(seconds: float, *descriptors: int) -> None:
    """From now on a pipe or socket that nobody reads for so many seconds counts as gone.

    A command that holds instances up must not wait for whoever reads its output.
    """
    _limits.update(dict.fromkeys(descriptors, seconds))


class PipeOutput(io.RawIOBase):
    """A pipe or a socket that is written to in small parts, each when it has room."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """How many bytes were taken. Raises OSError when nobody reads them in time."""
        seconds = _limits.get(self._descriptor)
        if seconds is None:
            return os.write(self._descriptor, data)
        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        if not room.poll(seconds * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"nobody read it for {seconds:g} s")
        return os.write(self._descriptor, bytes(data[:_PIPE_BUF]))


class StandardOutput:
    """A text stream that keeps its first `failure` instead of raising it, and is silent from then on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        if self.failure is None:
            try:
                self._stream.write(text)
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        if self.failure is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._fail(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        # What the stream still has goes nowhere, or the interpreter would complain at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


def guard_streams() -> None:
    """Makes the three standard streams usable, whatever this process was started with."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # or a server's socket would take that number
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = _guarded(sys.stdout, 1)
    sys.stderr = _guarded(sys.stderr, 2)


def is_read() -> bool:
    """False when whoever read our standard output has gone away."""
    failure = getattr(sys.stdout, "failure", None)
    return not (isinstance(failure, OSError) and failure.errno == errno.EPIPE)


def lost() -> str | None:
    """Why not all of standard output was written, although somebody may still want it."""
    sys.stdout.flush()
    failure = getattr(sys.stdout, "failure", None)
    return failure.strerror if failure is not None and is_read() else None


def _guarded(stream: TextIO | None, number: int) -> TextIO:
    opened: Any = stream if stream is not None else os.fdopen(number, "w", closefd=False)
    opened.reconfigure(errors="backslashreplace")  # a name that a terminal cannot show is no error
    kind = os.fstat(number).st_mode
    if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
        opened = io.TextIOWrapper(
            io.BufferedWriter(PipeOutput(number)),
            encoding=opened.encoding,
            errors=opened.errors,
            line_buffering=opened.line_buffering,
            write_through=opened.write_through,
        )
    return cast(TextIO, StandardOutput(opened))
