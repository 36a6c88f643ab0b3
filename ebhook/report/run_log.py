"""The file of ``--log-file``: each event of a run as a line of JSON, with who ran what."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ebhook import __version__


class RunLog:
    """Lines that are added to a file; without a path, to none.

    A log that cannot be written stops nothing: `complaint` says it, once, and no more is written.
    """

    def __init__(self, path: Path | None, command: str = "") -> None:
        self._path = path
        self._file: TextIO | None = None
        self._facts: dict[str, object] = {
            "run": secrets.token_hex(6),
            "command": command,
            "host": None,
            "version_label": None,
            "ebhook": __version__,
        }
        self._problem: str | None = None
        self._kept: list[str] | None = None
        self.has_error = False
        if path is not None:
            try:
                self._file = _opened(path)
            except OSError as error:
                self._lose(error)

    @property
    def is_open(self) -> bool:
        """Does anybody want lines?"""
        return self._file is not None or self._kept is not None

    def keep(self) -> list[str]:
        """The lines from now on, also without a file; the list grows with them."""
        self._kept = []
        return self._kept

    def know(self, host: str, version_label: str | None) -> None:
        """From now on each line says on which host, and from which bundle."""
        self._facts |= {"host": host, "version_label": version_label}

    def complaint(self) -> str | None:
        """What is wrong with the log, for people; said once."""
        problem, self._problem = self._problem, None
        return problem

    def write(self, document: Mapping[str, Any]) -> None:
        """One line. `document` has its ``event``, and no secret any more."""
        if not self.is_open:
            return
        import msgspec  # late: not for the help

        self.has_error |= document.get("event") == "Error"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, **self._facts, **document}
        try:
            text = msgspec.json.encode(line).decode()
        except UnicodeEncodeError:  # a path, or a word of the command line, that is not UTF-8
            text = json.dumps(line)
        if self._kept is not None:
            self._kept.append(text)
        if self._file is None:
            return
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            self._lose(error)

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._lose(error)
            self._file = None

    def _lose(self, error: OSError) -> None:
        self._file = None
        self._problem = f"{self._path}: {error.strerror}; going on without this log"


def _opened(path: Path) -> TextIO:
    """The file, to append to. A named pipe that nobody reads is an error, and nothing to wait for."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")
