"""Real servers for every test that asks for one, fleets of databases on them, and ebhook as a user runs it."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection
from sqlalchemy.engine import URL, make_url
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from ebhook.errors import ScratchFailed
from ebhook.report.next_commands import HARD
from ebhook.report.schemas import SCHEMAS, fits
from ebhook.scratch.installation import Flavour, Installation, locate, unpacked
from ebhook.scratch.packages import fetch
from ebhook.scratch.process import Server
from tests.support.pasting import check_commands

# The last lines of a run: how often was struck, and how it ended.
pytest_plugins = ["tests.support.tally"]
IN_CI = os.environ.get("CI") == "true"

# What the machine sets must not reach the program under test, least of all the keys of a real account.
FOREIGN_VARIABLES = ("EBHOOK_", "RDS_", "AWS_", "FLASK_")


# The beginning of every password that tests give away; no output of a program may have it.
PLANTED = "hunter2"


# --- the run -------------------------------------------------------------------------------------


def pytest_configure() -> None:
    """What is started in the background ignores Ctrl-C, and so would the programs under test."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "alembic", "pymysql"))
    servers = ", ".join(f"{flavour} {_server_version(flavour)}" for flavour in Flavour)
    return [f"ebhook with: python {platform.python_version()}, {packages}", f"servers: {servers}"]


class OneServerEach(LoadScopeScheduling):  # type: ignore[misc]
    """With ``pytest -n 2``, each worker starts one server and runs all of its tests."""

    def _split_scope(self, nodeid: str) -> str:
        parameters = re.split(r"[\[\]-]", nodeid)
        return next((flavour for flavour in Flavour if flavour in parameters), nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneServerEach:
    return OneServerEach(config, log)


def _server_version(flavour: Flavour) -> str:
    if given := _given_url(flavour):
        return f"at {given.host}"
    suite = os.environ.get(f"EBHOOK_TEST_{flavour.upper()}_SUITE")
    found = unpacked(flavour, suite) if suite else locate(flavour)
    return found.version if found else "(to be fetched)"


def installation(flavour: Flavour) -> Installation:
    """The machine's server, or the one of the suite that EBHOOK_TEST_MARIADB_SUITE names.

    Raises `ScratchFailed` where it cannot be had.
    """
    if suite := os.environ.get(f"EBHOOK_TEST_{flavour.upper()}_SUITE"):
        return fetch(flavour, print, suite)
    return locate(flavour) or fetch(flavour, print)


def _given_url(flavour: Flavour) -> URL | None:
    value = os.environ.get(f"EBHOOK_TEST_{flavour.upper()}_URL")
    return make_url(value) if value else None


# --- servers -------------------------------------------------------------------------------------

# A server that is killed has lost nothing of what it wrote, wherever that is. In memory its thousands of
# fsyncs are free, and no setting of it is another than on a disk.
_MEMORY, _ROOM = Path("/dev/shm"), 3 * 1024**3


def _servers_folder() -> Path | None:
    """Where private servers have their data; None: among the temporary files."""
    try:
        fits = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    except OSError:
        return None
    return _MEMORY if fits else None


SERVERS_FOLDER = _servers_folder()


@dataclass(frozen=True)
class GivenServer:
    """A server that somebody else runs, named by EBHOOK_TEST_MYSQL_URL or EBHOOK_TEST_MARIADB_URL."""

    flavour: Flavour
    given: URL

    @property
    def host(self) -> str:
        return self.given.host or "127.0.0.1"

    @property
    def port(self) -> int:
        return self.given.port or 3306

    @property
    def version(self) -> str:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str(cursor.fetchone()[0])

    def url(self, database: str = "") -> str:
        url = self.given.set(drivername="mysql+pymysql", database=database)
        return url.update_query_dict({"charset": "utf8mb4"}).render_as_string(hide_password=False)

    def connect(self, **arguments: Any) -> Connection[Any]:
        defaults: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.given.username,
            "password": self.given.password or "",
            "charset": "utf8mb4",
            "autocommit": True,
        }
        connection: Connection[Any] = pymysql.connect(**(defaults | arguments))
        return connection

    def start(self) -> None:
        """It runs, or else nothing here can start it."""

    def stop(self) -> None:
        pytest.skip(f"the {self.flavour} server was given by its URL; tests must not stop it")

    kill = stop


AnyServer = Server | GivenServer


def missing(flavour: Flavour, failure: ScratchFailed) -> None:
    if IN_CI:
        pytest.fail(f"CI needs both flavours. {failure}", pytrace=False)
    pytest.skip(f"NOTHING WAS TESTED ON {flavour.upper()}. {failure}")


@pytest.fixture(scope="session", params=list(Flavour), ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[AnyServer]:
    """A running server of each flavour in turn, shared by all tests of that flavour.

    A test may kill it and start it again on the same port and data.
    """
    flavour: Flavour = request.param
    if given := _given_url(flavour):
        yield GivenServer(flavour, given)
        return
    try:
        running = Server(installation(flavour), parent=SERVERS_FOLDER, password="")
    except ScratchFailed as failure:
        missing(flavour, failure)
        return
    try:
        running.start()
        yield running
    finally:
        running.close()


@dataclass(frozen=True)
class Fleet:
    """Some empty databases on one server, and the URL template that reaches them all."""

    server: AnyServer
    names: tuple[str, ...]

    @property
    def template(self) -> str:
        """A URL with ``{tenant}`` in the place of the database."""
        return self.server.url("DATABASE").replace("DATABASE", "{tenant}")

    def url(self, name: str) -> str:
        return self.server.url(name)

    def connect(self, name: str, **arguments: Any) -> Connection[Any]:
        return self.server.connect(database=name, **arguments)


@dataclass
class Fleets:
    """``fleet(3, prefix="acme")`` makes three databases ``acme_…``; all go when the test ends."""

    server: AnyServer
    made: list[str] = field(default_factory=list)

    def __call__(self, count: int, prefix: str = "tenant") -> Fleet:
        run = secrets.token_hex(3)
        names = tuple(f"{prefix}_{run}_{number:04}" for number in range(1, count + 1))
        self._each("CREATE DATABASE", names)
        self.made.extend(names)
        return Fleet(self.server, names)

    def drop(self) -> None:
        self._each("DROP DATABASE IF EXISTS", self.made)

    def _each(self, statement: str, names: tuple[str, ...] | list[str]) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"{statement} `{name}`")


@pytest.fixture
def fleet(server: AnyServer) -> Iterator[Fleets]:
    fleets = Fleets(server)
    yield fleets
    # A test that failed while the server was down leaves it to the next one as it found it.
    server.start()
    fleets.drop()


# --- ebhook as a program -------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """How one run of ebhook ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float

    def __post_init__(self) -> None:
        for name, text in (("stdout", self.stdout), ("stderr", self.stderr)):
            assert PLANTED not in text, f"{name} has a password: {text}"
            assert HARD not in text, f"{name} has a command that was not written out: {text!r}"

    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass
class Ebhook:
    """``python -m ebhook``, with no variable of the machine that it would listen to."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Ran:
        """Run to the end. *env* is added to a clean environment; *timeout* is in seconds."""
        begin = time.monotonic()
        process = self.start(*arguments, cwd=cwd, env=env)
        stdout, stderr = process.communicate(timeout=timeout)
        check_document(arguments, stdout)
        check_commands(arguments, stdout, stderr)
        return Ran(process.returncode, stdout, stderr, time.monotonic() - begin)

    def start(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Run beside the test, in a process group of its own whose id is the ``pid``."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ebhook", *arguments],
            cwd=cwd or self.folder,
            env=clean_environment() | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def check_document(arguments: Sequence[str], stdout: str) -> None:
    """Whatever a test is about: the document that it sees is as `ebhook schema` says."""
    if "--json" not in arguments or not stdout:
        return
    verbs = (" ".join(arguments[:2]), arguments[0])
    command = next((verb for verb in verbs if verb in SCHEMAS), None)
    if command is not None:
        problem = fits(command, json.loads(stdout))
        assert problem is None, f"ebhook {' '.join(arguments)}: {problem}"


def clean_environment() -> dict[str, str]:
    """The machine's, less what ebhook would listen to; servers that it starts are in memory, too."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_VARIABLES)
    }
    return kept | ({"TMPDIR": str(SERVERS_FOLDER)} if SERVERS_FOLDER else {})


@pytest.fixture(scope="session", autouse=True)
def hangups_reach_what_tests_start() -> None:
    """Under nohup SIGHUP is ignored, and programs inherit that; a handler is reset when they start."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(autouse=True)
def no_password_in_any_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test is about: the logs that its programs wrote have no password."""
    wanted = "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if wanted else None
    yield
    if folder is not None:
        for path in (*folder.rglob("*.log"), *folder.rglob("*.jsonl")):
            if path.is_file():
                text = path.read_text("utf-8", "replace")
                assert PLANTED not in text, f"{path} has a password"


@pytest.fixture
def ebhook(tmp_path: Path) -> Iterator[Ebhook]:
    """Runs ebhook: ``ebhook("status", "--json", cwd=project, env={…})``, or ``ebhook.start(…)``."""
    program = Ebhook(tmp_path)
    yield program
    program.end()
