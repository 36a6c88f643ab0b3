"""Private servers: they answer, survive a crash, and never outlive their owner."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pymysql.err import OperationalError

from ebhook.errors import ScratchFailed
from ebhook.scratch import process
from ebhook.scratch.installation import Flavour, cache, installation_in, locate
from ebhook.scratch.process import Server
from tests.conftest import AnyServer

OWNER = """
import json, signal, sys
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import server
with server(Flavour(sys.argv[1])) as running:
    print(json.dumps({"pids": [running.pid, running.supervisor_pid], "folder": str(running.folder)}), flush=True)
    signal.pause()
"""


@pytest.fixture
def own(server: AnyServer) -> Iterator[Server]:
    """A server for one test, of the flavour whose turn it is; not started yet."""
    installation = locate(server.flavour)
    if not installation:
        pytest.skip(f"{server.flavour} was given by its URL, and no server program is here")
    scratch = Server(installation)
    yield scratch
    scratch.close()


def ask(server: AnyServer, query: str) -> tuple[object, ...]:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return tuple(cursor.fetchone() or ())


def test_speaks_utf8mb4_to_root_on_loopback(server: AnyServer) -> None:
    """A server that has started answers root without a password, in utf8mb4."""
    charset, port = ask(server, "SELECT @@character_set_server, @@port")
    assert (charset, port) == ("utf8mb4", server.port)
    assert ("MariaDB" in str(ask(server, "SELECT VERSION()")[0])) == (
        server.flavour is Flavour.MARIADB
    )


def test_url_names_the_database(server: AnyServer) -> None:
    """The URL is SQLAlchemy's, with the database in it."""
    assert server.url("acme").startswith("mysql+pymysql://")
    assert server.url("acme").endswith(f"{server.host}:{server.port}/acme?charset=utf8mb4")


@pytest.mark.parametrize("end", [Server.kill, Server.stop], ids=["kill", "stop"])
def test_comes_back_with_its_data_on_its_port(own: Server, end: object) -> None:
    """After a crash and after a shutdown, a start brings the same data back on the same port."""
    assert callable(end)
    own.start()
    port, pid = own.port, own.pid
    with own.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE acme")
        end(own)
        assert not Path(f"/proc/{pid}").exists()
    own.start()
    assert own.port == port
    assert ask(own, "SHOW DATABASES LIKE 'acme'") == ("acme",)


def test_start_of_a_running_server_does_nothing(own: Server) -> None:
    """Starting twice leaves the first process as it is."""
    own.start()
    pid = own.pid
    own.start()
    assert own.pid == pid


def test_options_win(own: Server) -> None:
    """Options that the caller gives override the ones that every server gets."""
    own.options = ("--max-connections=17",)
    own.start()
    assert ask(own, "SELECT @@max_connections") == (17,)


def test_takes_another_port_when_its_own_was_taken_meanwhile(
    own: Server, server: AnyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that somebody took between choosing and starting is no reason to fail."""
    free = process._free_port()
    ports = iter((server.port, free))
    monkeypatch.setattr(process, "_free_port", lambda: next(ports))
    own.start()
    assert own.port == free


def test_says_what_the_server_said(own: Server) -> None:
    """A server that does not start leaves its own words in the error."""
    own.options = ("--no-such-option=1",)
    with pytest.raises(ScratchFailed, match="no-such-option"):
        own.start()


def test_close_leaves_nothing(own: Server) -> None:
    """A closed server has no process and no folder left."""
    own.start()
    own.close()
    assert not Path(f"/proc/{own.pid}").exists()
    assert not own.folder.exists()


@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_ends_with_an_owner_that_is_killed(server: AnyServer, whole_group: bool) -> None:
    """kill -9 of the owner, alone or with its whole process group, ends the server and removes its folder."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, server.flavour],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with owner, ExitStack() as stack:
        assert owner.stdout
        running = json.loads(owner.stdout.readline())
        handles = [os.pidfd_open(pid) for pid in running["pids"]]
        for handle in handles:
            stack.callback(os.close, handle)
        if whole_group:
            os.killpg(owner.pid, signal.SIGKILL)
        else:
            owner.kill()
        for handle in handles:
            assert select.select([handle], [], [], 30)[0], "still runs"
    assert not Path(running["folder"]).exists()


def test_nobody_else_is_root_there(server: AnyServer) -> None:
    """A server that verify, migrate or the demo starts asks whoever comes by TCP for a password."""
    with process.server(server.flavour) as running:
        with pytest.raises(OperationalError, match="1045"):
            running.connect(password="")
        for user in ("", "nobody", "mysql"):
            with pytest.raises(OperationalError, match="1045"):
                running.connect(user=user, password="")
        assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
        arguments = Path(f"/proc/{running.pid}/cmdline").read_bytes()
        assert running.password.encode() not in arguments
        assert not (running.folder / "init.sql").exists()


def test_sql_reads_and_writes_no_files(server: AnyServer, tmp_path: Path) -> None:
    """Not even root of such a server reads a file of the machine, or leaves one there."""
    tmp_path.chmod(0o777)
    with process.server(server.flavour) as running:
        assert ask(running, "SELECT LOAD_FILE('/etc/passwd')") == (None,)
        with pytest.raises(OperationalError, match="1290"):
            ask(running, f"SELECT 1 INTO OUTFILE '{tmp_path / 'out'}'")


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs it as himself")
def test_root_runs_it_as_another_user(server: AnyServer) -> None:
    """Where its program can be reached by others, a server does not run as root."""
    installation = locate(server.flavour)
    assert installation is not None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        fetched = [
            path for path in cache().glob("*") if str(path) in " ".join(installation.command)
        ]
        for root in fetched:  # from the folder of root's own, which nobody else can open
            shutil.copytree(root, Path(folder) / root.name, symlinks=True)
            installation = installation_in(server.flavour, Path(folder) / root.name)
            assert installation is not None
        running = Server(installation)
        try:
            running.start()
            assert Path(f"/proc/{running.pid}").stat().st_uid != 0
            assert ask(running, "SELECT 1") == (1,)
        finally:
            running.close()
