"""What an operator may do with a lock: delete somebody's row, end their session, freeze the tenant."""

from __future__ import annotations

import time

from pymysql.err import MySQLError

from ebhook.database.connection import errno, run
from ebhook.database.errno import Errno
from ebhook.errors import LockHeld
from ebhook.events import Emit
from ebhook.holder import Holder
from ebhook.lock.lock import TenantLock
from ebhook.lock.row import LockRow
from ebhook.next_command import Again, ebhook, then


def clear(lock: TenantLock, row: LockRow) -> bool:
    """Deletes exactly `row`, whose holder is gone; False when it was gone already.

    A newer lock that took its place meanwhile stays.

    Raises:
        LockHeld: its holder is alive, or the row is in somebody's open transaction.
    """
    if lock.named and not lock.named_lock.acquire(0):
        raise LockHeld(
            f"{lock.tenant}: {lock.read() or row} is alive.",
            "Its lock was left as it is.",
            then("Wait, or end its session: ", ebhook("lock clear", lock.tenant, words=["--kill"])),
        )
    try:
        if not row.has_row:
            return True
        run(
            lock.connection,
            "SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2, sql_safe_updates = 0",
        )
        gone = lock.table.delete_row(row, lock.named_lock.name if lock.named else None)
        if not gone and lock.read() == row:
            raise lock.split("Its lock was left as it is.")
        return gone
    except MySQLError as error:
        if errno(error) != Errno.LOCK_WAIT_TIMEOUT:
            raise
        raise LockHeld(
            f"{lock.tenant}: somebody has the row of {row} in an open transaction.",
            "It was left as it is.",
            then("End that transaction, then: ", ebhook("lock clear", lock.tenant)),
        ) from None
    finally:
        if lock.named:
            lock.named_lock.release()


def kill_holder(lock: TenantLock, row: LockRow, *, until: float) -> None:
    """Ends the session that owns the named lock, if it is still `row`'s.

    Args:
        until: monotonic seconds; how long to wait for that session's end.
    """
    owner = lock.named_lock.owner()
    if owner is None or (row.connection_id is not None and owner != row.connection_id):
        return
    lock.named_lock.kill_owner(owner, seconds=max(0.0, until - time.monotonic()))


def freeze(lock: TenantLock, holder: Holder, words: str, *, wait: float, emit: Emit) -> None:
    """Keeps every instance away until `clear`. When it returns, nobody is at work in the tenant.

    Args:
        words: who and why, for everybody who meets the freeze.
        wait: seconds to wait for a living holder.
        emit: told of waiting.

    Raises:
        LockHeld: somebody was at work for longer than `wait`.
        TenantFrozen: it is frozen already.
    """
    with lock.held(holder, wait=wait, emit=emit, done=lambda: False):
        if not lock.freeze(words[:190]):
            raise LockHeld(
                f"{lock.tenant}: somebody deleted the row of the lock meanwhile.",
                "It is not frozen.",
                then("Try again: ", Again()),
            )
