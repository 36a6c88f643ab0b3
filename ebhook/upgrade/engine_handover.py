"""Hands the locked connection to the engine of env.py, which stays as the application made it.

SQLAlchemy asks `do_connect` for a driver's connection whenever an engine opens one. The engine whose
connection env.py gives to ``context.configure`` is given the locked one, with what the engine asks of a
connection (init_command, charset, sql_mode, autocommit) done on it. Its options, events, dialect and
execution options are its own. Every other engine of the application connects as it always does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pymysql.constants import CLIENT

from ebhook.database.connection import Connection
from ebhook.database.url import Url
from ebhook.errors import ChainBroken, ConnectionLost
from ebhook.upgrade.interception import ConnectionListener, InterceptedConnection
from ebhook.upgrade.second_connection import ReadingListener

_MYSQL = ("mysql", "mariadb")
# Of a connection, what is the locked one's own: where it leads, as whom, and for how long.
_OWN = {
    "host", "port", "user", "username", "password", "passwd", "db", "database", "unix_socket", "bind_address",
    "connect_timeout", "connection_timeout", "read_timeout", "write_timeout", "auth_plugin_map", "auth_plugin",
    "server_public_key", "max_allowed_packet", "maxallowedpacket", "local_infile", "allow_local_infile",
    "defer_connect", "program_name", "named_pipe", "compress", "echo", "loop", "minsize", "maxsize",
    "read_default_file", "read_default_group", "use_unicode", "buffered", "client_flags", "use_pure",
    "consume_results", "force_ipv6", "pool_size", "pool_name", "pool_reset_session", "get_warnings",
    "async_fallback", "connection_attributes",
}  # fmt: skip
_KEPT = {
    "init_command",
    "charset",
    "collation",
    "sql_mode",
    "autocommit",
    "time_zone",
    "client_flag",
}
_FLAGS = (
    CLIENT.CAPABILITIES | CLIENT.FOUND_ROWS | CLIENT.MULTI_STATEMENTS | CLIENT.LOCAL_FILES
    | CLIENT.INTERACTIVE | CLIENT.COMPRESS | CLIENT.SSL | CLIENT.CONNECT_WITH_DB | CLIENT.SESSION_TRACK
)  # fmt: skip


@dataclass(frozen=True)
class EnvRehearsal:
    """What a rehearsal of env.py showed.

    `opened`: which of the connections to MySQL that env.py opens, counted from 0, is the one that it
    gives to ``context.configure``; None: that one is not open by then.
    """

    opened: int | None = None


class EngineRehearsal:
    """Finds out, while env.py is rehearsed, what its engine asks for; opens nothing by itself."""

    def __init__(self, env_py: str) -> None:
        self.env_py = env_py
        self._opened: list[_Opened] = []  # in the order in which it was asked for
        self._peeking = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        with (
            _listening(sa.Engine, "do_connect", self._do_connect),
            _listening(sa.pool.Pool, "connect", self._connected),
        ):
            yield

    def take(self, given: sa.Connection | None) -> EnvRehearsal:
        """Looks at the connection that env.py gives to ``context.configure``.

        Raises:
            ChainBroken: its engine has something that the locked connection cannot have.
        """
        if given is None or given.engine.dialect.name not in _MYSQL:
            return EnvRehearsal()
        made_by = getattr(getattr(given.engine.pool, "_creator", None), "__module__", "")
        if made_by and not made_by.startswith("sqlalchemy."):
            raise self._cannot("creator", "set the URL, or the parameters in a do_connect event")
        self._peeking = True
        try:
            opened = given.connection.dbapi_connection
        except _Peeked as peeked:
            self._check(peeked.parameters)
            return EnvRehearsal()
        finally:
            self._peeking = False
        for number, one in enumerate(self._opened):
            if one.connection is opened:
                self._check(one.parameters)
                return EnvRehearsal(number)
        return EnvRehearsal()

    def _do_connect(
        self, dialect: sa.Dialect, record: Any, arguments: Any, named: dict[str, Any]
    ) -> None:
        if dialect.name not in _MYSQL:
            return
        if self._peeking:
            raise _Peeked(named)
        self._opened.append(_Opened(dialect, dict(named)))

    def _connected(self, connection: Any, record: Any) -> None:
        dialect = getattr(getattr(record, "_ConnectionRecord__pool", None), "_dialect", None)
        for one in self._opened:
            if one.dialect is dialect and one.connection is None:
                one.connection = connection

    def _check(self, parameters: Mapping[str, Any]) -> None:
        for name, value in parameters.items():
            self._check_one(name, value)

    def _check_one(self, name: str, value: Any) -> None:
        if name in _OWN or name.startswith(("ssl", "tls")):
            return
        if name == "client_flag" and isinstance(value, int) and not value & ~_FLAGS:
            return
        if name == "charset" and not str(value).lower().startswith("utf8"):
            raise self._cannot(f"charset {value!r}", "use utf8mb4; SET NAMES in a revision is fine")
        if name in _KEPT and name != "client_flag":
            return
        if not value:
            return
        raise self._cannot(name, "do that in the revisions that need it")

    def _cannot(self, what: str, instead: str) -> ChainBroken:
        return ChainBroken(
            f"{self.env_py}: its engine has {what}, which the connection with the lock cannot have.",
            "No revision was run.",
            f"Take it out of the engine that migrations run on ({instead}); or set env_py = false.",
        )


class EngineHandover:
    """Gives out the locked connection once, and connections that only read after that.

    Args:
        url: of the tenant; what ``engine.url`` says during the run.
        rehearsal: of this env.py; None where there was none: then the first connection to the tenant's
            own database is taken for the one.
    """

    def __init__(
        self,
        connection: Connection,
        listener: ConnectionListener,
        url: Url,
        rehearsal: EnvRehearsal | None,
        lost: Callable[[], bool],
    ) -> None:
        self._connection = connection
        self._listener = listener
        self._url = url
        self._rehearsal = rehearsal
        self._lost = lost
        self._opened = 0
        self._dialect: sa.Dialect | None = None  # of the engine that has the locked connection
        self._given: InterceptedConnection | None = None
        self._second: list[InterceptedConnection] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """In the block engines are given connections. At its end what was given out is dead."""
        try:
            with _listening(sa.Engine, "do_connect", self._do_connect):
                yield
        finally:
            for one in (self._given, *self._second):
                if one is not None:
                    one.end()

    def take(self, given: sa.Connection | None) -> sa.Connection:
        """The connection for ``context.configure`` in place of `given`: `given` itself, on the locked
        connection; or one of an engine of our own where env.py has none for MySQL.

        Raises:
            ChainBroken: its engine cannot be given the locked connection.
        """
        if given is None or given.engine.dialect.name not in _MYSQL:
            given = self._own()
        engine = given.engine
        if self._dialect is None:
            self._dialect = engine.dialect
            engine.dispose()  # a connection that lies in its pool is not the locked one
            if self._given is None and _is_open(given):
                options = given.get_execution_options()
                given = engine.connect().execution_options(**options)
        opened: Any = given.connection.dbapi_connection
        if opened is not self._given:
            raise ChainBroken(
                "The engine of env.py cannot be given the connection with the lock: it opened another "
                "one than in its rehearsal.",
                "No revision was run.",
                "Let env.py open the connection for context.configure the same way each time; or set "
                "env_py = false.",
            )
        engine.url = self._url.for_sqlalchemy().set(drivername=engine.url.drivername)
        self._look_anew(given)
        return given

    def _look_anew(self, given: sa.Connection) -> None:
        """An engine that was connected before, to another tenant or to the application's own database,
        remembers that one as its default schema: an inspection would look there."""
        dialect = given.engine.dialect
        if dialect.default_schema_name == self._url.database:
            return
        began = given.in_transaction()
        dialect.initialize(given)
        if not began:
            given.rollback()

    def _own(self) -> sa.Connection:
        engine = sa.create_engine(self._url.for_sqlalchemy(), poolclass=sa.pool.NullPool)
        self._dialect = engine.dialect
        return engine.connect()

    def _do_connect(
        self, dialect: sa.Dialect, record: Any, arguments: Any, named: dict[str, Any]
    ) -> InterceptedConnection | None:
        if dialect.name not in _MYSQL:
            return None
        number = self._opened
        self._opened += 1
        if self._dialect is None and self._is_the_one(number, named):
            self._dialect = dialect
        if self._dialect is not dialect:
            return None
        if self._given is None:
            self._prepare(named)
            self._given = InterceptedConnection(
                self._connection, self._listener, _foreign_errors(dialect)
            )
            return self._given
        if self._lost() or not self._connection.open:
            raise ConnectionLost("The connection with the lock was lost.", "", "")
        reading = ReadingListener(self._listener)
        self._second.append(
            InterceptedConnection(self._connection, reading, _foreign_errors(dialect))
        )
        return self._second[-1]

    def _is_the_one(self, number: int, named: Mapping[str, Any]) -> bool:
        if self._rehearsal is not None:
            return number == self._rehearsal.opened
        place = (named.get("host"), int(named.get("port") or 3306))
        database = named.get("database", named.get("db"))
        return place == (self._url.host, self._url.port) and database == self._url.database

    def _prepare(self, named: Mapping[str, Any]) -> None:
        """What the driver would have done on a new connection with these parameters."""
        connection, listener = self._connection, self._listener
        cursor = InterceptedConnection(connection, listener).cursor()
        charset = named.get("charset")
        if charset and (charset, named.get("collation")) != (
            connection.charset,
            getattr(connection, "collation", None),
        ):
            connection.set_character_set(charset, named.get("collation"))
        if named.get("sql_mode"):
            cursor.execute("SET sql_mode = %s", (named["sql_mode"],))
        if named.get("time_zone"):
            cursor.execute("SET time_zone = %s", (named["time_zone"],))
        if named.get("init_command"):
            cursor.execute(named["init_command"])
        if named.get("autocommit") is not None:
            connection.autocommit(bool(named["autocommit"]))
        cursor.close()


@dataclass
class _Opened:
    """A connection that env.py's rehearsal asked for; None: that failed, or has not ended yet."""

    dialect: sa.Dialect
    parameters: Mapping[str, Any]
    connection: Any = None


@dataclass(frozen=True)
class GivenConnection:
    """env.py runs on `connection`, whatever it has itself: for what only looks."""

    connection: sa.Connection

    @contextmanager
    def watching(self) -> Iterator[None]:
        yield

    def take(self, given: sa.Connection | None) -> sa.Connection:
        return self.connection


class _Peeked(BaseException):
    """Internal: an engine is about to connect with these parameters."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__()
        self.parameters = dict(parameters)


def _is_open(connection: sa.Connection) -> bool:
    return "_unopened" not in vars(connection)


def _foreign_errors(dialect: sa.Dialect) -> Any:
    """The module of errors that the dialect knows, where it is not PyMySQL's."""
    module = dialect.loaded_dbapi
    import pymysql

    return None if issubclass(pymysql.err.Error, module.Error) else module


@contextmanager
def _listening(target: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    sa.event.listen(target, name, function)
    try:
        yield
    finally:
        sa.event.remove(target, name, function)
