"""logrotate, which Amazon Linux has and a container has not: fetched without root, for tests alone.

apt downloads what this machine lacks of it into a folder of the user's cache, as ebhook's own servers
are; nothing is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ebhook.scratch.installation import cache, cache_locked

OWN = Path("/usr/sbin/logrotate")


class Missing(Exception):
    """There is none, and none could be fetched."""


def put_into(folder: Path) -> None:
    """Makes ``folder/logrotate`` a program that runs here.

    Raises:
        Missing: with the reason.
    """
    program = folder / OWN.name
    if program.exists():  # a link to the machine's own
        return
    root = _fetched()
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    program.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {root}{OWN} "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    _run(str(program), "--version")


def _fetched() -> Path:
    """The folder with logrotate's package, and those that it needs, unpacked."""
    place = cache().parent / "logrotate"
    with cache_locked() as servers:
        if not place.is_dir():
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=servers) as folder:
                _fetch(Path(folder)).rename(place)
    return place


def _fetch(folder: Path) -> Path:
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    private = {
        "Dir::State::lists": folder / "state/lists",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "true",  # nobody else works in these folders
    }
    apt = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in private.items())]
    _run(*apt, "update")
    _run(*apt, "install", "--yes", "--no-install-recommends", "--download-only", OWN.name)
    root = folder / "root"
    for archive in (folder / "cache/archives").glob("*.deb"):
        _run("dpkg-deb", "--extract", str(archive), str(root))
    return root


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        raise Missing(f"there is no {command[0]}")
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        check=False,
    )
    if done.returncode:
        raise Missing(f"`{' '.join(command[-2:])}` failed: {done.stderr.strip()}")
