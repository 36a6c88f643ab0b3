"""When the platform's step began: by the engine's process, else by its log."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ebhook.aws import step
from ebhook.aws.step import step_began

LINE = "{at:%Y/%m/%d %H:%M:%S.%f} [INFO] Starting EBPlatform-PlatformEngine\n"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An instance whose engine is none of our ancestors; its log is this file."""
    monkeypatch.setattr(step, "is_here", lambda: True)
    monkeypatch.setattr(step, "ENGINE_LOG", tmp_path / "eb-engine.log")
    return tmp_path / "eb-engine.log"


def test_off_the_platform_there_is_no_step() -> None:
    assert step_began(100.0) == step.PlatformStep()


def test_the_log_tells_when_the_last_step_began(platform: Path) -> None:
    """The engine writes a line when it is started; the last one is this step's."""
    now = datetime.now(UTC)
    ages = (5000, 90)
    lines = [LINE.format(at=now - timedelta(seconds=age)) for age in ages]
    platform.write_text("".join(f"{line}2026/01/01 00:00:00 [INFO] Executing\n" for line in lines))

    began = step_began(1000.0)

    assert began.at is not None
    assert 905 <= began.at <= 911
    assert began.unknown is None


@pytest.mark.parametrize("text", ["", "nothing of a start\n", LINE.format(at=datetime(2020, 1, 1))])
def test_what_cannot_be_known_is_said(platform: Path, text: str) -> None:
    """No line, or one of a step that is over long since: the deadline counts from now."""
    platform.write_text(text)

    began = step_began(1000.0)

    assert began.at is None
    assert "does not say when this step began" in str(began.unknown)


def test_the_engine_among_the_ancestors_tells_best(
    platform: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the log says: its process was started when the step began."""
    monkeypatch.setattr(step, "PLATFORM", Path(sys.executable).resolve().parent)
    platform.write_text(LINE.format(at=datetime.now(UTC)))
    program = "import time, sys; print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        monkeypatch.setattr(os, "getppid", lambda: child.pid)
        monkeypatch.setattr(step, "_ancestors", lambda: iter([child.pid]))
        began = step_began(1000.0)
        child.communicate()

    assert began.at is not None
    assert 990 <= began.at <= 999.9
