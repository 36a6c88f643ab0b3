"""Is there a proxy between us and the server, and does it keep a client in one session?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from ebhook.database.connection import Connection, rows, scalar
from ebhook.doctor.finding import DoctorFinding, fail, warn
from ebhook.lock.named_lock import NamedLock

_NEXT = (
    "Let the tenants' URL lead to the server itself, or to a port of the proxy that does not split"
)


def examine_proxy(connection: Connection, where: str) -> Iterator[DoctorFinding]:
    """At most one finding. Nothing is changed.

    Args:
        connection: logged in, in no transaction.
        where: the server, for the finding.
    """
    sessions = _sessions(connection)
    if len(sessions) > 1:
        told = "; ".join(" ".join(f"{name} {value}" for name, value in one) for one in sessions)
        text = f"a proxy sends one client's statements to several sessions: {told}"
        yield fail("proxy", where, f"{text}. Two upgrades could run at once", _NEXT)
    elif not _lock_is_seen_by_writes(connection):
        yield fail(
            "proxy", where, "what GET_LOCK gave is not there in the session that writes", _NEXT
        )
    elif dict(sessions[0])["connection"] != connection.thread_id():  # type: ignore[no-untyped-call]
        text = "a proxy answers in place of the server; each client had one session while asked"
        yield warn("proxy", where, text, "Make sure that it never splits reads from writes")


def _sessions(connection: Connection) -> list[tuple[tuple[str, str | int], ...]]:
    """Each different session that answered: by plain reads, by locking ones, in a transaction."""
    variables = {
        "connection": "CONNECTION_ID()",
        "host": "@@hostname",
        "port": "@@port",
        "server_id": "@@server_id",
    }
    if rows(connection, "SHOW VARIABLES LIKE 'server_uuid'"):
        variables["server_uuid"] = "@@server_uuid"
    question = f"SELECT {', '.join(variables.values())}"
    answers = []
    for sql in (question, question, f"{question} FROM DUAL FOR UPDATE"):
        answers += rows(connection, sql)
    connection.rollback()
    connection.begin()
    answers += rows(connection, question)
    connection.rollback()
    return [tuple(zip(variables, answer, strict=True)) for answer in dict.fromkeys(answers)]


def _lock_is_seen_by_writes(connection: Connection) -> bool:
    """Takes a lock by a read, and looks for it where proxies send writes."""
    lock = NamedLock(connection, "", f"ebhook:doctor:{secrets.token_hex(4)}")
    if not lock.acquire(0):
        return True  # told by the finding about named locks
    try:
        seen = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID() FROM DUAL FOR UPDATE"
        return bool(scalar(connection, seen, lock.name))
    finally:
        lock.release()
