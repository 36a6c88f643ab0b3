"""Alembic at work on one locked connection, in one direction: every statement goes by here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.ddl.base import AddColumn
from alembic.runtime.migration import MigrationStep
from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, explain, login_of, run, text_of
from ebhook.database.errno import BUSY, DENIED, IN_THE_WAY, LOST, READ_ONLY, UNREACHED, Errno
from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    EbhookError,
    MigrationFailed,
    RevisionChanged,
    Stopped,
)
from ebhook.events import Emit, RevisionDone, RevisionStarted
from ebhook.holder import Holder
from ebhook.journal.in_doubt import Verdict
from ebhook.journal.recorder import Recorder
from ebhook.journal.replies import Reply, given, taken
from ebhook.journal.table import Entry, Journal
from ebhook.sql.statement import Kind, is_several, kind_of, locking_also, releases_locks
from ebhook.tenant import Tenant
from ebhook.upgrade.interception import InterceptedConnection
from ebhook.upgrade.project import Project
from ebhook.upgrade.statement_runner import Runner


@dataclass
class Migration:
    """Runs the revisions between where a tenant stands and `target`.

    `half` is the revision that an earlier run left half applied; `journal` is None in a dry run,
    which records what it would run in `statements` and runs only what reads.
    """

    project: Project
    tenant: Tenant
    connection: Connection
    holder: Holder
    target: str | None
    downgrade: bool
    deadline: float
    emit: Emit
    stop: Callable[[], bool]
    journal: Journal | None
    half: Entry | None = None
    closing: Callable[[], None] | None = None  # what else goes into the last transaction
    longest: float = 0.0  # seconds of the slowest revision so far
    running: str | None = None  # the revision under way
    recorder: Recorder | None = None  # while a revision's own code runs
    last: Recorder | None = None
    ends: bool = False  # and no other one follows it
    cut_short: bool = False  # no further revision was begun: a signal, or the deadline
    ran: list[str] = field(default_factory=list)  # the revisions that were begun
    statements: list[str] = field(default_factory=list)
    guard: Callable[[], bool] | None = None  # is the lock still ours?
    adds_column: bool = False  # Alembic's own ADD COLUMN, which takes an ALGORITHM clause
    returning: int = 0  # columns of the rows that the statement returns

    def run(self) -> None:
        """Raises what went wrong as one of ebhook's errors."""
        # One connection, given out once: SQLAlchemy would re-connect silently after a loss, and
        # share this one with a migration that asks the engine for another.
        engine = sa.create_engine(
            "mysql+pymysql://",
            creator=self._only_connection(),
            poolclass=sa.pool.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=0,
        )
        sa.event.listen(engine, "before_cursor_execute", self._before_cursor_execute)
        try:
            with engine.connect() as locked:
                self.statements.clear()  # of a dry run: SQLAlchemy's own, for the connection
                if self.journal is None:
                    locked.dialect.supports_sane_rowcount = False
                self.project.run(
                    locked,
                    login_of(self.connection, self.tenant.url),
                    target=self.target,
                    steps=self._steps,
                    on_version_apply=self._on_version_apply,
                )
        except EbhookError:
            raise
        except (Exception, SystemExit) as error:  # whatever env.py or a migration raises
            raise self._failure(error) from None

    def too_late(self) -> bool:
        """Would another revision, if it takes as long as the slowest yet, end after the deadline?"""
        return time.monotonic() + self.longest >= self.deadline

    def _only_connection(self) -> Callable[[], InterceptedConnection]:
        once = iter([InterceptedConnection(self.connection, self)])

        def creator() -> InterceptedConnection:
            try:
                return next(once)
            except StopIteration:
                raise ConnectionLost(
                    f"{self.tenant.name}: the connection with the lock was lost.", "", ""
                ) from None

        return creator

    # Revisions

    def _steps(self, heads: Any, context: Any) -> Iterator[Any]:
        """The plan, one revision at a time, ending early when asked to."""
        script = self.project.script
        if self.downgrade:
            plan = script._downgrade_revs(self.target or "base", heads)
        else:  # as Alembic's own, which looks at the whole chain for it
            plan = [
                MigrationStep.upgrade_from_script(
                    script.revision_map, script.get_revision(revision.id)
                )
                for revision in self.project.chain.missing(heads, self.target)
            ]
        for number, step in enumerate(plan, start=1):
            self.cut_short = self.stop() or self.too_late()
            if self.cut_short:
                if self.journal is not None:
                    self.journal.end()
                return
            revision = step.revision
            began = time.monotonic()
            self.emit(
                RevisionStarted(
                    self.tenant.name, revision.revision, title(revision.doc), number, len(plan)
                )
            )
            self.ran.append(revision.revision)
            self.running, self.ends = revision.revision, number == len(plan)
            if self.journal is not None:
                step.migration_fn = self._recorded(revision.revision, step.migration_fn)
            yield step
            self.running = None
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            self.emit(RevisionDone(self.tenant.name, revision.revision, took))

    def _recorded(self, id: str, function: Callable[..., None]) -> Callable[..., None]:
        """The revision's own function, with every statement of it in the journal."""
        journal = self.journal
        assert journal is not None
        kind = "downgrade" if self.downgrade else "upgrade"
        half, self.half = self.half, None
        if half is not None and (half.revision, half.kind) != (id, kind):
            self._set_aside(journal, half, id)
            half = None

        def run(*arguments: Any, **named: Any) -> None:
            revision = self.project.chain.revisions[id]
            self.recorder = self.last = Recorder(journal, revision, kind, self.holder, half)
            try:
                function(*arguments, **named)
                if self.recorder.session.database != journal.database:  # USE: the version is here
                    self.connection.select_db(journal.database)
            finally:
                self.recorder = None

        return run

    def _set_aside(self, journal: Journal, half: Entry, next: str) -> None:
        """A half-applied revision that is not the next one may be forgotten only if nothing is in."""
        begun = half.position > 0 or (
            half.pending is not None and journal.witness.verdict(half.pending) is not Verdict.NOT
        )
        if begun:
            raise RevisionChanged(
                f"{self.tenant.name}: the {half.kind} of revision {half.revision} is half done, and "
                f"the next one in this chain is {next}.",
                f"{half.position} statements of it are in:\n{half.shown}\n  Nothing more was changed.",
                f"Deploy a bundle with {half.revision} next; or undo these by hand, and then: "
                f"DELETE FROM {journal.table} WHERE id = {half.id};",
            )
        journal.write(half.id, {"note": "nothing of it was in; set aside"}, finished=True)
        self.connection.commit()  # whatever the next revision rolls back

    def _on_version_apply(self, **_: Any) -> None:
        """Alembic calls this in the transaction that moves the version."""
        if self.last is None:
            return
        if self.last.opaque and self.guard is not None and not self.guard():
            raise MigrationFailed(
                f"{self.tenant.name}: revision {self.running} gave away the lock of this tenant.",
                "Its statements are in; the version was not moved.",
                f"Take RELEASE_ALL_LOCKS out of it; then: ebhook upgrade {self.tenant.name}",
            )
        self.last.finish(with_next=not self.ends)
        if self.ends and self.closing is not None:
            self.closing()

    # Statements: what `InterceptedConnection` hears

    def _before_cursor_execute(
        self, connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        """SQLAlchemy's event: what it knows of the statement that comes by next."""
        compiled = getattr(context, "compiled", None)
        self.adds_column = isinstance(getattr(compiled, "statement", None), AddColumn)
        self.returning = len(getattr(compiled, "effective_returning", None) or ())

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        adds_column, self.adds_column = self.adds_column, False
        returning, self.returning = self.returning, 0
        kind = kind_of(text)
        if self.journal is None:
            if kind is not Kind.READ:
                self.statements.append(text)
            query(text if kind is Kind.READ else _nothing(returning))
            return
        sql = text
        if self.recorder is not None:
            self._keep_the_lock(text)
            # The journal is written to while they are locked.
            sql = locking_also(text, self.journal.name.replace("%%", "%")) or text
        else:
            self.journal.end()
        runner = Runner(
            self.connection,
            self.tenant.name,
            self.project.settings.ddl,
            self.deadline,
            self.emit,
            self._pause,
            self.stop,
        )

        def do() -> Reply | None:
            runner.run(query, sql, kind, adds_column=adds_column)
            return taken(cursor)

        try:
            answer = self.recorder.run(kind, text, do) if self.recorder is not None else do()
        finally:
            if kind in (Kind.SESSION, Kind.OPAQUE):
                self.journal.witness.forget_the_server()  # sql_mode may be another
        if self.recorder is not None and answer is not None:
            given(cursor, answer, query)

    def before_commit(self) -> None:
        if self.journal is not None:
            self.journal.end()
        if self.recorder is not None:
            self.recorder.leave()

    def commit(self) -> None:
        if self.recorder is not None:
            self.recorder.leave()
        (self.journal or self.connection).commit()

    def rollback(self) -> None:
        (self.journal or self.connection).rollback()
        if self.recorder is not None:
            self.recorder.undone()

    def moved(self) -> None:
        if self.recorder is not None:
            self.recorder.moved()

    def _keep_the_lock(self, text: str) -> None:
        if releases_locks(text):
            raise MigrationFailed(
                f"{self.tenant.name}: revision {self.running} would give away the lock of this "
                f"tenant: {' '.join(text.split())[:200]}",
                "That was not run.",
                "Name the lock that it may release (not ebhook's); then: "
                f"ebhook upgrade {self.tenant.name}",
            )

    def _pause(self, seconds: float) -> None:
        """Sleeps, but not past a signal."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.stop():
            time.sleep(min(left, 0.2))

    # Failures

    def _failure(self, error: BaseException) -> EbhookError:
        """What a migration or env.py raised, as one of ours."""
        name, number = self.tenant.name, errno(error)
        with suppress(MySQLError):
            self.rollback()
        with suppress(MySQLError):
            run(self.connection, "UNLOCK TABLES")  # the journal may not be among them
        if number in LOST or not self.connection.open:
            # A migration may catch the error of the loss, and fail by another that follows from it.
            return ConnectionLost(
                f"{name}: the connection with the lock was lost: {text_of(error)}.", "", ""
            )
        if number in (READ_ONLY | DENIED):
            original = getattr(error, "orig", None) or error
            problem = explain(original, self.tenant.url, self.tenant.database)
            return type(problem)(problem.what, self._state(text_of(error)), problem.next)
        if number == Errno.LOCK_DEADLOCK:
            return Deadlocked(f"{name}: {text_of(error)}.", "Its transaction was undone.", "")
        if self.running is None:
            if number in BUSY | UNREACHED:  # by a connection of its own
                original = getattr(error, "orig", None) or error
                return explain(original, self.tenant.url, self.tenant.database)
            return self.project.env_failed(error)
        if number == Errno.QUERY_INTERRUPTED and self.stop():
            return Stopped(
                f"{name}: stopped in the middle of revision {self.running}.",
                "The journal knows how far it is.",
                f"Go on with: ebhook upgrade {name}",
            )
        where = self.project.where(error)
        if isinstance(error, sa.exc.TimeoutError):
            where = f"it asks the engine for a second connection, which has no lock ({where})"
        state = self._state(where)
        if number == Errno.LOCK_WAIT_TIMEOUT:
            return Stopped(
                f"{name}: revision {self.running} waited in vain for what somebody else has: "
                f"{text_of(error)}.",
                state,
                f"End the transaction that is in the way, then: ebhook upgrade {name}",
            )
        return MigrationFailed(
            f"{name}: revision {self.running} failed{self._place()}: {where}.",
            state,
            self._advice(number),
        )

    def _state(self, why: str) -> str:
        """The version, and how many statements of the failed revision are in, from the database."""
        from ebhook.database.connection import versions

        table = self.project.settings.version_table
        try:
            at = ", ".join(versions(self.connection, self.tenant.database, table)) or "base"
        except MySQLError:
            return "Where it stands could not be read again."
        password = login_of(self.connection, self.tenant.url).password
        kept = password.out_of(why) if password is not None else why
        done = 0
        with suppress(MySQLError):  # a server that has turned read-only, say
            done = self.last.settle(kept) if self.last is not None else 0
        more = f" plus {count(done, 'statement')} of {self.running}" if done else ""
        return f"It stands at {at}{more}."

    def _place(self) -> str:
        return f" at statement {self.last.index or 1}" if self.last is not None else ""

    def _advice(self, number: int) -> str:
        name = self.tenant.name
        if number in (Errno.ALTER_NOT_SUPPORTED, Errno.ALTER_NOT_SUPPORTED_REASON):
            return (
                "It needs a table copy, which blocks writes. To allow that: [ddl] algorithm = "
                f'"copy" (EBHOOK_DDL_ALGORITHM), then: ebhook upgrade {name}'
            )
        if number == Errno.PARSE_ERROR and self.last is not None and is_several(self.last.text):
            return (
                "One op.execute is one statement: split it, a call for each. "
                f"Then: ebhook upgrade {name}"
            )
        if number in IN_THE_WAY:
            return (
                "If the file is wrong, mend it. If something that another tool made is in the way, "
                "drop or rename that; or, when it is just what this statement makes: "
                f"ebhook resolve {name} --applied. Then: ebhook upgrade {name}"
            )
        return f"Fix {self.running}, then: ebhook upgrade {name}"


def _nothing(returning: int) -> str:
    """What is run in place of a statement that is not to run; `returning`: columns of its rows."""
    return f"SELECT {', '.join(['NULL'] * returning)}" if returning else "DO 0"


def title(doc: str | None) -> str:
    """The first line of a revision's message."""
    return (doc or "").strip().partition("\n")[0]


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
