"""When Elastic Beanstalk began the step that this process is a part of: its time-out counts from then.

All parts of a step share the time-out, pip among them. The engine's own process says when it was
started; where it is not among our ancestors, its log does.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ebhook.aws.beanstalk import PLATFORM, is_here

ENGINE_LOG = Path("/var/log/eb-engine.log")
PROC = Path("/proc")
LONGEST = 3600.0  # seconds: the longest time-out that a step can have
_TAIL = 4_000_000  # bytes of the log that are looked at, from its end
_STARTED = re.compile(
    rb"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) \[INFO\] Starting EBPlatform-PlatformEngine",
    re.M,
)


@dataclass(frozen=True)
class PlatformStep:
    """`at`: when the step began, in monotonic seconds. None off Elastic Beanstalk, and where that
    cannot be known; then `unknown` says so."""

    at: float | None = None
    unknown: str | None = None


def step_began(now: float) -> PlatformStep:
    """The step that this process is a part of.

    Args:
        now: monotonic seconds.
    """
    if not is_here():
        return PlatformStep()
    age = _age_of_engine()
    if age is None:
        age = _age_in_log()
    if age is None:
        return PlatformStep(
            unknown="Elastic Beanstalk does not say when this step began; the deadline counts from now."
        )
    return PlatformStep(now - age)


def _age_of_engine() -> float | None:
    """Seconds since the oldest of our ancestors that is a program of the platform was started."""
    ages = [
        age
        for pid in _ancestors()
        if _program(pid).startswith(f"{PLATFORM}/") and (age := _age(pid)) is not None
    ]
    return max(ages, default=None)


def _ancestors() -> Iterator[int]:
    pid = os.getppid()
    while pid > 1:
        yield pid
        found = re.search(r"^PPid:\s*(\d+)", _text(PROC / str(pid) / "status"), re.M)
        pid = int(found[1]) if found else 0


def _program(pid: int) -> str:
    """The file that a process runs; empty where that is not told."""
    try:
        return os.readlink(PROC / str(pid) / "exe")
    except OSError:
        return ""


def _age(pid: int) -> float | None:
    """Seconds since a process was started (proc(5): field 22 of its stat, in ticks since boot)."""
    try:
        ticks = int(_text(PROC / str(pid) / "stat").rpartition(")")[2].split()[19])
        since_boot = float(_text(PROC / "uptime").split()[0])
    except (IndexError, ValueError):
        return None
    return max(0.0, since_boot - ticks / os.sysconf("SC_CLK_TCK"))


def _age_in_log() -> float | None:
    """Seconds since the engine was started last, by its log (UTC, as all clocks of the platform).
    What is longer ago than any step may take was another step, and this is a person's command."""
    try:
        with ENGINE_LOG.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            starts = _STARTED.findall(log.read())
        text = starts[-1].decode().partition(".")[0]
        began = datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC)
    except (OSError, IndexError, ValueError):
        return None
    age = time.time() - began.timestamp()
    return age if 0 <= age <= LONGEST else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
