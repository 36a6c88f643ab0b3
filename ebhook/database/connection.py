"""Connections to MySQL and MariaDB, and every error number that ebhook knows, in one place.

PyMySQL is used directly: the survey, the lock and the DDL share one plain connection, and importing
SQLAlchemy would cost a boot at head more than all the rest.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import pymysql
from pymysql.constants import CLIENT, SERVER_STATUS
from pymysql.err import MySQLError, OperationalError

from ebhook.database import session_tracking, tls
from ebhook.database.errno import BUSY, DENIED, LOST, PASSING, READ_ONLY, Errno
from ebhook.database.session_tracking import SessionChange
from ebhook.database.url import Url
from ebhook.errors import (
    ConnectionLost,
    EbhookError,
    NoAnswer,
    Refused,
    Transient,
    Unreachable,
    one_line,
)
from ebhook.next_command import ebhook, then

Connection = pymysql.Connection

# Seconds for which a server may be silent after the login: longer than it waits for a lock by
# `ddl.lock_wait_timeout`. Only a statement of a migration may take longer (`patient`).
SILENCE = 30.0


@lru_cache(maxsize=256)
def quoted(identifier: str) -> str:
    """A SQL identifier in backticks, whatever is in it."""
    return "`" + identifier.replace("`", "``") + "`"


def original(error: BaseException | None) -> BaseException | None:
    """PyMySQL's own error, where SQLAlchemy has wrapped it, or another driver's stands in for it."""
    wrapped = getattr(error, "orig", None)
    if wrapped is None:
        return error
    cause = wrapped.__cause__
    return cause if isinstance(cause, MySQLError) else wrapped


def errno(error: BaseException | None) -> int:
    """The server's number of an error (also of one that SQLAlchemy wrapped), or 0."""
    error = original(error)
    number = error.args[0] if isinstance(error, MySQLError) and error.args else 0
    if isinstance(error, pymysql.err.InterfaceError) and number == 0:
        return Errno.GONE_AWAY
    return number if isinstance(number, int) else 0


def text_of(error: BaseException) -> str:
    """``Duplicate column name 'tier' (1060)``: the server's words and number."""
    found = original(error)
    if isinstance(found, MySQLError) and len(found.args) > 1:
        return f"{one_line(str(found.args[1]))} ({found.args[0]})"
    return one_line(f"{type(found).__name__}: {found}")


class SecureConnection(Connection):
    """Insists on TLS where that is demanded. Its end is no error: the server, or a network that
    went away, may have closed it before."""

    def __init__(self, login: Url, **options: Any) -> None:
        self.login = login
        self._change = session_tracking.NOTHING
        self._is_tracked = False
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

    def _get_server_information(self) -> None:
        with self._well_formed():
            super()._get_server_information()  # type: ignore[misc]

    def _request_authentication(self) -> None:
        tls.insist(self, self._context)
        with self._well_formed():
            super()._request_authentication()  # type: ignore[misc]

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        with self._well_formed():
            rows = super()._read_query_result(unbuffered=unbuffered)  # type: ignore[misc]
        self._hear(getattr(vars(self)["_result"], "message", None))
        return rows

    @contextmanager
    def _well_formed(self) -> Iterator[None]:
        """What is no packet of MySQL's protocol (cut short, empty, another protocol's) is a lost
        connection. PyMySQL raises whatever its parser comes to."""
        try:
            yield
        except (MySQLError, OSError, EbhookError, RuntimeError, UnicodeEncodeError):
            raise
        except Exception as error:
            self._force_close()  # type: ignore[attr-defined]
            words = f"what came is no packet of MySQL's protocol ({type(error).__name__})"
            raise OperationalError(int(Errno.LOST), words) from None

    def close(self) -> None:
        with suppress(MySQLError):
            super().close()

    def _read_ok_packet(self) -> Any:  # of COMMIT and its like
        packet = super()._read_ok_packet()  # type: ignore[misc]
        self._hear(packet.message)
        return packet

    def _hear(self, message: Any) -> None:
        if message and self._is_tracked:
            self._change = self._change.then(session_tracking.told(message))

    def track(self) -> None:
        """From now on the server tells what statements do to the session."""
        self._is_tracked = bool(vars(self)["server_capabilities"] & CLIENT.SESSION_TRACK)

    def take_change(self) -> SessionChange:
        """What the session's statements have changed in it since this was asked last."""
        if not self._is_tracked:
            return session_tracking.UNKNOWN
        change, self._change = self._change, session_tracking.NOTHING
        return change


def connect(url: Url, *, database: str | None, timeout: float) -> Connection:
    """One new connection, never re-opened behind anyone's back. Autocommit is off.

    Args:
        url: where and as whom; `database` is given apart, since the survey takes none.
        timeout: seconds for connecting and logging in.

    Raises:
        NoAnswer: nothing there speaks MySQL in that time.
        Unreachable: the server is full for now.
        Transient: the password that AWS keeps is not the server's, as in the middle of a rotation.
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
            connection = _open_after_rotation(credential.fresh(url), database, timeout)
    except UnicodeEncodeError:
        raise Refused(
            f"{url.host}:{url.port}: the user name or password cannot be sent in its character set.",
            next="Choose others, that can be written in UTF-8.",
        ) from None
    except (MySQLError, OSError, RuntimeError) as error:
        problem = explain(error, url, database)
        if isinstance(problem, ConnectionLost):  # before there was one: nothing was under way
            problem = NoAnswer(problem.what, next=then("Check the server: ", ebhook("doctor")))
        raise problem from None
    _keep_alive(connection)
    return connection


# Options of a URL that PyMySQL takes as they are; those of TLS are read by `ebhook.database.tls`.
_TAKEN = (
    "bind_address", "charset", "collation", "init_command", "program_name", "server_public_key",
    "sql_mode", "unix_socket",
)  # fmt: skip


def _open_after_rotation(url: Url, database: str | None, timeout: float) -> Connection:
    try:
        return _open(url, database, timeout)
    except MySQLError as error:
        if errno(error) != Errno.ACCESS_DENIED:
            raise
        raise Transient(
            f"{url.host}:{url.port} refused {url.user or 'the login'} with the password that AWS "
            f"keeps (a rotation under way?): {text_of(error)}.",
            next=then("If it is none, mend the secret; see: ", ebhook("doctor")),
        ) from None


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
        # FOUND_ROWS as SQLAlchemy's: an UPDATE counts the rows it matched.
        client_flag=CLIENT.FOUND_ROWS | CLIENT.SESSION_TRACK,
        read_timeout=max(1.0, timeout),
        write_timeout=max(1.0, timeout),
    )
    for name in _TAKEN:
        if url.options.get(name):
            options[name] = url.options[name]
    connection = SecureConnection(url, **options)
    silence = max(SILENCE, timeout)
    vars(connection).update(_read_timeout=silence, _write_timeout=silence)
    return connection


def allow_silence(connection: Connection, seconds: float) -> None:
    """From now on the server may take so many seconds for an answer, where `SILENCE` is too little
    or too much."""
    vars(connection).update(_read_timeout=seconds, _write_timeout=seconds)


@contextmanager
def patient(connection: Connection) -> Iterator[None]:
    """In the block the server may be silent for as long as it wants: it runs a long statement, and
    whoever started the process sees to its end."""
    before = {name: vars(connection)[name] for name in ("_read_timeout", "_write_timeout")}
    vars(connection).update(dict.fromkeys(before))
    try:
        yield
    finally:
        vars(connection).update(before)


def login_of(connection: Connection, url: Url) -> Url:
    """The URL that `connection` came in by: `url`, or what was read anew, or a token."""
    return connection.login if isinstance(connection, SecureConnection) else url


def connect_patiently(
    url: Url, *, database: str | None, timeout: float, deadline: float
) -> Connection:
    """`connect`, tried again for `timeout` seconds while the server is unreachable or full.

    Args:
        timeout: seconds, for all attempts together.
        deadline: monotonic seconds; no attempt goes on after it (but each has one second).
    """
    until = min(deadline, time.monotonic() + timeout)

    def attempt() -> Connection:
        return connect(url, database=database, timeout=max(1.0, until - time.monotonic()))

    try:
        return attempt()
    except Unreachable:
        if time.monotonic() >= until:
            raise
        from ebhook.database.retry import retrying  # late: most connect at once

        return retrying(on=Unreachable, attempts=8, deadline=until)(attempt)


def is_read_only(error: BaseException) -> bool:
    """Does the server take no writes now? A replica, or what was the writer before a fail-over."""
    if errno(error) == Errno.CANT_LOCK:  # InnoDB's own number says why, in the text alone
        return re.search(r"errno: 165\b", text_of(error)) is not None
    return errno(error) in READ_ONLY


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
    if is_read_only(error):
        return Transient(
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
    return NoAnswer(
        f"{where} cannot be reached: {words}.",
        next=then("Check host, port and network: ", ebhook("doctor")),
    )


def _keep_alive(connection: Connection) -> None:
    """A cut network shows after about a minute, not after the kernel's two hours, also while a
    statement runs that may be silent (`patient`)."""
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


def take_change(connection: Connection) -> SessionChange:
    """What statements have changed in their session since this was asked last, as the server told it;
    `UNKNOWN` where it does not tell."""
    if isinstance(connection, SecureConnection):
        return connection.take_change()
    return session_tracking.UNKNOWN


def set_and_track(connection: Connection, sql: str, *values: object) -> None:
    """Runs a SET SESSION statement, after which the server tells what statements do to the session,
    if it can (see `take_change`)."""
    try:
        run(connection, f"{sql}, {session_tracking.TRACK}", *values)
    except MySQLError as error:
        if errno(error) != Errno.UNKNOWN_SYSTEM_VARIABLE:
            raise
        run(connection, sql, *values)
        return
    if isinstance(connection, SecureConnection):
        connection.track()


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
