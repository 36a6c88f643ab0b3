"""One tenant: check, lock, check again, revision by revision, release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ebhook.database.connection import login_of, run, versions
from ebhook.errors import HalfApplied, MigrationFailed, Stopped
from ebhook.events import Emit, PasswordRead
from ebhook.fleet.standing import State, unknown_revision
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import TenantDatabase, open_tenant
from ebhook.journal.never_begun import has_begun
from ebhook.journal.table import Entry, Journal
from ebhook.next_command import ebhook, then
from ebhook.results import PlannedStatement
from ebhook.upgrade.alembic_run import AlembicRun
from ebhook.upgrade.dry_run import DryRunListener
from ebhook.upgrade.failure import FailureReport
from ebhook.upgrade.messages import Order, UpgradeResult
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project
from ebhook.upgrade.statement_listener import StatementListener
from ebhook.upgrade.statement_runner import Runner, patient_sleep
from ebhook.upgrade.version_guard import VersionGuard


def apply(project: Project, order: Order, emit: Emit, stop: Callable[[], bool]) -> UpgradeResult:
    """Brings one tenant to `order.target` and says where it stood and stands.

    Args:
        stop: asked before each revision; when true, no further revision begins.

    Raises:
        LockHeld, Unreachable, Refused, MigrationFailed, RevisionUnknown, ConnectionLost, Stopped,
        InDoubt, RevisionChanged.
    """
    settings = project.settings
    with open_tenant(order.tenant, settings, deadline=order.deadline) as database:
        url = order.tenant.url
        login = login_of(database.connection, url)
        if login.password is not None and login.password != url.password:
            emit(PasswordRead(login.password))
        if order.dry_run:
            run(database.connection, "SET SESSION TRANSACTION READ ONLY")
        return TenantUpgrade(project, order, database, emit, stop).run()


@dataclass
class TenantUpgrade:
    """One tenant's upgrade on one connection."""

    project: Project
    order: Order
    database: TenantDatabase
    emit: Emit
    stop: Callable[[], bool]
    ran: list[str] = field(default_factory=list)  # revisions, from here on

    @property
    def name(self) -> str:
        return self.order.tenant.name

    @property
    def journal(self) -> Journal:
        return self.database.journal

    def run(self) -> UpgradeResult:
        """Where the tenant stood and stands; `apply` says what it raises."""
        before = self.read()
        if self.done(before):
            return UpgradeResult(before, before)
        if not self.knows(before):
            return UpgradeResult(before, before)
        if self.order.dry_run:
            return UpgradeResult(before, before, tuple(self.ran), self.rehearsed())
        with self.database.lock.held(
            self.order.holder, wait=self.order.wait, emit=self.emit, done=self.done_by_another
        ) as taken:
            now = self.read()
            if not taken or self.done(now) or not self.knows(now):
                return UpgradeResult(now, now)  # somebody else did it meanwhile
            cut_short = self.migrate(now)
            after = self.read()
            if not self.at_target(after):
                raise self.stopped(after) if cut_short else self.wrong_version_error(after)
            self.database.lock.last_transaction_committed()
        return UpgradeResult(before, after, tuple(self.ran))

    def rehearsed(self) -> tuple[PlannedStatement, ...]:
        """The statements of a dry run."""
        listener = DryRunListener(self.database.connection)
        self.alembic(RevisionPlan(self.order.target, self.order.downgrade), listener).run()
        return tuple(listener.statements)

    def migrate(self, at: tuple[str, ...]) -> bool:
        """Finishes what an earlier run left half done, then goes to the target. True: cut short."""
        half = self.journal.opened()
        if half is not None and self.is_over(half, at):
            self.journal.write(half.id, {"note": "finished by other means"}, finished=True)
            self.database.connection.commit()
            half = None
        begun = half is not None and has_begun(self.journal, half)
        if half is not None and begun and half.kind == "downgrade":
            parents = half.down_revision.split(",") if half.down_revision else []
            back = RevisionPlan(parents[0] if parents else None, downgrade=True)
            cut_short = self.alembic(back, self.listener(half)).run()
            half = None
            if cut_short or self.done(self.read()):
                return cut_short
        if half is not None and begun and self.order.downgrade:
            raise HalfApplied(
                f"{self.name}: revision {half.revision} is half applied: {half.position} of its "
                "statements are in.",
                "A downgrade would undo what is not there. Nothing was changed.",
                then("Finish it first, then go back: ", ebhook("upgrade", self.name)),
            )
        closing = self.database.lock.delete_row_with_last_transaction
        onward = RevisionPlan(self.order.target, self.order.downgrade)
        return self.alembic(onward, self.listener(half, closing)).run()

    def alembic(
        self, plan: RevisionPlan, listener: StatementListener | DryRunListener
    ) -> AlembicRun:
        order = self.order
        return AlembicRun(
            self.project,
            order.tenant,
            plan,
            listener,
            FailureReport(self.project, order.tenant, plan, listener, self.stop),
            order.deadline,
            self.emit,
            self.stop,
            self.ran,
            None if order.dry_run else self.version_guard(),
        )

    def version_guard(self) -> VersionGuard:
        return VersionGuard(
            self.database.connection,
            self.name,
            self.order.tenant.database,
            self.project.settings.version_table,
        )

    def listener(
        self, half: Entry | None, closing: Callable[[], None] | None = None
    ) -> StatementListener:
        """Records what follows in the journal. `closing` joins the last revision's transaction."""
        connection = self.database.connection
        ddl = self.project.settings.ddl
        runner = Runner(
            connection,
            self.name,
            ddl,
            self.order.deadline,
            self.emit,
            patient_sleep(self.stop),
            self.stop,
        )
        return StatementListener(
            connection,
            self.name,
            self.journal,
            self.order.holder,
            runner,
            half=half,
            lock_is_ours=self.database.lock.is_ours,
            closing=closing,
        )

    def is_over(self, half: Entry, at: tuple[str, ...]) -> bool:
        """Has the version moved past a half-done revision? Another tool, or a person, did the rest."""
        applied = half.revision in self.project.chain.lineage(at)
        return applied if half.kind == "upgrade" else not applied

    def read(self) -> tuple[str, ...]:
        table = self.project.settings.version_table
        return versions(self.database.connection, self.order.tenant.database, table)

    def done(self, at: tuple[str, ...]) -> bool:
        """At the target, and not in the middle of going back from it."""
        if not self.at_target(at):
            return False
        half = self.journal.unfinished()
        undoing = half is not None and half.kind == "downgrade" and not self.is_over(half, at)
        begun = half is not None and undoing and has_begun(self.journal, half)
        self.database.connection.rollback()
        return not begun

    def at_target(self, at: tuple[str, ...]) -> bool:
        target, chain = self.order.target, self.project.chain
        if self.order.downgrade:
            return chain.knows(at) and not chain.undone(at, target)
        return chain.knows(at) and chain.reaches(at, target)

    def done_by_another(self) -> bool:
        """Asked while waiting for the lock: is there anything left to wait for?"""
        at = self.read()
        if self.stop():
            raise self.stopped(at)
        return self.done(at)

    def knows(self, at: tuple[str, ...]) -> bool:
        """False: a newer bundle has brought the tenant past this one's head, which is fine."""
        chain, tenant = self.project.chain, self.order.tenant
        if chain.knows(at):
            return True
        (standing,) = survey([tenant], chain, self.project.settings)
        if standing.state is State.AHEAD:
            return False
        raise standing.error or unknown_revision(tenant, at)

    def stopped(self, at: tuple[str, ...]) -> Stopped:
        why = "stopped" if self.stop() else "the deadline is too near for another revision"
        return Stopped(
            f"{self.name}: {why}.",
            f"It stands at {', '.join(at) or 'base'}.",
            then("Go on with: ", ebhook("upgrade", self.name)),
        )

    def wrong_version_error(self, at: tuple[str, ...]) -> MigrationFailed:
        return MigrationFailed(
            f"{self.name}: every revision ran, but the database says {', '.join(at) or 'base'}.",
            "That is not where they lead.",
            then("Does env.py use another version table or database? See: ", ebhook("config")),
        )
