"""Keeps the session of a revision that pauses in Python: the server ends one that is silent for
`ddl.wait_timeout`. It lives as long as this process does, and no longer: a holder behind a cut network, or
one that was stopped, still loses its lock in that time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pymysql.err import MySQLError

from ebhook.database.connection import Connection


class KeepAlive:
    """Asks the server for a sign of life every `seconds`, while a revision's own code runs.

    `wire` is held by whoever uses the connection meanwhile.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self.wire = threading.RLock()
        self._connection = connection
        self._seconds = seconds
        self._is_paused = False  # the revision's own code runs, and may take its time
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    @contextmanager
    def during(self) -> Iterator[None]:
        """The block is the revision's own code."""
        self._is_paused = True
        try:
            yield
        finally:
            with self.wire:
                self._is_paused = False

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            if not self.wire.acquire(blocking=False):
                continue  # a statement is under way
            try:
                if self._is_paused:
                    self._ping()
            finally:
                self.wire.release()

    def _ping(self) -> None:
        connection = self._connection
        result = connection._result  # type: ignore[attr-defined]
        if result is not None and (result.unbuffered_active or result.has_next):
            return  # rows are still to be read
        with suppress(MySQLError, OSError):  # the next statement says it
            connection.ping(reconnect=False)
        connection._result = result  # type: ignore[attr-defined]
