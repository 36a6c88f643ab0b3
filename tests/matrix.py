"""``make matrix``: the tests on other servers and Pythons than the machine's own, as far as they can be had.

Servers: MariaDB of other releases of Debian, fetched as the machine's own is. Pythons: those on PATH and
pyenv's. Each gets the tests that differ there; what cannot be had is said. Exit 1 when one failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ebhook.errors import ScratchFailed
from ebhook.scratch.installation import Flavour
from ebhook.scratch.packages import fetch

SUITES = {"trixie": "MariaDB 11.8", "bullseye": "MariaDB 10.5"}
ON_SERVERS = ("tests/mysql", "tests/faults")
PYTHONS = ("3.12", "3.13", "3.14")
ON_PYTHONS = ("tests/unit", "tests/hook")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("what", nargs="*", default=[*SUITES, *PYTHONS])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    ended = [
        _on_suite(one, arguments.jobs) if one in SUITES else _on_python(one, arguments.jobs)
        for one in arguments.what
    ]
    return 0 if all(ended) else 1


def _on_suite(suite: str, jobs: int) -> bool:
    """The tests of one flavour, on its server of another release."""
    try:
        version = fetch(Flavour.MARIADB, print, suite).version
    except ScratchFailed as failure:
        print(f"{SUITES[suite]}: cannot be had. {failure}")
        return True
    variables = {"EBHOOK_TEST_MARIADB_SUITE": suite}
    chosen = (*ON_SERVERS, "-k", "mariadb")
    return _tests(f"MariaDB {version}", sys.executable, chosen, jobs, variables)


def _on_python(version: str, jobs: int) -> bool:
    """The tests in an environment of another Python's own."""
    program = _python(version)
    if program is None:
        print(f"Python {version}: is not on this machine")
        return True
    folder = f".venv-{version}"
    made = subprocess.run(
        [".ci/setup", "test"], env=os.environ | {"VENV": folder, "PYTHON": program}
    )
    if made.returncode:
        print(f"Python {version}: no environment could be made")
        return False
    return _tests(f"Python {version}", f"{folder}/bin/python", ON_PYTHONS, jobs, {})


def _python(version: str) -> str | None:
    """The program of a Python, on PATH or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    return str(found[-1]) if found else shutil.which(f"python{version}")


def _tests(
    name: str, python: str, chosen: tuple[str, ...], jobs: int, variables: dict[str, str]
) -> bool:
    print(f"== {name}: {' '.join(chosen)}", flush=True)
    command = [python, "-m", "pytest", "-q", "-n", str(jobs), *chosen]
    done = subprocess.run(command, env=os.environ | variables)
    print(f"== {name}: {'passed' if done.returncode == 0 else 'FAILED'}", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
