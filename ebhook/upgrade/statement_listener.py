"""Hears each statement of a run: brings it to the journal, and from there to the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.ddl.base import AddColumn
from pymysql.cursors import Cursor
from pymysql.err import MySQLError

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, errno, patient
from ebhook.database.errno import LOST
from ebhook.errors import EbhookError, MigrationFailed, RevisionChanged
from ebhook.holder import Holder
from ebhook.journal.never_begun import has_begun, set_aside
from ebhook.journal.recorder import Recorder
from ebhook.journal.replies import Reply, given, taken
from ebhook.journal.table import Entry, Journal
from ebhook.next_command import ebhook, then
from ebhook.sql.statement import Kind, kind_of, locking_also, releases_locks
from ebhook.upgrade.keep_alive import KeepAlive
from ebhook.upgrade.statement_runner import Runner


@dataclass
class StatementListener:
    """Every statement, commit and rollback on the locked connection of one tenant goes by here.

    Args:
        tenant: its name, for messages.
        runner: runs a statement under the settings of `[ddl]`.
        half: the revision that an earlier run left half applied.
        lock_is_ours: writes nothing, in the open transaction; False: the session that gets our
            writes does not have the tenant's lock.
        closing: what else goes into the transaction of the last revision's version.
    """

    connection: Connection
    tenant: str
    journal: Journal
    holder: Holder
    runner: Runner
    half: Entry | None = None
    lock_is_ours: Callable[[], bool] | None = None
    closing: Callable[[], None] | None = None
    recorder: Recorder | None = field(default=None, init=False)  # while a revision's own code runs
    last: Recorder | None = field(default=None, init=False)
    adds_column: bool = field(default=False, init=False)  # Alembic's own, which takes an ALGORITHM
    refusal: Exception | None = field(default=None, init=False)  # of ours, in this run
    lost: bool = field(default=False, init=False)  # the server has ended the session
    # The last error of a statement, and which statement of the revision that was.
    failed: tuple[MySQLError, int] | None = field(default=None, init=False)
    opening: set[str] = field(default_factory=set, init=False)  # what prepared the session
    keep_alive: KeepAlive = field(init=False)

    def __post_init__(self) -> None:
        self.keep_alive = KeepAlive(self.connection, self.runner.settings.wait_timeout / 3)

    @property
    def wire(self) -> AbstractContextManager[bool]:
        return self.keep_alive.wire

    def kept_alive(self) -> AbstractContextManager[None]:
        return self.keep_alive.running()

    # Revisions

    def opened(self, locked: sa.Connection) -> None:
        pass

    @contextmanager
    def revision(self, revision: Revision, kind: str) -> Iterator[None]:
        """In the block every statement is recorded as the revision's. Raises `RevisionChanged`."""
        half, self.half = self.half, None
        if half is not None and (half.revision, half.kind) != (revision.id, kind):
            self._set_aside(half, revision.id)
            half = None
        self.recorder = self.last = Recorder(self.journal, revision, kind, self.holder, half)
        try:
            with self.keep_alive.during():
                yield
            self._raise_refusal()  # which the file may have caught
            self.recorder.end_session()
        except BaseException:
            self.recorder.abandon_session()
            raise
        finally:
            self.recorder = None

    def version_moves(self, revision: str, *, is_last: bool) -> None:
        if self.last is None:
            return
        if self.lock_is_ours is not None and not self.lock_is_ours():
            raise MigrationFailed(
                f"{self.tenant}: the lock of this tenant was lost while revision {revision} ran.",
                "Its statements are in; the version was not moved.",
                then(
                    "Take RELEASE_ALL_LOCKS out of what it calls; a proxy that splits reads and "
                    "writes shows in: ",
                    ebhook("doctor"),
                    ". Then: ",
                    ebhook("upgrade", self.tenant),
                ),
            )
        self.last.finish(with_next=not is_last)
        if is_last and self.closing is not None:
            self.closing()

    def cut_short(self) -> None:
        self.journal.end()

    def _set_aside(self, half: Entry, next: str) -> None:
        """A half-applied revision that is not the next one may be forgotten only if nothing is in."""
        if has_begun(self.journal, half):
            raise RevisionChanged(
                f"{self.tenant}: the {half.kind} of revision {half.revision} is half done, and "
                f"the next one in this chain is {next}.",
                f"{half.position} statements of it are in:\n{half.shown}\n  Nothing more was changed.",
                f"Deploy a bundle with {half.revision} next; or undo these by hand, and then: "
                f"DELETE FROM {self.journal.table} WHERE id = {half.id};",
            )
        set_aside(self.journal, half)

    def forget_refused_downgrade(self) -> None:
        """A downgrade whose first statement was refused leaves the tenant where it was: no later run
        goes on with it."""
        entry = self.journal.unfinished()
        if entry is not None and entry.kind == "downgrade" and not has_begun(self.journal, entry):
            set_aside(self.journal, entry)

    # Statements

    def before_cursor_execute(
        self, connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        compiled = getattr(context, "compiled", None)
        self.adds_column = isinstance(getattr(compiled, "statement", None), AddColumn)

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        self._raise_refusal()
        try:
            with self.wire:
                self._statement(cursor, text, query)
        except EbhookError as refusal:
            self.refuse(refusal)
            raise
        except MySQLError as error:
            self.lost = self.lost or errno(error) in LOST
            self.failed = (error, self.recorder.index or 1) if self.recorder is not None else None
            if error is self.runner.gave_up:
                self.refuse(error)
            raise

    def refuse(self, error: Exception) -> None:
        if self.refusal is None:
            self.refusal = error

    def was_told(self, text: str) -> bool:
        return text in self.opening

    def _raise_refusal(self) -> None:
        """After a refusal, or when it gave up on a statement, nothing more of the revision runs."""
        if self.refusal is not None:
            raise self.refusal

    def _statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        adds_column, self.adds_column = self.adds_column, False
        kind, recorder = kind_of(text), self.recorder
        sql = text
        if recorder is not None:
            self._keep_the_lock(recorder, text)
            # The journal is written to while they are locked.
            sql = locking_also(text, self.journal.name.replace("%%", "%")) or text
        else:
            self.journal.end()
            if kind is Kind.SESSION:
                self.opening.add(text)

        def do() -> Reply | None:
            self.runner.run(query, sql, kind, adds_column=adds_column)
            return taken(cursor)

        try:
            answer = recorder.run(kind, text, do) if recorder is not None else do()
        finally:
            if kind in (Kind.SESSION, Kind.OPAQUE):
                self.journal.inspector.forget_server()  # sql_mode may be another
        if recorder is not None and answer is not None:
            given(cursor, answer, query)

    def before_commit(self) -> None:
        self._raise_refusal()
        with self.wire:
            self.journal.end()
            if self.recorder is not None:
                self.recorder.leave()

    def commit(self) -> None:
        self._raise_refusal()
        with self.wire, patient(self.connection):  # a large transaction
            if self.recorder is not None:
                self.recorder.leave()
            self.journal.commit()

    def rollback(self) -> None:
        with self.wire, patient(self.connection):
            self.journal.rollback()
            if self.recorder is not None:
                self.recorder.undone()

    def set_by_driver(self) -> None:
        with self.wire:
            if self.recorder is not None:
                self.recorder.set_by_driver()

    def moved(self) -> None:
        with self.wire:
            if self.recorder is not None:
                self.recorder.moved()

    def _keep_the_lock(self, recorder: Recorder, text: str) -> None:
        if releases_locks(text):
            raise MigrationFailed(
                f"{self.tenant}: revision {recorder.revision.id} would give away the lock of this "
                f"tenant: {' '.join(text.split())[:200]}",
                "That was not run.",
                then(
                    "Name the lock that it may release (not ebhook's); then: ",
                    ebhook("upgrade", self.tenant),
                ),
            )
