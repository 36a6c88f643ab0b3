"""Running one private server: its own data, socket and port, and a supervisor that outlives its owner."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection

from ebhook.errors import ScratchFailed
from ebhook.scratch import supervisor
from ebhook.scratch.installation import Flavour, Installation, cache, cache_locked, locate
from ebhook.scratch.packages import Report, fetch

# Below Linux's ephemeral ports, from which the kernel could lend ours to some client while the server is down.
_PORTS = range(10_240, 32_768)
_PORT_TRIES = 5

# Only what the system tables of these two have in common with their installation scripts.
_MARIADB_SYSTEM_SQL = (
    "*_system_tables.sql",
    "*_performance_tables.sql",
    "*_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "*_sys_schema.sql",
)

# With skip-name-resolve, 127.0.0.1 is not localhost. MariaDB's own scripts know that.
_MYSQL_ROOT_SQL = """\
CREATE USER root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
"""


@contextmanager
def server(
    flavour: Flavour, options: Sequence[str] = (), report: Report | None = None
) -> Iterator[Server]:
    """A running server, for as long as the block lasts; fetched first where the machine has none.

    *options* are the server program's own and come last, so they win over the ones given here.
    """
    running = Server(locate(flavour) or fetch(flavour, report), options)
    try:
        running.start()
        yield running
    finally:
        running.close()


class Server:
    """One server on a data folder of its own. ``close`` ends it for good; so does the end of this process.

    A process forked from this one (not: started as a program) must not outlive it, since it shares the pipe
    by which the supervisor knows.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        installation: Installation,
        options: Sequence[str] = (),
        *,
        parent: Path | None = None,
    ) -> None:
        """*parent* is where its folder is made, else among the user's temporary files."""
        self.installation = installation
        self.flavour, self.version = installation.flavour, installation.version
        self.options = tuple(options)
        self.port = 0
        self.pid = 0
        self._supervisor = subprocess.Popen(
            # Isolated: it needs nothing of the owner's environment and starts in milliseconds.
            [sys.executable, "-I", "-S", supervisor.__file__, *([str(parent)] if parent else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.supervisor_pid = self._supervisor.pid
        self.folder = Path(self._answer()["folder"])
        self.datadir = self.folder / "data"
        self.log = self.folder / "server.log"

    def start(self) -> None:
        """Start, on the same data and port as before if there was a before. Returns when it answers.

        Does nothing while the server runs.
        """
        if not self.datadir.exists():
            self._create_datadir()
        for _ in range(_PORT_TRIES):
            port = self.port or _free_port()
            answer = self._ask(do="start", command=self._command(port), socket=str(self._socket))
            if answer["exit"] is None:
                self.port, self.pid = port, answer["pid"]
                return
            if self.port or _is_free(port):
                break
        raise self._failed("did not start")

    def kill(self) -> None:
        """End the server as a crash would: kill -9. Returns when the process is gone."""
        self._ask(do="kill")

    def stop(self) -> None:
        """Shut the server down cleanly. Its data stay for the next ``start``."""
        self._ask(do="stop")

    def close(self) -> None:
        """End the server and remove its folder."""
        self._supervisor.communicate()

    def url(self, database: str = "") -> str:
        return f"mysql+pymysql://root@{self.host}:{self.port}/{database}?charset=utf8mb4"

    def connect(self, **arguments: Any) -> Connection[Any]:
        """A connection as root that commits every statement; *arguments* are PyMySQL's and win."""
        defaults: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": "root",
            "charset": "utf8mb4",
            "autocommit": True,
        }
        connection: Connection[Any] = pymysql.connect(**(defaults | arguments))
        return connection

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _command(self, port: int) -> list[str]:
        return [
            *self._program,
            f"--socket={self._socket}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=1000",
            *self.options,
        ]

    @property
    def _program(self) -> list[str]:
        return [
            *self.installation.command,
            f"--datadir={self.datadir}",
            f"--pid-file={self.folder / 'pid'}",
            # A server that starts removes what looks like a temporary table from a shared /tmp.
            f"--tmpdir={self.folder}",
            "--character-set-server=utf8mb4",
            "--loose-mysqlx=OFF",
            # Servers refuse to run as root unless told to.
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]

    def _create_datadir(self) -> None:
        """Fill the data folder: from the copy kept in the cache, else by the server itself.

        Some options hold only if they are given at this point, so the copy is for servers without any.
        """
        template = f"datadir-{self.flavour}-{self.version}"
        known = (cache() / template).is_dir()
        if known and not self.options:
            shutil.copytree(cache() / template, self.datadir)
            return
        self._initialise()
        if not known and not self.options:
            self._keep_datadir(template)

    def _initialise(self) -> None:
        script = self.folder / "initialise.sql"
        # A small redo log makes a small copy; the server grows it when it starts.
        if self.flavour is Flavour.MYSQL:
            script.write_text(_MYSQL_ROOT_SQL)
            how = ["--initialize-insecure", f"--init-file={script}"]
            how += ["--loose-innodb-redo-log-capacity=8M"]
        else:
            self.datadir.mkdir()
            script.write_bytes(_mariadb_system_sql(self.installation.share))
            how = ["--bootstrap", "--enforce-storage-engine=", "--max-allowed-packet=8M"]
            how += ["--innodb-log-file-size=8M"]
        command = [*self._program, *self.options, *how]
        if self._ask(do="run", command=command, input=str(script))["exit"] != 0:
            raise self._failed("could not create its system tables")

    def _keep_datadir(self, template: str) -> None:
        with cache_locked() as folder:
            if (folder / template).is_dir():
                return
            part = folder / f".{template}"
            shutil.rmtree(part, ignore_errors=True)
            # auto.cnf holds the server's identity.
            shutil.copytree(self.datadir, part, ignore=shutil.ignore_patterns("auto.cnf"))
            part.rename(folder / template)

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._supervisor.stdin
        try:
            print(json.dumps(request), file=self._supervisor.stdin, flush=True)
        except (BrokenPipeError, ValueError):
            raise self._failed("was closed") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._supervisor.stdout
        line = self._supervisor.stdout.readline()
        if not line:
            raise self._failed("lost its supervisor")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failed(self, what: str) -> ScratchFailed:
        return ScratchFailed(
            what=f"The private {self.flavour} {self.version} server {what}.",
            state="The last lines of its log: " + " | ".join(self._last_lines()),
            next=f"Try it by hand: python -m ebhook.scratch {self.flavour}",
        )

    def _last_lines(self, count: int = 5) -> list[str]:
        try:
            return self.log.read_text(errors="replace").splitlines()[-count:]
        except (OSError, AttributeError):
            return ["(none)"]


def _mariadb_system_sql(share: Path) -> bytes:
    """What MariaDB's installation script would feed to ``--bootstrap``, without the help texts."""
    scripts = [
        path.read_bytes() for pattern in _MARIADB_SYSTEM_SQL for path in sorted(share.glob(pattern))
    ]
    return b"\n".join((b"CREATE DATABASE mysql;", b"USE mysql;", *scripts))


def _free_port() -> int:
    return next(port for port in iter(lambda: random.choice(_PORTS), None) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
