"""Running one private server: its own data, socket and port, and a supervisor that outlives its owner."""

from __future__ import annotations

import json
import os
import pwd
import random
import secrets
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

# Whom a server runs as when root starts it, the first that there is.
_USERS = ("mysql", "nobody")

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

    Other users of the machine can reach its port. So root has a random password there, the socket
    is in a folder that only its owner may open, and SQL reads and writes no files.

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
        password: str | None = None,
    ) -> None:
        """*parent* is where its folder is made, else among the user's temporary files. *password* is
        root's; None: a random one; empty: anybody on this machine may be root."""
        self.installation = installation
        self.password = secrets.token_urlsafe(24) if password is None else password
        self.user = server_user(installation)
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
            self._hand_over()
        for _ in range(_PORT_TRIES):
            port = self.port or _free_port()
            with self._first_statements() as script:
                command = [*self._command(port), f"--init-file={script}"]
                answer = self._ask(do="start", command=command, socket=str(self._socket))
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
        """SQLAlchemy's URL of a database, as root; it holds the password."""
        login = f"root:{self.password}" if self.password else "root"
        return f"mysql+pymysql://{login}@{self.host}:{self.port}/{database}?charset=utf8mb4"

    def connect(self, **arguments: Any) -> Connection[Any]:
        """A connection as root that commits every statement; *arguments* are PyMySQL's and win."""
        defaults: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": "root",
            "password": self.password,
            "charset": "utf8mb4",
            "autocommit": True,
            # It never leaves this machine, and reading the system's certificates takes 20 ms.
            "ssl_disabled": True,
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
            f"--secure-file-priv={self._no_files}",
            # Servers refuse to run as root unless told to.
            *([f"--user={self.user}"] if self.user else []),
        ]

    @property
    def _no_files(self) -> str:
        """Where SQL may read and write files: nowhere. MariaDB knows no such word, so an empty folder."""
        return "NULL" if self.flavour is Flavour.MYSQL else str(self._empty)

    @property
    def _empty(self) -> Path:
        return self.folder / "no-files"

    @contextmanager
    def _first_statements(self) -> Iterator[Path]:
        """A file of what the server runs before it lets anybody in: root's password."""
        script = self.folder / "init.sql"
        script.touch(0o600)
        hosts = ("localhost", "127.0.0.1")
        script.write_text(
            "".join(
                f"ALTER USER root@'{host}' IDENTIFIED BY '{self.password}';\n" for host in hosts
            )
        )
        self._hand_over(script)
        try:
            yield script
        finally:
            script.unlink()

    def _hand_over(self, *paths: Path) -> None:
        """Gives files, or all that there is, to the user that the server runs as."""
        if self.user in (None, "root"):
            return
        for path in paths or (self.folder, *self.folder.rglob("*")):
            shutil.chown(path, self.user)

    def _create_datadir(self) -> None:
        """Fill the data folder: from the copy kept in the cache, else by the server itself.

        Some options hold only if they are given at this point, so the copy is for servers without any.
        """
        self._empty.mkdir(exist_ok=True)
        template = f"datadir-2-{self.flavour}-{self.version}"
        known = (cache() / template).is_dir()
        if known and not self.options:
            shutil.copytree(cache() / template, self.datadir)
            return
        self._initialise()
        if not known and not self.options:
            self._keep_datadir(template)

    def _initialise(self) -> None:
        script = self.folder / "initialise.sql"
        self._hand_over()
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
    # Of the accounts that its scripts make, only root on this machine is kept: no anonymous one.
    only_root = b"DELETE FROM global_priv WHERE User <> 'root' AND User <> 'mariadb.sys'"
    only_local = b"DELETE FROM global_priv WHERE Host NOT IN ('localhost', '127.0.0.1')"
    return b"\n".join(
        (b"CREATE DATABASE mysql;", b"USE mysql;", *scripts, only_root + b";", only_local + b";")
    )


def server_user(installation: Installation) -> str | None:
    """Whom a server has to run as; None: whoever starts it, who is not root.

    As root only where its program lies in a folder that no other user can open.
    """
    if os.geteuid() != 0:
        return None
    programs = (Path(part) for part in installation.command if part.startswith("/"))
    for path in (program.resolve() for program in programs if program.is_file()):
        if not all(folder.stat().st_mode & 0o001 for folder in path.parents):
            return "root"
    for name in _USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return "root"


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
