"""How a migration's statement runs: the cheap algorithm first, and never a queue behind a lock.

Hooked into SQLAlchemy's ``do_execute``, the last step before the driver: whatever a migration does
through Alembic's connection comes by here, with its final text and bound values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pymysql.err import MySQLError, OperationalError

from ebhook.database import Connection, Errno, errno, rows, scalar, text_of
from ebhook.events import AlgorithmFallback, Emit, StatementRetried
from ebhook.retry import retrying
from ebhook.settings import Ddl
from ebhook.sql import table_of

# From the cheapest to the costliest; "copy" leaves the choice to the server.
ALGORITHMS = {
    "instant": ", ALGORITHM=INSTANT",
    "inplace": ", ALGORITHM=INPLACE, LOCK=NONE",
    "copy": "",
}
NOT_THIS_WAY = {
    Errno.ALTER_NOT_SUPPORTED,
    Errno.ALTER_NOT_SUPPORTED_REASON,
    Errno.INSTANT_NOT_POSSIBLE,
}


@dataclass
class Runner:
    """Runs statements on the locked connection under the settings of `[ddl]`.

    `deadline` is in monotonic seconds: no retry begins after it, nor when `stop()` says so.
    """

    connection: Connection
    tenant: str
    settings: Ddl
    deadline: float
    emit: Emit
    sleep: Callable[[float], None] = time.sleep
    stop: Callable[[], bool] = lambda: False
    alone: bool = False

    def run(
        self, execute: Callable[[str], Any], sql: str, *, adds_column: bool, alone: bool
    ) -> None:
        """Runs `sql` by `execute`, which is given the final text.

        Args:
            adds_column: the statement is Alembic's own ADD COLUMN, which takes an ALGORITHM clause.
            alone: it is in no transaction with others (DDL): a deadlock undoes nothing else.
        """
        self.alone = alone
        if not adds_column:
            self._patiently(execute, sql)
            return
        variants = list(self._variants(sql))
        for number, (algorithm, variant) in enumerate(variants, start=1):
            try:
                self._patiently(execute, variant)
                return
            except MySQLError as error:
                if errno(error) not in NOT_THIS_WAY or number == len(variants):
                    raise
                self.emit(AlgorithmFallback(self.tenant, sql, algorithm, text_of(error)))

    def _variants(self, sql: str) -> Iterator[tuple[str, str]]:
        for name, clause in ALGORITHMS.items():
            yield name, sql + clause
            if name == self.settings.algorithm:
                return

    def _patiently(self, execute: Callable[[str], Any], sql: str) -> None:
        """Tries again while somebody else has the table; a deadlocked DML is the caller's matter.

        A deadlock (1213) undoes the whole transaction, so only DDL, which is alone in its own,
        is tried again after one. A lock wait time-out (1205) undoes the one statement, unless
        innodb_rollback_on_timeout makes it as bad as a deadlock.
        """

        def attempt() -> None:
            try:
                execute(sql)
            except MySQLError as error:
                number = errno(error)
                passing = number == Errno.LOCK_WAIT_TIMEOUT or (
                    number == Errno.LOCK_DEADLOCK and self.alone
                )
                if passing and not self.alone and self._undoes_all():
                    words = f"{error.args[1]} (innodb_rollback_on_timeout)"
                    raise OperationalError(int(Errno.LOCK_DEADLOCK), words) from error
                if passing and not self.stop():
                    raise _Busy(error) from error
                raise

        def announce(state: Any) -> None:
            reason = text_of(state.outcome.exception().error)
            self.emit(StatementRetried(self.tenant, sql, reason, self._blocker(sql)))

        retry = retrying(
            on=_Busy,
            attempts=60,
            deadline=self.deadline,
            first=0.5,
            longest=10.0,
            before_sleep=announce,
            sleep=self.sleep,
        )
        try:
            retry(attempt)
        except _Busy as busy:
            raise busy.error from None

    def _undoes_all(self) -> bool:
        return bool(scalar(self.connection, "SELECT @@innodb_rollback_on_timeout"))

    def _blocker(self, sql: str) -> str | None:
        """The session that has the table, where the server tells (performance_schema)."""
        table = table_of(sql)
        if table is None:
            return None
        try:
            found = rows(
                self.connection,
                "SELECT t.processlist_id, t.processlist_user, t.processlist_host, "
                "t.processlist_time, t.processlist_command "
                "FROM performance_schema.metadata_locks AS l "
                "JOIN performance_schema.threads AS t ON t.thread_id = l.owner_thread_id "
                "WHERE l.object_type = 'TABLE' AND l.object_schema = DATABASE() "
                "AND l.object_name = %s AND l.lock_status = 'GRANTED' "
                "AND t.processlist_id <> CONNECTION_ID() "
                "ORDER BY t.processlist_time DESC LIMIT 1",
                table,
            )
        except MySQLError:
            return None  # MariaDB has no such table, or this user may not read it
        if not found:
            return None
        id, user, host, seconds, command = found[0]
        return f"connection {id} ({user}@{host}, {command} for {seconds} s)"


class _Busy(Exception):
    """Internal: the server's refusal `error` may pass by itself."""

    def __init__(self, error: MySQLError) -> None:
        super().__init__(str(error))
        self.error = error
