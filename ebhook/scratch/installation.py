"""Which database server programs this machine has, and how each one wants to be called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fcntl import LOCK_EX, flock
from pathlib import Path

from ebhook.errors import ScratchFailed

# Distributions keep servers in folders that a user's PATH may lack.
_SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")


class Flavour(StrEnum):
    MYSQL = "mysql"
    MARIADB = "mariadb"

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the server program; MariaDB's may have either."""
        return ("mysqld",) if self is Flavour.MYSQL else ("mariadbd", "mysqld")


@dataclass(frozen=True)
class Installation:
    """A server program: its version, the start of its command line, its folder of messages and SQL."""

    flavour: Flavour
    version: str
    command: tuple[str, ...]
    share: Path


def locate(flavour: Flavour) -> Installation | None:
    """The server that the machine has, else the one fetched before, else ``None``."""
    return _installed(flavour) or unpacked(flavour)


def cache(suite: str | None = None) -> Path:
    """The user's cache folder for servers; it can be deleted at any time.

    Those of another *suite* than the machine's are in a folder of their own: nobody gets one by chance.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ebhook" / (f"servers-{suite}" if suite else "servers")


@contextmanager
def cache_locked(suite: str | None = None) -> Iterator[Path]:
    """The cache folder, with every other process kept from writing there."""
    folder = cache(suite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise ScratchFailed(
            what=f"The cache folder {folder} cannot be written: {error.strerror}.",
            state="Nothing was changed.",
            next="Set XDG_CACHE_HOME to a folder of yours.",
        ) from error
    with lock:
        flock(lock, LOCK_EX)
        yield folder


def unpacked(flavour: Flavour, suite: str | None = None) -> Installation | None:
    """The newest server in the cache folder."""
    found = sorted(cache(suite).glob(f"{flavour}-*"), key=lambda root: root.stat().st_mtime)
    return installation_in(flavour, found[-1]) if found else None


def installation_in(flavour: Flavour, root: Path) -> Installation | None:
    """The server under *root*, a folder into which packages and all their libraries were unpacked.

    It runs under the loader and the libraries that came with it, since the machine's may be older.
    """
    loader = next(root.glob("**/*-linux-gnu/ld-linux-*.so.*"), None)
    program = next(
        (path for name in flavour.programs if (path := root / "usr/sbin" / name).exists()), None
    )
    share = next(
        (path for path in (root / "usr/share").glob("m*") if (path / "charsets").is_dir()), None
    )
    if not (loader and program and share):
        return None
    triplet = loader.parent.name
    libraries = (
        root / "usr/lib" / triplet,
        root / "lib" / triplet,
        root / "usr/lib" / triplet / "mysql/private",
    )
    command = (
        *(str(loader), "--library-path", ":".join(map(str, libraries))),
        *(str(program), "--no-defaults", f"--basedir={root / 'usr'}"),
        *(f"--lc-messages-dir={share}", f"--character-sets-dir={share / 'charsets'}"),
        *(f"--plugin-dir={root / 'usr/lib/mysql/plugin'}",),
    )
    banner = _banner(command)
    return Installation(flavour, _version(banner), command, share) if banner else None


def _installed(flavour: Flavour) -> Installation | None:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SERVER_FOLDERS))
    for name in flavour.programs:
        program = shutil.which(name, path=path)
        banner = _banner((program,)) if program else ""
        # On Debian, `mysqld` is what MariaDB calls itself too.
        if program and banner and ("MariaDB" in banner) == (flavour is Flavour.MARIADB):
            command = (program, "--no-defaults")
            return Installation(flavour, _version(banner), command, _share(command))
    return None


def _banner(command: tuple[str, ...]) -> str:
    return _output((*command, "--version"))


def _version(banner: str) -> str:
    found = re.search(r"Ver (\S+)", banner)
    return found[1] if found else "unknown"


def _share(command: tuple[str, ...]) -> Path:
    """Where an installed server keeps its messages, and MariaDB the SQL that makes its system tables."""
    found = re.search(
        r"^lc-messages-dir +(\S+)", _output((*command, "--verbose", "--help")), re.MULTILINE
    )
    return Path(found[1]) if found else Path("/usr/share/mysql")


def _output(command: tuple[str, ...]) -> str:
    """What a program prints; nothing when it cannot run here."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout
