"""SIGTERM, SIGINT and SIGHUP as something that can be waited for beside sockets."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

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
