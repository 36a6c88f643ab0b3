"""One run of ebhook, from the words that were typed to its exit code: what all of it shares."""

from __future__ import annotations

import shlex
import time

from ebhook.errors import Exit
from ebhook.report.next_commands import Invocation, NextCommands
from ebhook.report.run_log import RunLog


class CommandLine:
    """click's object: known to `main` before there are any options, and to each command."""

    def __init__(self) -> None:
        self.commands = NextCommands()
        self.log = RunLog(None)
        self._began = time.monotonic()

    def read(self, typed: Invocation, log: RunLog) -> None:
        """The options have been read."""
        self.commands.began(typed)
        self.log = log

    def end(self, code: Exit) -> None:
        """The last line of the log."""
        seconds = round(time.monotonic() - self._began, 3)
        self.log.write({"event": "Ended", "exit_code": int(code), "seconds": seconds})
        self.log.close()


def words_of(typed: Invocation) -> str:
    """The command as the log names it."""
    return shlex.join([*typed.verb.split(), *typed.tenants, *typed.words])[:500]
