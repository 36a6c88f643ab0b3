"""ebhook in a process of its own that dies, by kill -9, at a chosen query to the server.

The process is a fork of one that has everything loaded, so a run costs a few hundredths of a second.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import COMMAND

from ebhook.cli import main
from ebhook.commands import resolve  # noqa: F401  (before the fork: what a command imports lazily)
from ebhook.rollout.messages import Finished
from tests.support.one_run import upgrade_here
from tests.support.proxy import Where

PATIENCE = 90.0  # seconds for a run, on a busy machine


@dataclass(frozen=True)
class Death:
    """At which query (from 0), and at which moment of it."""

    query: int
    where: Where


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `finished` is None when it died; `queries`: what it sent, if it lived."""

    finished: Finished | None
    queries: tuple[str, ...] = ()
    hung: bool = False


def upgrade(folder: Path, variables: Mapping[str, str], death: Death | None = None) -> Outcome:
    """One run of ebhook on the one tenant that `variables` name."""

    def run() -> Outcome:
        queries = _hear(death)
        finished = upgrade_here(folder, variables, lambda event: None)
        return Outcome(finished, tuple(queries))

    result = forked(run)
    return result if isinstance(result, Outcome) else Outcome(None, hung=result is _HUNG)


def command(folder: Path, variables: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """An ebhook command: its exit code, and what it printed."""
    with tempfile.TemporaryFile("w+") as printed:

        def run() -> int:
            os.chdir(folder)
            os.environ.update(variables)
            sys.argv = ["ebhook", *arguments]
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            with open(1, "w", encoding="utf-8", closefd=False) as out:
                sys.stdout = sys.stderr = out
                try:
                    main()
                except SystemExit as exit:
                    return int(exit.code or 0)
            return 0

        code = forked(run)
        printed.seek(0)
        return code if isinstance(code, int) else -1, printed.read()


_HUNG = object()


def forked(function: Callable[[], Any]) -> Any:
    """What `function` returns in a fork of this process; None when it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            with os.fdopen(writer, "wb") as out:
                pickle.dump(function(), out)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        deadline, parts = time.monotonic() + PATIENCE, b""
        while select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = os.read(answers.fileno(), 1 << 20)
            if not part:
                break
            parts += part
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return _HUNG
    os.waitpid(child, 0)
    return pickle.loads(parts) if parts else None


def _hear(death: Death | None) -> list[str]:
    """From now on this process's queries are kept in the list, and it dies at the chosen one."""
    queries: list[str] = []
    send = Connection._execute_command  # type: ignore[attr-defined]

    def execute(self: Any, kind: int, sql: Any) -> None:
        if kind != COMMAND.COM_QUERY:
            send(self, kind, sql)
            return
        at = death.where if death is not None and death.query == len(queries) else None
        text = sql if isinstance(sql, str) else bytes(sql).decode("utf-8", "replace")
        queries.append(text)
        if at is Where.BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        send(self, kind, sql)
        if at is Where.AFTER:
            select.select([self._sock], [], [], PATIENCE)  # the answer is there
        if at is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    Connection._execute_command = execute  # type: ignore[attr-defined]
    return queries
