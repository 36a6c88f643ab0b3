"""What a migration or env.py raised, as one of ebhook's errors: what happened, the state, the next command."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from pymysql.err import MySQLError

from ebhook.database.connection import (
    Connection,
    errno,
    explain,
    is_read_only,
    login_of,
    original,
    run,
    text_of,
    versions,
)
from ebhook.database.errno import BUSY, DENIED, IN_THE_WAY, LOST, UNREACHED, Errno
from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    EbhookError,
    FailedAt,
    MigrationFailed,
    Stopped,
)
from ebhook.journal.recorder import Recorder
from ebhook.next_command import Command, Next, ebhook, then
from ebhook.sql.statement import is_several
from ebhook.tenant import Tenant
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project
from ebhook.upgrade.second_connection import SecondConnectionRefused

_DELIMITER = re.compile(r"\s*DELIMITER\b", re.I)


class FailedRun(Protocol):
    """What a failed run can still be asked. `last` is the recorder of its last revision."""

    @property
    def connection(self) -> Connection: ...

    @property
    def last(self) -> Recorder | None: ...

    @property
    def failed(self) -> tuple[MySQLError, int] | None:
        """The error of a statement of the revision, and which statement that was."""

    def rollback(self) -> None: ...

    def forget_refused_downgrade(self) -> None: ...


@dataclass(frozen=True)
class FailureReport:
    """Explains why `run` failed; `stop` says whether it was asked to end."""

    project: Project
    tenant: Tenant
    plan: RevisionPlan
    run: FailedRun
    stop: Callable[[], bool]

    def of(self, error: BaseException, running: str | None, *, moving: bool = False) -> EbhookError:
        """`error` as one of ours; `running` is the revision under way, None outside of one.

        `moving`: its code has run, and its version was to be moved.
        """
        name, number = self.tenant.name, errno(error)
        with suppress(MySQLError):
            self.run.rollback()
        with suppress(MySQLError):
            run(self.run.connection, "UNLOCK TABLES")  # the journal may not be among them
        if number in LOST or not self.run.connection.open:
            # A migration may catch the error of the loss, and fail by another that follows from it.
            return ConnectionLost(
                f"{name}: the connection with the lock was lost: {text_of(error)}.", "", ""
            )
        servers = original(error) or error
        if is_read_only(servers) or number in DENIED:
            problem = explain(servers, self.tenant.url, self.tenant.database)
            state, at = self._state(running, text_of(error))
            return type(problem)(problem.what, state, problem.next, self._at(running, error, at))
        if number == Errno.LOCK_DEADLOCK:
            return Deadlocked(f"{name}: {text_of(error)}.", "Its transaction was undone.", "")
        if running is None:
            if number in BUSY | UNREACHED:  # by a connection of its own
                return explain(servers, self.tenant.url, self.tenant.database)
            return self.project.env_failed(error)
        if number == Errno.QUERY_INTERRUPTED and self.stop():
            return Stopped(
                f"{name}: stopped in the middle of revision {running}.",
                "The journal knows how far it is.",
                then("Go on with: ", self._again),
                self._at(running, error),
            )
        where = self.project.where(error)
        state, stands = self._state(running, where)
        place = self._at(running, error, stands)
        if isinstance(error, SecondConnectionRefused):
            return MigrationFailed(
                f"{name}: revision {running} asks the engine for a second connection, and would change "
                f"something there, without the lock: {error} ({self.project.line_of(error)}).",
                state,
                then(
                    "Use op.get_bind(), which has the lock, in place of its engine: op.execute(…), "
                    "sa.inspect(op.get_bind()). Then: ",
                    self._again,
                ),
                place,
            )
        if number == Errno.LOCK_WAIT_TIMEOUT:
            return Stopped(
                f"{name}: revision {running} waited in vain for what somebody else has: "
                f"{text_of(error)}.",
                state,
                then("End the transaction that is in the way, then: ", self._again),
                place,
            )
        return MigrationFailed(
            f"{name}: revision {running} failed{self._place(error, moving)}: {where}.",
            state,
            self._move_advice() if moving else self._advice(running, number, stands),
            place,
        )

    @property
    def _again(self) -> Command:
        """The command that tries it once more."""
        name, target = self.tenant.name, self.plan.target or "base"
        if self.plan.downgrade:
            return ebhook("downgrade", name, words=[target])
        return ebhook("upgrade", name)

    def _at(
        self, revision: str | None, error: BaseException, stands_at: str | None = None
    ) -> FailedAt:
        return FailedAt(revision, self._statement(error), errno(error) or None, stands_at)

    def _statement(self, error: BaseException) -> int | None:
        """Which statement of the revision failed by `error`; None when it is none's."""
        failed = self.run.failed
        return failed[1] if failed is not None and failed[0] is original(error) else None

    def _state(self, running: str | None, why: str) -> tuple[str, str | None]:
        """The version, and how many statements of the failed revision are in, from the database: in
        words, and the version alone (None: it could not be read)."""
        table = self.project.settings.version_table
        try:
            at = ", ".join(versions(self.run.connection, self.tenant.database, table)) or "base"
        except MySQLError:
            return "Where it stands could not be read again.", None
        password = login_of(self.run.connection, self.tenant.url).password
        kept = password.out_of(why) if password is not None else why
        done = 0
        with suppress(MySQLError):  # a server that has turned read-only, say
            if self.run.last is not None:
                done = self.run.last.settle(kept)
                self.run.forget_refused_downgrade()
        more = f" plus {done} statement{'s' if done != 1 else ''} of {running}" if done else ""
        return f"It stands at {at}{more}.", at

    def _place(self, error: BaseException, moving: bool) -> str:
        if moving:
            return " when its version was to be moved"
        statement = self._statement(error)
        if statement is not None:
            return f" at statement {statement}"
        last = self.run.last
        return f" after statement {last.index}" if last is not None and last.index else ""

    @property
    def _text(self) -> str:
        return self.run.last.text if self.run.last is not None else ""

    def _move_advice(self) -> Next:
        table = self.project.settings.version_table
        return then(
            f"Look at {table}: it has a row for each head, and version_num is as long as the longest "
            "revision id. Then: ",
            self._again,
        )

    def _advice(self, running: str, number: int, stands_at: str | None) -> Next:
        name = self.tenant.name
        if number in (Errno.ALTER_NOT_SUPPORTED, Errno.ALTER_NOT_SUPPORTED_REASON):
            return then(
                "It needs a table copy, which blocks writes. To allow that: [ddl] algorithm = "
                '"copy" (EBHOOK_DDL_ALGORITHM), then: ',
                self._again,
            )
        if (
            number == Errno.PARSE_ERROR
            and is_several(self._text)
            and not _DELIMITER.match(self._text)
        ):
            return then(
                "One op.execute is one statement: split it, a call for each. Then: ",
                self._again,
            )
        if number == Errno.TABLE_EXISTS and stands_at == "base":
            return then(
                "Was this database made without migrations? Then adopt it at the revision that it is "
                "like: ",
                ebhook("stamp", name, words=["REVISION"]),
                ". If not, drop or rename what is in the way, and then: ",
                ebhook("upgrade", name),
            )
        if number == Errno.PARSE_ERROR and _DELIMITER.match(self._text):
            return then(
                "DELIMITER is a word of the mysql client: leave it out; a routine, its body and all, is "
                "one op.execute. Then: ",
                self._again,
            )
        if number in IN_THE_WAY:
            return then(
                "If the file is wrong, mend it. If something that another tool made is in the way, "
                "drop or rename that; or, when it is just what this statement makes, say so: ",
                ebhook("resolve", name),
                ". Then: ",
                self._again,
            )
        return then(f"Fix {running}, then: ", self._again)
