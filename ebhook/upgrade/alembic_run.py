"""The driver: runs a plan's revisions by Alembic on one locked connection, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, login_of
from ebhook.errors import ConnectionLost, EbhookError
from ebhook.events import Emit, RevisionDone, RevisionStarted
from ebhook.tenant import Tenant
from ebhook.upgrade.failure import FailureReport
from ebhook.upgrade.interception import ConnectionListener, InterceptedConnection
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project


class RevisionListener(ConnectionListener, Protocol):
    """Hears the statements of a run, and where each revision begins and ends."""

    @property
    def connection(self) -> Connection: ...

    def opened(self, locked: sa.Connection) -> None:
        """SQLAlchemy has opened its connection; env.py has not run yet."""

    def before_cursor_execute(
        self, connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        """SQLAlchemy's event: what it knows of the statement that comes by next."""

    def revision(self, revision: Revision, kind: str) -> AbstractContextManager[None]:
        """The block is the revision's own code."""

    def version_moves(self, revision: str, *, is_last: bool) -> None:
        """Called in the transaction that moves the version."""

    def cut_short(self) -> None:
        """No further revision begins, though the plan has more."""


@dataclass
class AlembicRun:
    """Runs `plan` on the connection of `listener`.

    Args:
        deadline: in monotonic seconds; no revision begins that would probably end after it.
        stop: asked before each revision; when true, no further revision begins.
        ran: gets the id of each revision that was begun.
    """

    project: Project
    tenant: Tenant
    plan: RevisionPlan
    listener: RevisionListener
    failures: FailureReport
    deadline: float
    emit: Emit
    stop: Callable[[], bool]
    ran: list[str] = field(default_factory=list)
    longest: float = field(default=0.0, init=False)  # seconds of the slowest revision so far
    running: str | None = field(default=None, init=False)
    is_last: bool = field(default=False, init=False)  # no other revision follows `running`

    def run(self) -> bool:
        """True: it ended before the plan's last revision, at a signal or near the deadline.

        Raises what went wrong as one of ebhook's errors.
        """
        cut_short: list[bool] = []
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
        sa.event.listen(engine, "before_cursor_execute", self.listener.before_cursor_execute)
        try:
            with engine.connect() as locked:
                self.listener.opened(locked)
                self.project.run(
                    locked,
                    login_of(self.listener.connection, self.tenant.url),
                    target=self.plan.target,
                    steps=lambda heads, _: self._steps(heads, cut_short),
                    on_version_apply=self._on_version_apply,
                )
        except EbhookError:
            raise
        except (Exception, SystemExit) as error:  # whatever env.py or a migration raises
            raise self.failures.of(error, self.running) from None
        return bool(cut_short)

    def _only_connection(self) -> Callable[[], InterceptedConnection]:
        once = iter([InterceptedConnection(self.listener.connection, self.listener)])

        def creator() -> InterceptedConnection:
            try:
                return next(once)
            except StopIteration:
                raise ConnectionLost(
                    f"{self.tenant.name}: the connection with the lock was lost.", "", ""
                ) from None

        return creator

    def _steps(self, heads: Any, cut_short: list[bool]) -> Iterator[Any]:
        """The plan, one revision at a time, ending early when asked to."""
        plan = self.plan.steps(self.project, heads)
        for number, step in enumerate(plan, start=1):
            if self.stop() or self._is_too_late():
                cut_short.append(True)
                self.listener.cut_short()
                return
            id, doc = step.revision.revision, step.revision.doc
            began = time.monotonic()
            self.emit(RevisionStarted(self.tenant.name, id, title(doc), number, len(plan)))
            self.ran.append(id)
            self.running, self.is_last = id, number == len(plan)
            step.migration_fn = self._heard(self.project.chain.revisions[id], step.migration_fn)
            yield step
            self.running = None
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            self.emit(RevisionDone(self.tenant.name, id, took))

    def _is_too_late(self) -> bool:
        """Would another revision, if it takes as long as the slowest yet, end after the deadline?"""
        return time.monotonic() + self.longest >= self.deadline

    def _heard(self, revision: Revision, function: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any, **named: Any) -> None:
            with self.listener.revision(revision, self.plan.kind):
                function(*arguments, **named)

        return run

    def _on_version_apply(self, **_: Any) -> None:
        """Alembic calls this in the transaction that moves the version."""
        if self.running is not None:
            self.listener.version_moves(self.running, is_last=self.is_last)


def title(doc: str | None) -> str:
    """The first line of a revision's message."""
    return (doc or "").strip().partition("\n")[0]
