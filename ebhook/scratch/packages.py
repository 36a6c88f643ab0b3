"""Fetching a server's packages, without root and without changing the machine.

apt runs with a state of its own that believes nothing to be installed, so it names the server's
whole closure, libc included. The packages are verified against the distribution's own keyring,
downloaded from the mirror that the machine uses, and unpacked into the cache folder.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ebhook.errors import ScratchFailed
from ebhook.scratch.installation import (
    Flavour,
    Installation,
    cache_locked,
    installation_in,
    unpacked,
)

Report = Callable[[str], None]

_BY_HAND = "Install {flavour} (any 8.0+ MySQL or 10.6+ MariaDB will do) so that its server is on PATH, then try again."

# How the machine reaches its mirror; the rest of its apt settings (hooks, pinning) stay out.
_NETWORK_SETTINGS = ("Acquire::http", "Acquire::Retries", "Acquire::Check-", "Acquire::Force")

# Scripts need perl, servers do not: 70 MB less.
_PRESENT = """Package: perl
Status: install ok installed
Multi-Arch: allowed
Architecture: {architecture}
Version: 999
Maintainer: nobody
Description: not needed to run a server

"""


@dataclass(frozen=True)
class _Distribution:
    """Where a distribution's packages come from, and whose signature they carry."""

    name: str
    codename: str
    components: str
    keyrings: tuple[str, ...]
    # Debian ships MySQL in unstable only.
    mysql_suite: str | None


def fetch(flavour: Flavour, report: Report | None = None, suite: str | None = None) -> Installation:
    """Fetch a server into the cache folder; *report* gets a line per step.

    Safe to run from several processes at once: the second one finds what the first one fetched.
    *suite* is another release of the distribution (``bullseye``), for another version of the server.
    Raises ``ScratchFailed`` where there is no apt, no network or no such package.
    """
    say = report or (lambda _: None)
    _require_tools(flavour)
    with cache_locked(suite) as servers:
        if found := unpacked(flavour, suite):
            return found
        for leftover in servers.glob(".fetch-*"):
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=servers) as folder:
            apt = _Apt(flavour, Path(folder), suite)
            say(f"Reading the package lists for {flavour} …")
            package = apt.update()
            say(f"Downloading {package} and its libraries …")
            archives = apt.download(package)
            say(f"Unpacking {len(archives)} packages …")
            root = apt.unpack(archives)
            installation = installation_in(flavour, root)
            if not installation:
                raise _failed(flavour, f"{package} was fetched, but does not run on this machine.")
            place = servers / f"{flavour}-{installation.version}"
            # Whatever stands there does not run, or it would have been found.
            shutil.rmtree(place, ignore_errors=True)
            root.touch()
            root.rename(place)
    found = installation_in(flavour, place)
    assert found, "what ran before it was renamed runs after"
    return found


def fetch_archive(flavour: Flavour, package: str, folder: Path) -> Path:
    """The archive (.deb) of one package, without what it depends on, from where the server comes.

    It is put into *folder*, which is left with apt's own files. Raises ``ScratchFailed``.
    """
    _require_tools(flavour)
    apt = _Apt(flavour, folder)
    apt.update()
    return apt.archive(package)


class _Apt:
    """apt with a state of its own in *folder*; *suite* is a release other than the machine's."""

    def __init__(self, flavour: Flavour, folder: Path, suite: str | None = None) -> None:
        self.flavour, self.folder, self.suite = flavour, folder, suite
        architecture = self._output("dpkg", "--print-architecture").strip()
        for name in ("state/lists/partial", "cache/archives/partial", "root"):
            (folder / name).mkdir(parents=True)
        (folder / "status").write_text(_PRESENT.format(architecture=architecture))
        (folder / "distribution.sources").write_text(self._sources(_distribution()))
        network = self._output("apt-config", "dump").splitlines()
        settings = {
            "Dir::State": folder / "state",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::sourcelist": folder / "distribution.sources",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Acquire::Languages": "none",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            # The folder is this user's alone: apt's own download user could not write there.
            "APT::Sandbox::User": "root",
        }
        lines = [line for line in network if line.startswith(_NETWORK_SETTINGS)]
        lines += [f'{key} "{value}";' for key, value in settings.items()]
        (folder / "apt.conf").write_text("\n".join(lines) + "\n")

    def update(self) -> str:
        """Read the package lists; returns the name of the server's package."""
        self._run("apt-get", "update")
        # Some releases put a version into the name.
        names = self._run("apt-cache", "pkgnames", f"{self.flavour}-server-core").split()
        if not names:
            raise _failed(
                self.flavour, f"This distribution has no package {self.flavour}-server-core."
            )
        return max(names)

    def download(self, package: str) -> list[Path]:
        self._run("apt-get", "install", "--yes", "--download-only", package)
        return sorted((self.folder / "cache/archives").glob("*.deb"))

    def archive(self, package: str) -> Path:
        self._run("env", f"--chdir={self.folder}", "apt-get", "download", package)
        return next(self.folder.glob(f"{package}_*.deb"))

    def unpack(self, archives: list[Path]) -> Path:
        root = self.folder / "root"
        for archive in archives:
            self._run("dpkg-deb", "--extract", str(archive), str(root))
        shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
        shutil.rmtree(root / "usr/bin", ignore_errors=True)
        return root

    def _sources(self, distribution: _Distribution) -> str:
        """The machine's own mirrors of its own release, as apt reads them from whichever files it has."""
        listed = self._output("apt-get", "update", "--print-uris")
        mirrors = dict.fromkeys(
            re.findall(r"^'(\S+)/dists/([^/' ]+)/InRelease'", listed, re.MULTILINE)
        )
        aliases = (distribution.codename, "stable", "testing", "unstable", "sid")
        mine = [
            (uri, suite)
            for uri, suite in mirrors
            if suite.removesuffix("-updates").removesuffix("-security") in aliases
        ]
        other = self.suite or (distribution.mysql_suite if self.flavour is Flavour.MYSQL else None)
        if other:
            mine = [(uri, other) for uri, suite in mine if suite in aliases][:1]
        if not mine:
            raise _failed(
                self.flavour,
                f"apt knows no mirror for {distribution.name} {distribution.codename}.",
            )
        keyring = next((path for path in distribution.keyrings if Path(path).exists()), None)
        signed = f"Signed-By: {keyring}\n" if keyring else ""
        return "\n".join(
            f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {distribution.components}\n{signed}"
            for uri, suite in mine
        )

    def _run(self, *command: str) -> str:
        """Run a tool with the private settings."""
        return self._output(*command, APT_CONFIG=str(self.folder / "apt.conf"))

    def _output(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C.UTF-8"} | environment,
            check=False,
        )
        if done.returncode:
            said = [
                line for line in done.stderr.splitlines() if line.startswith(("E:", "W:", "dpkg"))
            ]
            raise _failed(
                self.flavour,
                f"`{' '.join(command[:3])}` failed: {' '.join(said) or done.stderr.strip()}",
            )
        return done.stdout


def _require_tools(flavour: Flavour) -> None:
    if missing := [
        tool
        for tool in ("apt-get", "apt-cache", "apt-config", "dpkg-deb")
        if not shutil.which(tool)
    ]:
        raise _failed(
            flavour,
            f"No {flavour} server here, and no way to fetch one: {', '.join(missing)} missing.",
        )


def _distribution() -> _Distribution:
    release = platform.freedesktop_os_release()
    kin = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    keyrings = (
        "/usr/share/keyrings/{0}-archive-keyring.gpg",
        "/usr/share/keyrings/{0}-archive-keyring.pgp",
    )
    name = "ubuntu" if "ubuntu" in kin else "debian"
    return _Distribution(
        name=name,
        codename=release.get("UBUNTU_CODENAME")
        or release.get("DEBIAN_CODENAME")
        or release.get("VERSION_CODENAME", ""),
        components="main universe" if name == "ubuntu" else "main",
        keyrings=tuple(path.format(name) for path in keyrings),
        mysql_suite=None if name == "ubuntu" else "sid",
    )


def _failed(flavour: Flavour, what: str) -> ScratchFailed:
    return ScratchFailed(
        what=what, state="Nothing was changed.", next=_BY_HAND.format(flavour=flavour)
    )
