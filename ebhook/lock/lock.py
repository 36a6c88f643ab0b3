"""The lock of a tenant's database: a row that says who, and a named lock that says if they live.

Both are on the very connection that runs the DDL:

1. The row in ``migration_lock`` says *who*. There is at most one (``id`` = 1).
2. The named lock (``GET_LOCK``) says whether that is *still true*: it ends with its session, and a
   session whose client died lives until its last statement has ended. So there is no time-out to
   guess, no heartbeat, and ``DELETE FROM migration_lock;`` never lets two writers in.

A row without a token was made by a person (``ebhook lock freeze``, or by hand): it is a freeze, and is
respected until it is gone. Nobody waits for its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, rollback, rows, run, text_of
from ebhook.database.errno import Errno
from ebhook.errors import LockHeld, LockUnavailable, TenantFrozen
from ebhook.events import Emit, LockTaken, LockTakenOver, LockWaiting
from ebhook.holder import Holder
from ebhook.lock.named_lock import NamedLock, lock_name
from ebhook.lock.row import LockRow
from ebhook.lock.table import UNFIT, LockTable
from ebhook.next_command import ebhook, then

# Seconds of the longest single wait inside GET_LOCK. Between two waits the waiter looks whether
# the work is done.
SLICE = 2.0

# Somebody has the row or the table in a transaction of their own just now.
_ROW_IN_USE = (Errno.LOCK_WAIT_TIMEOUT, Errno.LOCK_DEADLOCK, Errno.DUPLICATE_ENTRY)


class TenantLock:
    """The lock of the database that `connection` is in, taken and released on it."""

    def __init__(self, connection: Connection, tenant: str, table: str, *, named: bool) -> None:
        """
        Args:
            tenant: for events and error texts.
            table: the setting `lock.table`.
            named: the setting `lock.named`; False: the row alone is the lock.
        """
        sql = "SELECT DATABASE(), @@lower_case_table_names, CONNECTION_ID()"
        ((database, folds, id),) = rows(connection, sql)
        self.connection = connection
        self.connection_id = int(id)
        self.tenant = tenant
        self.named = named
        self.named_lock = NamedLock(connection, tenant, lock_name(str(database), folds=bool(folds)))
        self.table = LockTable(connection, tenant, str(database), table)
        self._holder: Holder | None = None  # while we hold the lock
        self._has_row = False  # as far as we know
        self._row_goes_with_transaction = False  # deleted in the open one, the last

    def read(self) -> LockRow | None:
        """The lock as it stands, or None when nobody has it. Ends the transaction."""
        owner = self.named_lock.owner() if self.named else None
        try:
            row = self.table.read(owner)
        finally:
            rollback(self.connection)
        if row is None and owner is not None:
            return LockRow.without_row(owner)
        return row

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
        """Holds the lock while the block runs. Yields False, without it, when `done()` became true.

        Args:
            holder: who we are; gets a token of its own here.
            wait: seconds to wait for somebody else; 0 tries once.
            emit: told of waiting, taking over and taking.
            done: asked before each attempt but the first: is the work done already?
            sleep: how to pause, in seconds; tests give their own.

        Raises:
            LockHeld: somebody else still has it after `wait`.
            TenantFrozen: a person's row keeps everybody away; it is not waited for.
            LockUnavailable: the server has no GET_LOCK, or did not say who has the lock.
            LockTableForeign: migration_lock has a shape that cannot be adopted.
        """
        holder = holder.renewed()
        taken = self._acquire(holder, wait=wait, emit=emit, done=done, sleep=sleep)
        try:
            yield taken
        except BaseException:
            if taken:
                self.release()
            raise
        if taken and not self.release():
            raise self.split("It was not held to the end: look at what was done.")

    def release(self) -> bool:
        """Deletes the row if it is still ours, then frees the named lock. Both are always tried.

        On a lost connection both fail: the server has freed the named lock already, and the next
        holder takes the row over. False: the server says that we did not have the named lock.
        """
        try:
            if self._has_row:
                self._delete_row()
        except MySQLError as error:
            if errno(error) == Errno.QUERY_INTERRUPTED:  # meant for the statement before this one
                with suppress(MySQLError):
                    self._delete_row()
        finally:
            self._holder = None
            released = self._release_name()
        return released

    def delete_row_with_last_transaction(self) -> None:
        """Deletes our row in the open transaction, the last one: a crash after its commit leaves no
        row behind. The named lock still guards; without one the row stays until `release`."""
        if not self.named or self._holder is None:
            return
        try:
            self.table.delete(self._holder.token)
            self._row_goes_with_transaction = True
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_TABLE:  # somebody dropped it, by hand
                raise

    def last_transaction_committed(self) -> None:
        """The last transaction is known to be committed: `release` need not delete the row."""
        self._has_row = self._has_row and not self._row_goes_with_transaction

    def is_ours(self) -> bool:
        """Does the session that gets our writes have the named lock? True where there are none.

        It is asked by a write in the open transaction, so that what commits with that write was
        done by the lock's owner. A row that somebody deleted by hand is inserted again.
        """
        if not self.named or self._holder is None:
            return True
        name = self.named_lock.name
        try:
            return self.table.touch(name) or self.table.insert(self._holder, name)
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_TABLE:  # somebody dropped it, by hand
                raise
            return self.named_lock.is_ours()

    def freeze(self, words: str) -> bool:
        """Makes our row, while the lock is held, a person's freeze, which stays after `release`. False:
        the row was not there."""
        return self._holder is not None and self.table.freeze(self._holder.token, words)

    def split(self, state: str) -> LockUnavailable:
        """The error for a session that gets our writes and does not have the lock we were given.

        Args:
            state: what was left how.
        """
        return LockUnavailable(
            f"{self.tenant}: the session that writes does not have the lock that GET_LOCK gave: "
            "a proxy sends reads and writes to different sessions or servers.",
            state,
            then(
                "Let the tenants' URL lead to the server itself, or to a port of the proxy that does "
                "not split; see: ",
                ebhook("doctor"),
            ),
        )

    def _acquire(
        self,
        holder: Holder,
        *,
        wait: float,
        emit: Emit,
        done: Callable[[], bool],
        sleep: Callable[[float], None],
    ) -> bool:
        """Tries until it has the lock (True), the work is done (False), or `wait` is over."""
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

    def frozen(self, row: LockRow) -> TenantFrozen:
        """The error for a person's freeze."""
        since = f" since {row.since:%Y-%m-%d %H:%M:%S} UTC" if row.since else ""
        return TenantFrozen(
            f"{self.tenant}: frozen{since}: {row}.",
            "Nothing was changed.",
            then("When that is over: ", ebhook("lock clear", self.tenant)),
        )

    def _refusal(self, wait: float) -> LockHeld:
        row = self.read()
        since = f" since {row.since:%Y-%m-%d %H:%M:%S} UTC" if row and row.since else ""
        return LockHeld(
            f"{self.tenant}: lock held by {row or 'somebody who has just let go'}{since}"
            + (f"; waited {wait:.0f} s." if wait >= 1 else "."),
            "Nothing was changed.",
            then("Clear it, when its program is over: ", ebhook("lock clear", self.tenant))
            if row is not None and row.frozen
            else then("Wait, or see: ", ebhook("lock list", self.tenant)),
        )

    def _take(self, holder: Holder, seconds: float, emit: Emit, done: Callable[[], bool]) -> bool:
        """One attempt: True with the lock, False when the work was done while we waited.

        Raises:
            _HeldByName, _HeldByRow: somebody else has it; nothing of ours is left behind.
        """
        if self.named and not self.named_lock.acquire(seconds):
            raise _HeldByName
        try:
            if seconds and done():
                self._release_name()
                return False
            dead = self._write_row(holder)
            self._holder, self._has_row = holder, True
        except MySQLError as error:
            self._release_name()
            if errno(error) in UNFIT:
                raise self.table.foreign(text_of(error)) from None
            if errno(error) in _ROW_IN_USE:
                raise _HeldByRow from None
            raise
        except BaseException:
            self._release_name()
            raise
        try:
            if dead is not None:
                emit(LockTakenOver(self.tenant, str(dead), dead.since))
            emit(LockTaken(self.tenant, self.connection_id))
        except BaseException:  # whoever listens may be gone: the lock must not stay
            self.release()
            raise
        return True

    def _write_row(self, holder: Holder) -> LockRow | None:
        """Inserts our row and commits. The row of a dead holder that it has replaced, or None."""
        name = self.named_lock.name if self.named else None
        if name is None and self.named_lock.owner_if_supported() is not None:
            raise _HeldByRow  # by an instance with other settings
        try:
            found = self.table.find_for_update()
        except MySQLError as error:
            if errno(error) not in (Errno.NO_SUCH_TABLE, Errno.BAD_FIELD):
                raise
            if not self.table.adopt():
                raise _HeldByRow from None
            found = self.table.find_for_update()
        if found is not None:
            if not self._is_dead(found):
                self.connection.rollback()
                if found.frozen:
                    raise self.frozen(found)
                raise _HeldByRow
            if not self.table.delete(found.token or "", name):
                raise self.split("Nothing was changed.")
        if not self.table.insert(holder, name):
            raise self.split("Nothing was changed.")
        self.connection.commit()
        return found

    def _is_dead(self, row: LockRow) -> bool:
        """Was it left by a holder whose session is gone? Asked while we own the named lock.

        A holder without a named lock (`lock.named` = false) writes no connection: nobody can tell.
        """
        return self.named and row.token is not None and row.connection_id is not None

    def _delete_row(self) -> None:
        self.connection.rollback()
        run(self.connection, "UNLOCK TABLES")  # a migration that failed may have left LOCK TABLES
        if self._holder is not None:
            self.table.delete(self._holder.token)
        self.connection.commit()

    def _release_name(self) -> bool:
        return not self.named or self.named_lock.release()


class _Held(Exception):
    """Somebody has the lock (internal: a reason to try again)."""


class _HeldByName(_Held):
    """A living session has it: GET_LOCK has waited for it already."""


class _HeldByRow(_Held):
    """A row that no session of ours stands behind: of an older deployment's program, or of a holder
    without named locks."""
