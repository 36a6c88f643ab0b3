"""The server's named lock (GET_LOCK): it belongs to one session and ends with it."""

from __future__ import annotations

import hashlib
import re
from math import ceil

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, rollback, run, scalar, text_of
from ebhook.database.errno import Errno
from ebhook.errors import LockUnavailable
from ebhook.next_command import ebhook, then


def lock_name(database: str, *, folds: bool) -> str:
    """The name of a database's lock: readable, unique in a server, at most 64 characters.

    It is made of the database's name alone: two bundles exclude each other whatever
    `lock.table` says in each.

    Args:
        folds: the server finds a database in any case (lower_case_table_names). The name must not
            differ then: MariaDB tells the names of locks apart by case.
    """
    digest = hashlib.sha256((database.lower() if folds else database).encode()).hexdigest()
    return f"ebhook:{re.sub('[^a-z0-9_-]', '_', database.lower())[:36]}:{digest[:20]}"


class NamedLock:
    """One named lock, taken and released on one connection.

    The server frees it when the session ends. A session whose client died lives until its last
    statement has ended, so the lock is held for as long as anything can still be changed.
    """

    def __init__(self, connection: Connection, tenant: str, name: str) -> None:
        """
        Args:
            tenant: for error texts.
            name: from `lock_name`.
        """
        self.connection = connection
        self.tenant = tenant
        self.name = name

    def acquire(self, seconds: float) -> bool:
        """Waits at most `seconds` (rounded up to whole ones) in the server. False: still taken.

        A wait ends the open transaction, so that what is read after it is up to date.

        Raises:
            LockUnavailable: the server has no GET_LOCK, or did not say who has the lock.
        """
        try:
            # MySQL rounds to whole seconds; what it rounds to 0 would not wait at all.
            got = scalar(self.connection, _GET_LOCK, self.name, ceil(seconds))
        except MySQLError as error:
            if errno(error) == Errno.QUERY_INTERRUPTED:
                raise self._no_answer(text_of(error)) from None
            if errno(error) in _NOT_SUPPORTED:
                raise LockUnavailable(
                    f"{self.tenant}: this server has no GET_LOCK (a Galera or Percona XtraDB "
                    f"cluster?): {text_of(error)}.",
                    next=then(
                        "lock.named = false falls back to the row alone; then a lock whose holder "
                        "died stays until somebody clears it: ",
                        ebhook("lock clear", self.tenant),
                    ),
                ) from None
            raise
        finally:
            if seconds:
                rollback(self.connection)
        if got is None:  # MariaDB's answer to an interrupted GET_LOCK, where MySQL has an error
            raise self._no_answer("GET_LOCK gave NULL")
        return bool(got)

    def release(self) -> bool:
        """Rolls back, then frees the lock. False: the server that answered says that this session
        did not have it. A lost connection is no error: the server has freed the lock."""
        try:
            self.connection.rollback()
            return bool(scalar(self.connection, "SELECT RELEASE_LOCK(%s)", self.name))
        except MySQLError:
            return True

    def owner(self) -> int | None:
        """The connection id of the session that has the lock, or None."""
        owner = scalar(self.connection, "SELECT IS_USED_LOCK(%s)", self.name)
        return None if owner is None else int(owner)

    def owner_if_supported(self) -> int | None:
        """`owner`, or None where the server has no named locks."""
        try:
            return self.owner()
        except MySQLError as error:
            if errno(error) not in _NOT_SUPPORTED:
                raise
            return None

    def is_ours(self) -> bool:
        """Does this connection's session have the lock, by the server that answers reads?"""
        return bool(scalar(self.connection, f"SELECT {IS_OURS}", self.name))

    def kill_owner(self, owner: int, *, seconds: float) -> None:
        """Ends session `owner`, and waits at most `seconds` until the server has freed its lock.

        The server first undoes the statement that the session runs: for a long ALTER that takes
        its time.
        """
        try:
            run(self.connection, "KILL CONNECTION %s", owner)
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_THREAD:
                raise
        if self.acquire(seconds):
            self.release()

    def _no_answer(self, why: str) -> LockUnavailable:
        return LockUnavailable(
            f"{self.tenant}: the server did not say who has the lock: {why}.",
            next=then("Look at the server's error log, then: ", ebhook("upgrade", self.tenant)),
        )


# True in a statement that runs in the session that has the lock; takes the lock's name. A proxy may
# send reads and writes to different servers: in a statement that writes, this asks the one that
# gets the write.
IS_OURS = "IS_USED_LOCK(%s) = CONNECTION_ID()"

# A limit that the server sets for all statements does not end the wait: MariaDB's for this one
# statement (MySQL reads a comment there), MySQL's by its hint, in milliseconds.
_GET_LOCK = (
    "/*M! SET STATEMENT max_statement_time = 0 FOR */ "
    "SELECT /*+ MAX_EXECUTION_TIME(3600000) */ GET_LOCK(%s, %s)"
)

# What Galera and Percona XtraDB clusters say to GET_LOCK.
_NOT_SUPPORTED = (Errno.NOT_SUPPORTED_YET, Errno.UNKNOWN_ERROR)
