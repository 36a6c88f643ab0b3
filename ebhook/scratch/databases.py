"""Throw-away databases on a private server, or on the one that `scratch_url` names."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, connect, explain, quoted, run, scalar
from ebhook.database.url import Url, parse_url
from ebhook.errors import SettingsFailed
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import server
from ebhook.settings import Settings
from ebhook.tenant import Tenant

Say = Callable[[str], None]


PREFIX = "ebhook_scratch_"


@dataclass(frozen=True)
class Bench:
    """A server on which databases may be made and dropped."""

    flavour: str
    version: str
    url: Url
    timeout: float

    @contextmanager
    def database(self) -> Iterator[Tenant]:
        """An empty database, gone when the block ends."""
        tenant = Tenant("scratch", replace(self.url, database=PREFIX + secrets.token_hex(6)))
        try:
            self.empty(tenant)
            yield tenant
        finally:
            with suppress(MySQLError), closing(self._connect()) as connection:
                run(connection, f"DROP DATABASE IF EXISTS {quoted(tenant.database)}")

    def empty(self, tenant: Tenant) -> None:
        """Makes a scratch database anew."""
        try:
            with closing(self._connect()) as connection:
                run(connection, f"DROP DATABASE IF EXISTS {quoted(tenant.database)}")
                run(connection, f"CREATE DATABASE {quoted(tenant.database)}")
        except MySQLError as error:
            raise explain(error, self.url, tenant.database) from None

    def _connect(self) -> Connection:
        return connect(self.url, database=None, timeout=self.timeout)


@contextmanager
def benches(settings: Settings, flavours: Iterable[str], say: Say) -> Iterator[list[Bench]]:
    """The server that `scratch_url` names; without one, a private server of each flavour.

    Raises:
        SettingsFailed: `scratch_url` names a database, or no MySQL.
        ScratchFailed, Unreachable, Refused: there is no server.
    """
    with ExitStack() as stack:
        stack.enter_context(_ended_politely())
        if settings.scratch_url is not None:
            yield [given_bench(settings)]
            return
        found = []
        for flavour in flavours:
            running = stack.enter_context(server(Flavour(flavour), report=say))
            url = parse_url(running.url())
            found.append(Bench(flavour, running.version, url, settings.connect_timeout))
        yield found


@contextmanager
def _ended_politely() -> Iterator[None]:
    """SIGTERM and SIGHUP as Ctrl-C: what was made on somebody's server is dropped on the way out."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def given_bench(settings: Settings) -> Bench:
    """The server that `scratch_url` names. Raises `SettingsFailed`, `Unreachable`, `Refused`."""
    assert settings.scratch_url is not None
    url = parse_url(settings.scratch_url.reveal())
    if url.database:
        raise SettingsFailed(
            f"scratch_url names a database ({url.database!r}).",
            "Nothing was touched.",
            "Databases are made and dropped on that server: end the URL with its slash.",
        )
    with closing(connect(url, database=None, timeout=settings.connect_timeout)) as connection:
        version = str(scalar(connection, "SELECT VERSION()"))
    flavour = Flavour.MARIADB if "mariadb" in version.lower() else Flavour.MYSQL
    return Bench(flavour, version, url, settings.connect_timeout)
