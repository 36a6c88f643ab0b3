"""Standard streams that are closed, full, or nobody's."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebhook.report.stdio import StandardOutput

REDIRECTIONS = [">&-", "2>&-", "<&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full", "| head -c 0"]


def ran(command: str, folder: Path) -> int:
    """The exit code of ebhook, run by a shell."""
    shell = f"set -o pipefail; {sys.executable} -m ebhook {command}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("EBHOOK_")}
    done = subprocess.run(
        ["bash", "-c", shell], cwd=folder, env=env, stderr=subprocess.PIPE, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_an_error_keeps_its_exit_code(tmp_path: Path, redirection: str) -> None:
    """Whether or not anybody can read of it."""
    assert ran(f"status --json {redirection}", tmp_path) == 78


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_a_result_that_could_not_be_written_is_no_success(tmp_path: Path, redirection: str) -> None:
    """75 where a disk is full; a reader that has gone away, or never was, wanted no more of it."""
    code = 75 if redirection == ">/dev/full" else 0
    assert ran(f"config {redirection}", tmp_path) == code


def test_the_first_failure_is_kept() -> None:
    """And what comes after it is not tried."""
    with open("/dev/full", "w", buffering=1) as full:
        output = StandardOutput(full)
        output.write("one\n")
        output.write("two\n")
        output.flush()

        assert output.failure is not None
        assert output.failure.errno == errno.ENOSPC


def test_characters_that_the_terminal_has_not(tmp_path: Path) -> None:
    """They are escaped: a name is no reason to fail."""
    (tmp_path / "ebhook.toml").write_text('holder = "häuptling"', "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ebhook", "config"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "h\\xe4uptling" in done.stdout
