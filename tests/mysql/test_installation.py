"""Finding a server program on the machine or in the cache, and saying why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ebhook.errors import ScratchFailed
from ebhook.scratch import installation, packages
from ebhook.scratch.installation import Flavour, locate
from ebhook.scratch.packages import fetch

MARIADB_BANNER = "mysqld  Ver 10.11.6-MariaDB for Linux on x86_64"
MYSQL_BANNER = "/usr/sbin/mysqld  Ver 8.0.40 for Linux on x86_64 (MySQL Community Server)"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program but the ones put into this folder, and an empty cache."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(installation, "_SERVER_FOLDERS", ())
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return programs


def put(folder: Path, name: str, output: str, code: int = 0) -> None:
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{output}'\nexit {code}\n")
    program.chmod(0o755)


def test_finds_nothing_on_an_empty_machine(machine: Path) -> None:
    """No program and no cache is no server, and no error."""
    assert machine.exists()
    assert [locate(flavour) for flavour in Flavour] == [None, None]


def test_finds_mysql_on_the_path(machine: Path) -> None:
    """A mysqld that calls itself MySQL is MySQL, with its version."""
    put(machine, "mysqld", MYSQL_BANNER)
    found = locate(Flavour.MYSQL)
    assert found
    assert found.version == "8.0.40"
    assert found.command == (str(machine / "mysqld"), "--no-defaults")
    assert locate(Flavour.MARIADB) is None


def test_takes_a_mysqld_at_its_word(machine: Path) -> None:
    """A mysqld that calls itself MariaDB is MariaDB, and never MySQL."""
    put(machine, "mysqld", MARIADB_BANNER)
    found = locate(Flavour.MARIADB)
    assert found
    assert found.version == "10.11.6-MariaDB"
    assert locate(Flavour.MYSQL) is None


def test_ignores_a_program_that_does_not_run(machine: Path) -> None:
    """A mysqld that cannot even say its version is no server."""
    put(machine, "mysqld", MYSQL_BANNER, code=127)
    assert locate(Flavour.MYSQL) is None


def test_ignores_a_damaged_cache(machine: Path) -> None:
    """A cache folder without a server in it is no server."""
    assert machine.exists()
    (installation.cache() / "mysql-9.7.0" / "usr").mkdir(parents=True)
    assert locate(Flavour.MYSQL) is None


def test_says_that_there_is_no_apt(machine: Path) -> None:
    """Where nothing can be fetched, the error names what is missing and what to do by hand."""
    assert machine.exists()
    with pytest.raises(ScratchFailed, match="apt-get, apt-cache") as failure:
        fetch(Flavour.MYSQL)
    assert failure.value.state == "Nothing was changed."
    assert "on PATH" in str(failure.value.next)


def test_says_what_apt_said(machine: Path) -> None:
    """Where the mirror does not answer, the error carries apt's words, and the cache stays empty."""
    put(machine, "dpkg", "amd64")
    put(machine, "dpkg-deb", "")
    put(machine, "apt-config", "")
    put(machine, "apt-cache", "")
    codename = packages._distribution().codename
    put(
        machine,
        "apt-get",
        f"'\\''http://mirror.test/dists/{codename}/InRelease'\\'' name 0 '; "
        "[ \"$2\" ] || { echo 'E: no answer' >&2; exit 100; } #",
    )
    with pytest.raises(ScratchFailed, match=r"`apt-get update` failed: E: no answer"):
        fetch(Flavour.MYSQL)
    assert [path.name for path in installation.cache().iterdir()] == [".lock"]


def test_says_that_the_cache_cannot_be_written(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that cannot be made names itself and the variable that moves it."""
    for tool in ("apt-get", "apt-cache", "apt-config", "dpkg-deb"):
        put(machine, tool, "")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ScratchFailed, match=str(tmp_path / "file")) as failure:
        fetch(Flavour.MYSQL)
    assert "XDG_CACHE_HOME" in str(failure.value.next)


DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
UBUNTU = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble"}
MINT = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "UBUNTU_CODENAME": "noble"}
POCKETS = ("", "-updates", "-security")


@pytest.mark.parametrize(
    ("release", "flavour", "listed", "suites"),
    [
        (DEBIAN, Flavour.MYSQL, "bookworm", ["sid"]),
        (DEBIAN, Flavour.MARIADB, "bookworm", [f"bookworm{pocket}" for pocket in POCKETS]),
        (DEBIAN, Flavour.MYSQL, "stable", ["sid"]),
        (UBUNTU, Flavour.MYSQL, "noble", [f"noble{pocket}" for pocket in POCKETS]),
        (MINT, Flavour.MARIADB, "noble", [f"noble{pocket}" for pocket in POCKETS]),
    ],
)
def test_takes_the_machines_own_mirrors(
    machine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    release: dict[str, str],
    flavour: Flavour,
    listed: str,
    suites: list[str],
) -> None:
    """Packages come from the machine's mirrors of its own release; Debian's MySQL from unstable."""
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    put(machine, "dpkg", "amd64")
    put(machine, "apt-config", 'Acquire::http::Proxy "http://proxy.test";\nDPkg::Post-Invoke "x";')
    names = (*(f"{listed}{pocket}" for pocket in POCKETS), f"{listed}-backports", "nodistro")
    lines = [f'"http://mirror.test/os/dists/{name}/InRelease" {name} 0' for name in names]
    put(machine, "apt-get", "\n".join(lines).replace('"', "'\\''"))
    packages._Apt(flavour, tmp_path / "apt")
    sources = (tmp_path / "apt/distribution.sources").read_text()
    assert re.findall(r"^Suites: (.+)$", sources, re.MULTILINE) == suites
    assert set(re.findall(r"^URIs: (.+)$", sources, re.MULTILINE)) == {"http://mirror.test/os"}
    settings = (tmp_path / "apt/apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://proxy.test";' in settings
    assert "Post-Invoke" not in settings
