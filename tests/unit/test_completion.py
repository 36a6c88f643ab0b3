"""What a shell offers for the next word: from files, asking nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import clean_environment
from tests.support.agency import PROJECTS

SETTINGS = """
migrations = "{migrations}"
[tenants]
url = "mysql://app@203.0.113.1/{{tenant}}"  # an address that nobody has
names = ["acme", "willow", "zenith"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The chain of `linear`, and three tenants."""
    folder = PROJECTS / "linear" / "migrations"
    (tmp_path / "ebhook.toml").write_text(SETTINGS.format(migrations=folder), "utf-8")
    return tmp_path


def offered(folder: Path, line: str, **variables: str) -> list[str]:
    """What completes the last word of `line`, as bash is told."""
    words = line.split(" ")
    asked = {
        "_EBHOOK_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ebhook"],
        cwd=folder,
        env=clean_environment() | asked | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ebhook upg", ["upgrade"]),
        ("ebhook lock c", ["clear"]),
        ("ebhook status ", ["acme", "willow", "zenith"]),
        ("ebhook upgrade acme ", ["willow", "zenith"]),
        ("ebhook lock clear z", ["zenith"]),
        ("ebhook resolve w", ["willow"]),
        ("ebhook downgrade acme a00", ["a005", "a004", "a003", "a002", "a001"]),
        ("ebhook upgrade --to a003", ["a003"]),
        ("ebhook status --wa", ["--watch"]),
    ],
)
def test_what_is_offered(project: Path, line: str, words: list[str]) -> None:
    """Commands, tenants by name, revisions with the newest first."""
    assert offered(project, line) == words


def test_the_one_database_of_a_url(tmp_path: Path) -> None:
    """It is the tenant."""
    assert offered(tmp_path, "ebhook status ", EBHOOK_TENANTS_URL="mysql://h/acme") == ["acme"]


@pytest.mark.parametrize(
    "settings",
    ["", "[tenants", "[rollout]\nworkers = 0", 'migrations = "absent"\n[tenants]\nlike = "a%"'],
)
def test_nothing_is_offered_of_what_is_wrong(tmp_path: Path, settings: str) -> None:
    """Nor is anything said: there is a word to be typed."""
    (tmp_path / "ebhook.toml").write_text(settings, "utf-8")

    assert offered(tmp_path, "ebhook status ") == []
    assert offered(tmp_path, "ebhook upgrade --to ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(tmp_path: Path, shell: str) -> None:
    """As docs/commands.md has it."""
    done = subprocess.run(
        [sys.executable, "-m", "ebhook"],
        env=dict(os.environ, _EBHOOK_COMPLETE=f"{shell}_source"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert "ebhook" in done.stdout
