"""How a migration's statement runs: the cheap algorithm first, and never a queue behind a lock.

`ebhook.upgrade.interception` brings each one here, with its final text and values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pymysql.err import MySQLError, OperationalError

from ebhook.database.connection import Connection, errno, patient, rows, run, scalar, text_of
from ebhook.database.errno import ABSENT, DENIED, IN_THE_WAY, LOST, READ_ONLY, Errno
from ebhook.database.retry import retrying
from ebhook.events import AlgorithmFallback, Emit, StatementDone, StatementRetried
from ebhook.settings import DdlSettings
from ebhook.sql.masking import masked
from ebhook.sql.statement import Kind, table_of

# From the cheapest to the costliest; "copy" leaves the choice to the server.
ALGORITHMS = {
    "instant": ", ALGORITHM=INSTANT",
    "inplace": ", ALGORITHM=INPLACE, LOCK=NONE",
    "copy": "",
}
LONG = 0.1  # seconds from which on a statement is worth an event
_SAVEPOINT = "ebhook_before"
# An ADD COLUMN that fails like this fails so by any algorithm, and without a clause.
WHATEVER_CLAUSE = (
    LOST
    | IN_THE_WAY
    | DENIED
    | READ_ONLY
    | ABSENT
    | {
        Errno.BAD_FIELD,
        Errno.PARSE_ERROR,
        Errno.QUERY_INTERRUPTED,
        Errno.LOCK_DEADLOCK,
    }
)


def patient_sleep(stop: Callable[[], bool]) -> Callable[[float], None]:
    """Sleeps for some seconds, but not past `stop()`."""

    def sleep(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not stop():
            time.sleep(min(left, 0.2))

    return sleep


@dataclass
class Runner:
    """Runs statements on the locked connection under the settings of `[ddl]`.

    `deadline` is in monotonic seconds: no retry begins after it, nor when `stop()` says so.
    `sleep` waits between two attempts.
    """

    connection: Connection
    tenant: str
    settings: DdlSettings
    deadline: float
    emit: Emit
    sleep: Callable[[float], None] = time.sleep
    stop: Callable[[], bool] = lambda: False
    kind: Kind = field(default=Kind.DATA, init=False)  # of the statement under way
    # The last error that is due to a limit or a clause of ours, not to the statement as it is written.
    gave_up: MySQLError | None = field(default=None, init=False)

    def run(self, query: Callable[[str], Any], sql: str, kind: Kind, *, adds_column: bool) -> None:
        """Runs `sql` by `query`, which is given the final text.

        Args:
            adds_column: the statement is Alembic's own ADD COLUMN, which takes an ALGORITHM clause.
        """
        self.kind = kind
        began = time.monotonic()
        self._run(query, sql, adds_column=adds_column)
        seconds = time.monotonic() - began
        if seconds >= LONG:
            self.emit(StatementDone(self.tenant, masked(sql), seconds))

    def _run(self, query: Callable[[str], Any], sql: str, *, adds_column: bool) -> None:
        if not adds_column:
            self._patiently(query, sql)
            return
        for algorithm, variant in self._variants(sql):
            try:
                self._patiently(query, variant)
                return
            except MySQLError as error:
                if variant == sql or self.gave_up is error or errno(error) in WHATEVER_CLAUSE:
                    raise
                if algorithm == self.settings.algorithm:  # the settings allow no other
                    self.gave_up = error
                    raise
                self.emit(AlgorithmFallback(self.tenant, masked(sql), algorithm, text_of(error)))

    def _variants(self, sql: str) -> Iterator[tuple[str, str]]:
        for name, clause in ALGORITHMS.items():
            yield name, sql + clause
            if name == self.settings.algorithm:
                return

    def _patiently(self, query: Callable[[str], Any], sql: str) -> None:
        """Tries again while somebody else has the table; a deadlocked DML is the caller's matter.

        A deadlock (1213) undoes the whole transaction, so only DDL, which is alone in its own,
        is tried again after one. A lock wait time-out (1205) undoes the one statement, unless
        innodb_rollback_on_timeout makes it as bad as a deadlock. Of a CALL it undoes the last
        statement alone: those before it are taken back by a savepoint.
        """

        def attempt() -> None:
            if self.kind is Kind.OPAQUE:
                run(self.connection, f"SAVEPOINT {_SAVEPOINT}")
            try:
                with patient(self.connection):
                    query(sql)
            except MySQLError as error:
                if errno(error) == Errno.LOCK_WAIT_TIMEOUT:  # the limit is ours
                    self.gave_up = error
                if not self._may_pass(error) or self.stop():
                    raise
                raise _Busy(error) from error

        try:
            return attempt()
        except _Busy as busy:
            failures = [busy]

        def again() -> None:
            if failures:  # the one that has been seen counts as the first
                raise failures.pop()
            attempt()

        def announce(state: Any) -> None:
            reason = text_of(state.outcome.exception().error)
            self.emit(StatementRetried(self.tenant, masked(sql), reason, self._blocker(sql)))

        retry = retrying(
            on=_Busy,
            attempts=60,
            deadline=self.deadline,
            first=0.5,
            longest=min(10.0, self.settings.wait_timeout / 2),  # the server ends an idle session
            before_sleep=announce,
            sleep=self.sleep,
        )
        try:
            retry(again)
        except _Busy as busy:
            self.gave_up = busy.error
            raise busy.error from None

    def _may_pass(self, error: MySQLError) -> bool:
        """Has it done nothing, and may it do so later? Raises a deadlock for what undid them all."""
        alone = self.kind is Kind.DEFINITION
        if errno(error) == Errno.LOCK_DEADLOCK:
            return alone
        if errno(error) != Errno.LOCK_WAIT_TIMEOUT:
            return False
        if not alone and scalar(self.connection, "SELECT @@innodb_rollback_on_timeout"):
            words = f"{error.args[1]} (innodb_rollback_on_timeout)"
            self.gave_up = OperationalError(int(Errno.LOCK_DEADLOCK), words)
            raise self.gave_up from None  # its number counts
        if self.kind is not Kind.OPAQUE:
            return True
        try:
            run(self.connection, f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        except MySQLError:  # it has committed what it had done by then
            return False
        return True

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
