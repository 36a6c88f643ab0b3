"""The lock: who may change a tenant's database.

Two layers, both on the very connection that runs the DDL:

1. The row in ``migration_lock`` says *who*. There is at most one (``id`` = 1).
2. The named lock (``GET_LOCK``) says whether that is *still true*: it ends with its session, and a
   session whose client died lives on while its last statement still runs. So there is no time-out
   to guess, no heartbeat, and ``DELETE FROM migration_lock;`` never lets two writers in.

A row without a token was made by a person: it is a freeze, and is respected until it is gone.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import ceil

from pymysql.err import MySQLError

from ebhook.database.connection import (
    Connection,
    errno,
    quoted,
    rollback,
    rows,
    run,
    scalar,
    text_of,
)
from ebhook.database.errno import Errno
from ebhook.errors import LockHeld, LockUnavailable
from ebhook.events import Emit, LockTaken, LockTakenOver, LockWaiting
from ebhook.holder import Holder
from ebhook.lock.table import COLUMNS, UNFIT, LockRow, LockTable, row_from, select_row

# The longest single wait inside GET_LOCK: between two, the waiter looks whether the work is done.
SLICE = 2.0


def lock_name(database: str, *, folds: bool) -> str:
    """The named lock of one tenant: readable, unique in a server, within 64 characters.

    Two bundles exclude each other whatever table each keeps its row in.

    Args:
        folds: the server finds a database in any case (lower_case_table_names). The name must not
            differ then: MariaDB tells the names of locks apart by case.
    """
    digest = hashlib.sha256((database.lower() if folds else database).encode()).hexdigest()
    return f"ebhook:{re.sub('[^a-z0-9_-]', '_', database.lower())[:36]}:{digest[:20]}"


class TenantLock:
    """The lock of the database that `connection` is in, taken and given back on it."""

    def __init__(self, connection: Connection, tenant: str, table: str, *, named: bool) -> None:
        self.connection = connection
        self.tenant = tenant
        self.table = LockTable(connection, tenant, table)
        self.named = named
        self.token = ""  # of the row, while we have the lock
        self.has_row = False  # for all we know
        self._goes_along = False  # with the open transaction
        sql = "SELECT DATABASE(), @@lower_case_table_names, CONNECTION_ID()"
        ((database, folds, id),) = rows(connection, sql)
        self.database, self.connection_id = str(database), int(id)
        self.name = lock_name(self.database, folds=bool(folds))

    def read(self) -> LockRow | None:
        """The lock as it stands, or None when nobody has it."""
        owner = (
            scalar(self.connection, "SELECT IS_USED_LOCK(%s)", self.name) if self.named else None
        )
        columns = self.table.columns()
        try:
            if columns:
                for values in rows(self.connection, select_row(self.table.quoted, columns)):
                    return row_from(values, owner)
        except MySQLError as error:
            if errno(error) != Errno.LOCK_WAIT_TIMEOUT:
                raise
            who = "somebody who has locked the table"
            return LockRow(who, None, None, owner is not None, None, owner)
        finally:
            rollback(self.connection)
        if owner is None:
            return None
        return LockRow(None, None, None, True, None, int(owner), has_row=False)

    @contextmanager
    def held(
        self,
        holder: Holder,
        *,
        wait: float,
        emit: Emit,
        done: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[bool]:
        """Has the lock while the block runs. Yields False, without it, when `done()` became true.

        Args:
            holder: who we are; gets a token of its own here.
            wait: seconds to wait for somebody else; 0 tries once.
            done: asked before each attempt but the first: the work is done already.

        Raises:
            LockHeld: somebody else still has it after `wait`.
            LockUnavailable: the server has no GET_LOCK, or would not say.
            LockTableForeign: migration_lock has a shape that cannot be adopted.
        """
        holder = holder.renewed()
        taken = self._acquire(holder, wait=wait, emit=emit, done=done, sleep=sleep)
        try:
            yield taken
        finally:
            if taken:
                self.release()

    def release(self) -> None:
        """Deletes the row if it is still ours, then frees the named lock. Both always tried.

        On a connection that is gone both fail: the server has freed the named lock already, and
        the row is taken over by whoever comes next.
        """
        try:
            if self.has_row:
                self._delete_row()
        except MySQLError as error:
            if errno(error) == Errno.QUERY_INTERRUPTED:  # meant for the statement before this one
                with suppress(MySQLError):
                    self._delete_row()
        finally:
            self._free_name()

    def take_row_along(self) -> None:
        """Deletes our row in the open transaction, the last one: a crash after that leaves none
        behind. The named lock guards on; without one the row stays until `release`."""
        if not self.named:
            return
        try:
            self._delete()
            self._goes_along = True
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_TABLE:  # somebody dropped it, by hand
                raise

    def last_is_committed(self) -> None:
        """The last transaction is known to be in, and what it took along with it."""
        self.has_row = self.has_row and not self._goes_along

    def _delete_row(self) -> None:
        self.connection.rollback()
        # A migration that failed may have left LOCK TABLES.
        run(self.connection, "UNLOCK TABLES")
        self._delete()
        self.connection.commit()

    def _delete(self) -> None:
        # By its key: a migration may have set sql_safe_updates. Qualified: it may have said USE.
        table = f"{quoted(self.database)}.{self.table.quoted}".replace("%", "%%")
        run(self.connection, f"DELETE FROM {table} WHERE id = 1 AND token = %s", self.token)

    def is_ours(self) -> bool:
        """Does this session still have the named lock? True where there are none."""
        if not self.named:
            return True
        sql = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID()"
        return bool(scalar(self.connection, sql, self.name))

    def clear(self, row: LockRow) -> bool:
        """Deletes exactly `row`, whose holder is gone; False when it was gone already.

        A newer lock that took its place meanwhile stays. Raises `LockHeld` for a living holder.
        """
        if self.named and not self._get_name(0):
            raise LockHeld(
                f"{self.tenant}: {self.read() or row} is alive.",
                "Its lock was left as it is.",
                f"Wait, or end its session: ebhook lock clear {self.tenant} --kill",
            )
        try:
            if not row.has_row:
                return True
            which: dict[str, object] = {}
            if row.token is not None:
                which["token = %s"] = row.token
            elif "token" in self.table.columns():
                which["COALESCE(token, '') = %s"] = ""
            if row.token is None and row.since is not None:
                which["acquired_at = %s"] = row.since
            where = f" WHERE {' AND '.join(which)}" if which else ""
            run(
                self.connection,
                "SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2, "
                "sql_safe_updates = 0",
            )
            gone = run(self.connection, f"DELETE FROM {self.table.quoted}{where}", *which.values())
            self.connection.commit()
            return bool(gone)
        except MySQLError as error:
            if errno(error) != Errno.LOCK_WAIT_TIMEOUT:
                raise
            raise LockHeld(
                f"{self.tenant}: somebody has the row of {row} in an open transaction.",
                "It was left as it is.",
                f"End that transaction, then: ebhook lock clear {self.tenant}",
            ) from None
        finally:
            self._free_name()

    def kill(self, row: LockRow, *, until: float) -> None:
        """Ends the session that owns the named lock, if it is still `row`'s; waits for its end.

        The server undoes the statement that it runs, which for a long ALTER takes its time.
        """
        owner = scalar(self.connection, "SELECT IS_USED_LOCK(%s)", self.name)
        if owner is None or (row.connection_id is not None and owner != row.connection_id):
            return
        try:
            run(self.connection, "KILL CONNECTION %s", owner)
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_THREAD:
                raise
        if self._get_name(max(0.0, until - time.monotonic())):
            self._free_name()

    def _acquire(
        self,
        holder: Holder,
        *,
        wait: float,
        emit: Emit,
        done: Callable[[], bool],
        sleep: Callable[[float], None],
    ) -> bool:
        deadline = time.monotonic() + wait
        patience = 0.0  # the first look does not wait, so that the holder is named at once

        def attempt() -> bool:
            left = max(0.0, deadline - time.monotonic())
            if patience and done():
                return False
            return self._take(holder, min(patience, left), emit, done)

        def announce(_: object) -> None:
            nonlocal patience
            patience = SLICE
            row = self.read()
            left = max(0.0, deadline - time.monotonic())
            emit(LockWaiting(self.tenant, str(row or "somebody"), row.since if row else None, left))

        from ebhook.database.retry import retrying  # late: a boot at head waits for nobody

        retry = retrying(
            on=_Held,
            attempts=1 + int(wait / 0.05),
            deadline=deadline,
            longest=SLICE,  # well below any wait_timeout
            pause=lambda state: (
                state.outcome is None or not isinstance(state.outcome.exception(), _HeldByName)
            ),
            before_sleep=announce,
            sleep=sleep,
        )
        try:
            return retry(attempt)
        except _Held:
            raise self._refusal(wait) from None

    def _refusal(self, wait: float) -> LockHeld:
        row = self.read()
        since = f" since {row.since:%Y-%m-%d %H:%M:%S} UTC" if row and row.since else ""
        return LockHeld(
            f"{self.tenant}: lock held by {row or 'somebody who has just let go'}{since}"
            + (f"; waited {wait:.0f} s." if wait else "."),
            "Nothing was changed.",
            f"End the freeze, when it is over: ebhook lock clear {self.tenant}"
            if row is not None and row.frozen
            else f"Wait, or see: ebhook lock list {self.tenant}",
        )

    def _take(self, holder: Holder, seconds: float, emit: Emit, done: Callable[[], bool]) -> bool:
        """One attempt: True with the lock, False when the work was done while we waited.

        Raises `_HeldByName` or `_HeldByRow`; then nothing of ours is left behind.
        """
        if self.named and not self._get_name(seconds):
            raise _HeldByName
        try:
            if seconds and done():
                self._free_name()
                return False
            dead = self._write_row(holder)
            self.token, self.has_row = holder.token, True
        except MySQLError as error:
            self._free_name()
            if errno(error) in UNFIT:
                raise self.table.foreign(text_of(error)) from None
            if errno(error) in (
                Errno.LOCK_WAIT_TIMEOUT,
                Errno.LOCK_DEADLOCK,
                Errno.DUPLICATE_ENTRY,
            ):
                # Somebody has the row or the table in a transaction of their own just now.
                raise _HeldByRow from None
            raise
        except BaseException:
            self._free_name()
            raise
        try:
            if dead is not None:
                emit(LockTakenOver(self.tenant, str(dead), dead.since))
            emit(LockTaken(self.tenant, self.connection_id))
        except BaseException:  # nobody there to be told, say
            self.release()
            raise
        return True

    def _get_name(self, seconds: float) -> bool:
        try:
            # Whole seconds, upwards: MySQL rounds, and what it rounds to 0 would not wait at all.
            got = scalar(self.connection, "SELECT GET_LOCK(%s, %s)", self.name, ceil(seconds))
        except MySQLError as error:
            if errno(error) == Errno.QUERY_INTERRUPTED:
                raise self._unsaid(text_of(error)) from None
            if errno(error) in (Errno.NOT_SUPPORTED_YET, Errno.UNKNOWN_ERROR):
                raise LockUnavailable(
                    f"{self.tenant}: this server has no GET_LOCK (a Galera or Percona XtraDB "
                    f"cluster?): {text_of(error)}.",
                    next="lock.named = false falls back to the row alone; then a lock whose holder "
                    "died stays until: ebhook lock clear",
                ) from None
            raise
        finally:
            if seconds:
                rollback(self.connection)
        if got is None:
            raise self._unsaid("GET_LOCK gave NULL")
        return bool(got)

    def _unsaid(self, why: str) -> LockUnavailable:
        """MariaDB answers NULL where MySQL has an error, for an interrupted GET_LOCK."""
        return LockUnavailable(
            f"{self.tenant}: the server did not say who has the lock: {why}.",
            next=f"Look at the server's error log, then: ebhook upgrade {self.tenant}",
        )

    def _free_name(self) -> None:
        if not self.named:
            return
        try:
            self.connection.rollback()
            scalar(self.connection, "SELECT RELEASE_LOCK(%s)", self.name)
        except MySQLError:
            pass  # the session is gone, and the lock with it

    def _write_row(self, holder: Holder) -> LockRow | None:
        """The row of a dead holder that it has replaced."""
        if not self.named and self._named_by_another():
            raise _HeldByRow
        table = self.table.quoted
        sql = select_row(table, set(COLUMNS), "id, ") + " FOR UPDATE"
        try:
            present = rows(self.connection, sql)
        except MySQLError as error:
            if errno(error) not in (Errno.NO_SUCH_TABLE, Errno.BAD_FIELD):
                raise
            if not self.table.adopt():
                raise _HeldByRow from None
            present = rows(self.connection, sql)
        found = next((row_from(values[1:], None) for values in present), None)
        if found is not None and not self._is_dead(found):
            self.connection.rollback()
            raise _HeldByRow
        if found is not None:
            run(self.connection, f"DELETE FROM {table} WHERE id = 1 AND token = %s", found.token)
        run(
            self.connection,
            f"INSERT INTO {table} (id, token, holder, pid, connection_id, environment, "
            "version_label, command, acquired_at) "
            "VALUES (1, %s, %s, %s, IF(%s, CONNECTION_ID(), NULL), %s, %s, %s, UTC_TIMESTAMP(6))",
            holder.token,
            holder.name,
            holder.pid,
            self.named,
            holder.environment,
            holder.version_label,
            holder.command,
        )
        self.connection.commit()
        return found

    def _named_by_another(self) -> bool:
        """Does an instance with other settings hold the named lock? Some servers cannot say."""
        try:
            return scalar(self.connection, "SELECT IS_USED_LOCK(%s)", self.name) is not None
        except MySQLError as error:
            if errno(error) not in (Errno.NOT_SUPPORTED_YET, Errno.UNKNOWN_ERROR):
                raise
            return False

    def _is_dead(self, row: LockRow) -> bool:
        """Was it left by a holder whose session is gone? Asked while we own the named lock.

        A holder without a named lock (`lock.named` = false) writes no connection: nobody can tell.
        """
        return self.named and row.token is not None and row.connection_id is not None


class _Held(Exception):
    """Somebody has the lock (internal: a reason to try again)."""


class _HeldByName(_Held):
    """A living session has it: GET_LOCK has waited for it already."""


class _HeldByRow(_Held):
    """A row without a session: a person's freeze."""
