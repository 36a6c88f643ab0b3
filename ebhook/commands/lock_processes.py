"""The ebhook process behind a lock, on this machine: ending a session alone does not end it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from ebhook.lock.row import LockRow

_PROC = Path("/proc")


def end_process(row: LockRow, machine: str) -> str | None:
    """Asks the ebhook run that holds `row` to stop (SIGTERM), if it is on this machine: it would take
    the lock again as soon as its session has ended.

    Args:
        machine: this machine's name as a holder.

    Returns: what to tell the operator.
    """
    if row.pid is None or row.holder is None:
        return None
    if row.holder == machine:
        run = _run_of(row.pid)
        if run is not None and run not in _ancestors(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(run, signal.SIGTERM)
                return f"asked process {run} ({row.command or 'ebhook'}) on this machine to stop"
        return None
    command = f" ({row.command})" if row.command else ""
    return f"process {row.pid}{command} on {row.holder} may take the lock again"


def _run_of(pid: int) -> int | None:
    """The topmost ebhook process that `pid` comes from: its worker's parent's parent, say."""
    found = None
    for one in (pid, *_ancestors(pid)):
        if not _is_ebhook(one):
            break
        found = one
    return found


def _ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        try:
            status = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            break
        pid = int(status.rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def _is_ebhook(pid: int) -> bool:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    # The program, or `python -m ebhook`; not a hook's script, which only waits for it.
    return b"ebhook" in {os.path.basename(word) for word in words[:3]}
