"""docs/getting-started.md, run as it stands: its files, its commands, and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ebhook.scratch.installation import Flavour
from tests.conftest import clean_environment

PAGE = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text("utf-8")
BLOCK = re.compile(r"(?P<before>[^\n]*)\n+```(?P<kind>\w+)\n(?P<text>.*?)```", re.S)
NAMED = re.compile(r"`([\w./]+\.(?:py|toml))`")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A shell in an empty folder, with this ebhook first on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["bash"],
        cwd=tmp_path,
        env=clean_environment() | {"PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield shell
    shell.communicate("exit")


def said(shell: subprocess.Popen[str], commands: str) -> str:
    """What the commands print, in the shell that stays."""
    assert shell.stdin
    assert shell.stdout
    shell.stdin.write(f"set -e\n{commands}\nset +e\necho '--- done ---'\n")
    shell.stdin.flush()
    lines: list[str] = []
    for line in shell.stdout:
        if line == "--- done ---\n":
            return "".join(lines)
        lines.append(line)
    raise AssertionError("".join(lines))


def assert_shown(shown: str, printed: str) -> None:
    """`…` on a line of its own stands for any lines, within a line for any text; blanks at ends of lines
    do not count."""
    printed = re.sub(r"[ \t]+$", "", printed, flags=re.M)
    pattern = re.escape(shown.strip("\n"))
    pattern = re.sub(r"^…\\\n", "(?:.*\\n)*?", pattern, flags=re.M)
    pattern = re.sub(r"\\\n…$", "(?:\\n.*)*", pattern)
    pattern = re.sub(r"…(?:\\ )*", ".+?", pattern)
    assert re.search(pattern, printed), f"{printed}\n--- is not as shown:\n{shown}"


@pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)
def test_everything_in_ten_minutes(
    server: object, shell: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Every file is written, every command runs, and prints what the page shows."""
    printed, seen = "", []
    for block in BLOCK.finditer(PAGE):
        kind, text = block["kind"], block["text"]
        seen.append(kind)
        if kind in ("python", "toml"):
            name = NAMED.search(block["before"].rstrip(":"))
            assert name is not None, block["before"]
            path = tmp_path / name[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        elif "ebhook.scratch" in text:  # the second terminal
            said(shell, f"({text.strip()}) >/dev/null 2>&1 & until [ -s server.url ]; do :; done")
        elif kind == "sh":
            printed = said(shell, text)
        else:
            assert_shown(text, printed)
    assert seen.count("text") > 4
