"""A program on a terminal of its own: what a person would see of it, and type."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from tests.conftest import clean_environment
from tests.support.watching import PATIENCE


def on_terminal(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    types: str = "",
    size: tuple[int, int] = (24, 80),
) -> tuple[int, str]:
    """Runs ebhook to its end; its exit code, and all that it wrote.

    Args:
        types: what the person types, before anybody asks: the terminal keeps it.
        size: lines and columns.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "ebhook", *arguments],
        cwd=cwd,
        env={**clean_environment(), "TERM": "xterm", **env},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, types.encode())
    seen, deadline = b"", time.monotonic() + PATIENCE
    try:
        while select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal's other side was closed
                break
            if not part:
                break
            seen += part
        return process.wait(timeout=max(1.0, deadline - time.monotonic())), seen.decode(
            "utf-8", "replace"
        ).replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
