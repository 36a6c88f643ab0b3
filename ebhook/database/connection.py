"""Connections to MySQL and MariaDB, and every error number that ebhook knows, in one place.

PyMySQL is used directly: the survey, the lock and the DDL share one plain connection, and importing
SQLAlchemy would cost a boot at head more than all the rest.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

import pymysql
from pymysql.constants import CLIENT, SERVER_STATUS
from pymysql.err import MySQLError

from ebhook.database import tls
from ebhook.database.errno import BUSY, DENIED, LOST, PASSING, READ_ONLY, Errno
from ebhook.database.url import Url
from ebhook.errors import ConnectionLost, EbhookError, Refused, Unreachable, one_line
from ebhook.next_command import ebhook, then

Connection = pymysql.Connection


@lru_cache(maxsize=256)
def quoted(identifier: str) -> str:
    """A SQL identifier in backticks, whatever is in it."""
    return "`" + identifier.replace("`", "``") + "`"


def errno(error: BaseException | None) -> int:
    """The server's number of an error (also of one that SQLAlchemy wrapped), or 0."""
    error = getattr(error, "orig", None) or error
    number = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    if isinstance(error, pymysql.err.InterfaceError) and number == 0:
        return Errno.GONE_AWAY
    return number if isinstance(number, int) else 0


def text_of(error: BaseException) -> str:
    """``Duplicate column name 'tier' (1060)``: the server's words and number."""
    original = getattr(error, "orig", None) or error
    if isinstance(original, MySQLError) and len(original.args) > 1:
        return f"{one_line(str(original.args[1]))} ({original.args[0]})"
    return one_line(f"{type(original).__name__}: {original}")


class SecureConnection(Connection):
    """Insists on TLS where that is demanded. Its end is no error: the server, or a network that
    went away, may have closed it before."""

    def __init__(self, login: Url, **options: Any) -> None:
        self.login = login
        self._context = context = tls.context_of(login.options)
        if context is not None:
            options["ssl"] = context
        super().__init__(auth_plugin_map={"mysql_clear_password": tls.ClearPassword}, **options)

    def _create_ssl_ctx(self, demanded: Any) -> Any:
        """PyMySQL prefers TLS where nothing is demanded, and reads the system's certificates for
        it, which it does not use: 20 ms, most of what a login costs."""
        if demanded:
            return super()._create_ssl_ctx(demanded)  # type: ignore[misc]
        return tls.preferred()

    def _request_authentication(self) -> None:
        tls.insist(self, self._context)
        super()._request_authentication()  # type: ignore[misc]

    def close(self) -> None:
        with suppress(MySQLError):
            super().close()


def connect(url: Url, *, database: str | None, timeout: float) -> Connection:
    """One new connection, never re-opened behind anyone's back. Autocommit is off.

    Args:
        url: where and as whom; `database` is given apart, since the survey takes none.
        timeout: seconds for connecting and logging in.

    Raises:
        Unreachable: no answer, or the server is full for now.
        Refused: the server answered, and said no.
    """
    credential = url.credential
    if credential is not None and credential.is_per_login:
        url, credential = credential.fresh(url), None
    try:
        try:
            connection = _open(url, database, timeout)
        except MySQLError as error:
            if errno(error) != Errno.ACCESS_DENIED or credential is None:
                raise
            # The password was changed after it was read: it is read again, once.
            connection = _open(credential.fresh(url), database, timeout)
    except UnicodeEncodeError:
        raise Refused(
            f"{url.host}:{url.port}: the user name or password cannot be sent in its character set.",
            next="Choose others, that can be written in UTF-8.",
        ) from None
    except (MySQLError, OSError, RuntimeError) as error:
        problem = explain(error, url, database)
        if isinstance(problem, ConnectionLost):  # before there was one: nothing was under way
            problem = Unreachable(problem.what, next=then("Check the server: ", ebhook("doctor")))
        raise problem from None
    _keep_alive(connection)
    return connection


# Options of a URL that PyMySQL takes as they are; those of TLS are read by `ebhook.database.tls`.
_TAKEN = (
    "bind_address", "charset", "collation", "init_command", "program_name", "server_public_key",
    "sql_mode", "unix_socket",
)  # fmt: skip


def _open(url: Url, database: str | None, timeout: float) -> Connection:
    options: dict[str, Any] = dict(
        host=url.host,
        port=url.port,
        user=url.user,
        # As bytes: a text PyMySQL would send in Latin-1, which is not what the server keeps.
        password=url.password.reveal().encode() if url.password is not None else b"",
        database=database,
        charset="utf8mb4",
        connect_timeout=max(1, int(timeout)),
        autocommit=False,
        client_flag=CLIENT.FOUND_ROWS,  # as SQLAlchemy's: an UPDATE counts the rows it matched
        read_timeout=max(1.0, timeout),
        write_timeout=max(1.0, timeout),
    )
    for name in _TAKEN:
        if url.options.get(name):
            options[name] = url.options[name]
    connection = SecureConnection(url, **options)
    # For the login alone: a long ALTER is silent, and the server is the one that knows.
    vars(connection).update(_read_timeout=None, _write_timeout=None)
    return connection


def login_of(connection: Connection, url: Url) -> Url:
    """The URL that `connection` came in by: `url`, or what was read anew, or a token."""
    return connection.login if isinstance(connection, SecureConnection) else url


def connect_patiently(
    url: Url, *, database: str | None, timeout: float, deadline: float
) -> Connection:
    """`connect`, tried again while the server is unreachable or full; the retry is imported late."""
    try:
        return connect(url, database=database, timeout=timeout)
    except Unreachable:
        from ebhook.database.retry import retrying

        patience = min(deadline, time.monotonic() + timeout)
        return retrying(on=Unreachable, attempts=8, deadline=patience)(
            connect, url, database=database, timeout=timeout
        )


def explain(error: BaseException, url: Url, database: str | None) -> EbhookError:
    """A driver's error as one of ours, in three parts; never the password, never the SQL."""
    number, words = errno(error), text_of(error)
    where = f"{url.host}:{url.port}"
    insecure = tls.problem_of(error)
    if insecure is not None:
        return Refused(
            f"{where}: {insecure}.",
            next=then("Check tls.ca and tls.verify, and what the server has: ", ebhook("doctor")),
        )
    if number == Errno.INSECURE_TRANSPORT:
        return Refused(
            f"{where} refused {url.user or 'the login'}: {words}.",
            next=then(
                "Give tls.ca (EBHOOK_TLS_CA), or at least tls.verify = off; see: ", ebhook("doctor")
            ),
        )
    if number == Errno.BAD_DB:
        return Refused(
            f"There is no database {database!r} on {where} (1049).",
            next=then("Create it, or take it out of the list of tenants: ", ebhook("config")),
        )
    if number in READ_ONLY:
        return Refused(
            f"{where} is read-only: {words}.",
            next="Point the tenants' URL at the writer (after a fail-over: run again).",
        )
    if number in DENIED:
        return Refused(
            f"{where} refused {url.user or 'the login'}: {words}.",
            next=then("Check user, password and privileges: ", ebhook("config")),
        )
    if number in BUSY:
        return Unreachable(
            f"{where} takes no more connections: {words}.",
            next="Try again when it is calmer, or lower rollout.workers.",
        )
    if number in LOST:
        return ConnectionLost(
            f"The connection to {where} was lost: {words}.",
            "Nothing more was done.",
            then("See where it stands: ", ebhook("status")),
        )
    if number in PASSING:
        return Unreachable(
            f"{where} could not do it now: {words}.", next=then("See: ", ebhook("status"))
        )
    if 1000 <= number < 2000 or 3000 <= number < 5000:  # the servers' own; 2000 are the client's
        return Refused(
            f"{where} said: {words}.", next=then("Look at the database, then: ", ebhook("status"))
        )
    if isinstance(error, RuntimeError):
        return Refused(
            f"{where}: {error}.", next=then("Check the URL's options: ", ebhook("config"))
        )
    return Unreachable(
        f"{where} cannot be reached: {words}.",
        next=then("Check host, port and network: ", ebhook("doctor")),
    )


def _keep_alive(connection: Connection) -> None:
    """A cut network shows after about a minute, not after the kernel's two hours.

    There is no read time-out: a long ALTER is silent, and the server is the one that knows.
    """
    sock = getattr(connection, "_sock", None)
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, seconds in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 4)):
            if hasattr(socket, option):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
        # What was sent and never arrived is no silence: keepalive does not see to that.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)


def rows(connection: Connection, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one query; values are bound, never formatted in."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def scalar(connection: Connection, sql: str, *values: object) -> Any:
    """The first value of the first row, or None."""
    found = rows(connection, sql, *values)
    return found[0][0] if found else None


def run(connection: Connection, sql: str, *values: object) -> int:
    """Runs one statement; the number of rows it touched."""
    with connection.cursor() as cursor:
        return int(cursor.execute(sql, values or None))


def in_transaction(connection: Connection) -> bool:
    """Was a transaction open after the last statement that succeeded? (SERVER_STATUS_IN_TRANS)"""
    status: int = connection.server_status  # type: ignore[attr-defined]
    return bool(status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)


def rollback(connection: Connection) -> None:
    """Ends the transaction. A lost connection has none, and its first error is the one to tell."""
    with suppress(MySQLError):
        connection.rollback()


def versions(connection: Connection, database: str, table: str) -> tuple[str, ...]:
    """The revisions that a database says it stands at; empty without a version table."""
    try:
        found = rows(connection, f"SELECT version_num FROM {quoted(database)}.{quoted(table)}")
    except MySQLError as error:
        if errno(error) == Errno.NO_SUCH_TABLE:
            return ()
        raise
    finally:
        rollback(connection)
    return tuple(sorted(str(row[0]) for row in found))
