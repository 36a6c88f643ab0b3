"""The driver: runs a plan's revisions by Alembic on one locked connection, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import sqlalchemy as sa
from alembic.util import CommandError

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, login_of
from ebhook.errors import EbhookError
from ebhook.events import Emit, RevisionDone, RevisionStarted
from ebhook.tenant import Tenant
from ebhook.upgrade.engine_handover import EngineHandover
from ebhook.upgrade.failure import FailureReport
from ebhook.upgrade.interception import ConnectionListener
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project
from ebhook.upgrade.version_guard import VersionGuard


class RevisionListener(ConnectionListener, Protocol):
    """Hears the statements of a run, and where each revision begins and ends."""

    @property
    def connection(self) -> Connection: ...

    @property
    def lost(self) -> bool:
        """Has the server ended the session?"""

    def opened(self, locked: sa.Connection) -> None:
        """env.py's connection is the locked one; no revision has run yet."""

    def before_cursor_execute(
        self, connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        """SQLAlchemy's event: what it knows of the statement that comes by next."""

    def revision(self, revision: Revision, kind: str) -> AbstractContextManager[None]:
        """The block is the revision's own code."""

    def version_moves(self, revision: str, *, is_last: bool) -> None:
        """Called in the transaction that moves the version."""

    def kept_alive(self) -> AbstractContextManager[None]:
        """Around the whole run."""

    def cut_short(self) -> None:
        """No further revision begins, though the plan has more."""


@dataclass
class AlembicRun:
    """Runs `plan` on the connection of `listener`.

    Args:
        deadline: in monotonic seconds; no revision begins that would probably end after it.
        stop: asked before each revision; when true, no further revision begins.
        ran: gets the id of each revision that was begun.
        version: notices that somebody else moves it; None in a dry run.
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
    version: VersionGuard | None = None
    longest: float = field(default=0.0, init=False)  # seconds of the slowest revision so far
    running: str | None = field(default=None, init=False)
    is_last: bool = field(default=False, init=False)  # no other revision follows `running`
    failure: BaseException | None = field(default=None, init=False)  # what ended a revision

    def run(self) -> bool:
        """True: it ended before the plan's last revision, at a signal or near the deadline.

        Raises what went wrong as one of ebhook's errors.
        """
        cut_short: list[bool] = []
        login = login_of(self.listener.connection, self.tenant.url)
        url = replace(login, database=self.tenant.database)
        handover = EngineHandover(
            self.listener.connection,
            self.listener,
            url,
            self.project.rehearsal,
            lambda: self.listener.lost,
        )
        try:
            with self.listener.kept_alive():
                self.project.run(
                    handover,
                    url,
                    target=self.plan.target,
                    steps=lambda heads, _: self._steps(heads, cut_short),
                    on_version_apply=self._on_version_apply,
                    opened=self._opened,
                )
            if self.failure is not None:  # and env.py has caught it
                raise self.failure
        except EbhookError:
            raise
        except (Exception, SystemExit) as error:  # whatever env.py or a migration raises
            moving = self.running is not None and self.failure is None
            problem = self.failures.of(error, self.running, moving=moving)
            if isinstance(error, CommandError) and self.version and self.running:
                problem = self.version.after_failure(self.running) or problem
            raise problem from None
        return bool(cut_short)

    def _opened(self, locked: sa.Connection) -> None:
        sa.event.listen(locked.engine, "before_cursor_execute", self.listener.before_cursor_execute)
        self.listener.opened(locked)

    def _steps(self, heads: Any, cut_short: list[bool]) -> Iterator[Any]:
        """The plan, one revision at a time, ending early when asked to."""
        plan = self.plan.steps(self.project, heads)
        if self.version is not None:
            self.version.expect(heads)
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
            try:
                if self.version is not None:
                    self.version.before(revision.id)
                with self.listener.revision(revision, self.plan.kind):
                    function(*arguments, **named)
            except (Exception, SystemExit) as error:
                self.failure = error
                raise

        return run

    def _on_version_apply(self, *, heads: Collection[str], **_: Any) -> None:
        """Alembic calls this in the transaction that moves the version, to `heads`."""
        if self.version is not None:
            self.version.expect(heads)
        if self.running is not None:
            self.listener.version_moves(self.running, is_last=self.is_last)


def title(doc: str | None) -> str:
    """The first line of a revision's message."""
    return (doc or "").strip().partition("\n")[0]
