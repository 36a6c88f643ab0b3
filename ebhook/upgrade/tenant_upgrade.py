"""One tenant: check, lock, check again, revision by revision, release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pymysql.err import MySQLError

from ebhook.database.connection import (
    Connection,
    connect_patiently,
    explain,
    login_of,
    run,
    versions,
)
from ebhook.errors import HalfApplied, MigrationFailed, Stopped
from ebhook.events import Emit, PasswordRead
from ebhook.fleet.standing import State, unknown_revision
from ebhook.fleet.survey import survey
from ebhook.journal.table import Entry, Journal
from ebhook.lock.lock import TenantLock
from ebhook.settings import Settings
from ebhook.upgrade.alembic_run import Migration
from ebhook.upgrade.messages import Order, UpgradeResult
from ebhook.upgrade.project import Project


def apply(project: Project, order: Order, emit: Emit, stop: Callable[[], bool]) -> UpgradeResult:
    """Brings one tenant to `order.target` and says where it stood and stands.

    Args:
        stop: asked before each revision; when true, no further revision begins.

    Raises:
        LockHeld, Unreachable, Refused, MigrationFailed, RevisionUnknown, ConnectionLost, Stopped,
        InDoubt, RevisionChanged.
    """
    tenant = order.tenant
    connection = connect_patiently(
        tenant.url,
        database=tenant.database,
        timeout=project.settings.connect_timeout,
        deadline=order.deadline,
    )
    login = login_of(connection, tenant.url)
    if login.password is not None and login.password != tenant.url.password:
        emit(PasswordRead(login.password))
    try:
        _prepare(connection, project.settings, read_only=order.dry_run)
        return TenantUpgrade(project, order, connection, emit, stop).bring()
    except MySQLError as error:
        raise explain(error, tenant.url, tenant.database) from None
    finally:
        connection.close()


def _prepare(connection: Connection, settings: Settings, *, read_only: bool) -> None:
    """The session's limits: a waiting ALTER must not queue the application behind it for long, and
    a session behind a cut network must not keep its lock for eight hours."""
    seconds = settings.ddl.lock_wait_timeout
    run(
        connection,
        "SET SESSION lock_wait_timeout = %s, innodb_lock_wait_timeout = %s, wait_timeout = %s",
        seconds,
        seconds,
        settings.ddl.wait_timeout,
    )
    if read_only:
        run(connection, "SET SESSION TRANSACTION READ ONLY")


@dataclass
class TenantUpgrade:
    """One tenant's upgrade on one connection."""

    project: Project
    order: Order
    connection: Connection
    emit: Emit
    stop: Callable[[], bool]
    journal: Journal = field(init=False)
    ran: list[str] = field(default_factory=list)  # revisions, from here on

    def __post_init__(self) -> None:
        self.name = self.order.tenant.name
        self.journal = Journal(
            self.connection,
            self.name,
            self.order.tenant.database,
            self.project.settings.journal.table,
        )

    def bring(self) -> UpgradeResult:
        before, settings = self.read(), self.project.settings
        if self.done(before):
            return UpgradeResult(before, before)
        if not self.knows(before):
            return UpgradeResult(before, before)
        if self.order.dry_run:
            dry = self.migration(self.order.target, self.order.downgrade, journal=None)
            dry.run()
            return UpgradeResult(before, before, tuple(self.ran), tuple(dry.statements))
        lock = TenantLock(
            self.connection, self.name, settings.lock.table, named=settings.lock.named
        )
        wait = self.order.wait
        with lock.held(
            self.order.holder, wait=wait, emit=self.emit, done=self.done_by_another
        ) as taken:
            now = self.read()
            if not taken or self.done(now) or not self.knows(now):
                return UpgradeResult(now, now)  # somebody else did it meanwhile
            cut_short = self.migrate(now, lock)
            after = self.read()
            if not self.there(after):
                raise self.stopped(after) if cut_short else self.elsewhere(after)
            lock.last_transaction_committed()
        return UpgradeResult(before, after, tuple(self.ran))

    def migrate(self, at: tuple[str, ...], lock: TenantLock) -> bool:
        """Finishes what an earlier run left half done, then goes to the target. True: cut short."""
        half = self.journal.opened()
        if half is not None and self.is_over(half, at):
            self.journal.write(half.id, {"note": "finished by other means"}, finished=True)
            self.connection.commit()
            half = None
        if half is not None and half.kind == "downgrade":
            parents = half.down_revision.split(",") if half.down_revision else []
            back = self.migration(parents[0] if parents else None, True, journal=self.journal)
            back.half, back.guard = half, lock.is_ours
            back.run()
            half = None
            if back.cut_short or self.done(self.read()):
                return back.cut_short
        if half is not None and self.order.downgrade:
            raise HalfApplied(
                f"{self.name}: revision {half.revision} is half applied: {half.position} of its "
                "statements are in.",
                "A downgrade would undo what is not there. Nothing was changed.",
                f"Finish it first (ebhook upgrade {self.name}), then go back.",
            )
        onward = self.migration(self.order.target, self.order.downgrade, journal=self.journal)
        onward.half = half
        onward.closing = lock.delete_row_with_last_transaction
        onward.guard = lock.is_ours
        onward.run()
        return onward.cut_short

    def migration(
        self, target: str | None, downgrade: bool, *, journal: Journal | None
    ) -> Migration:
        return Migration(
            self.project,
            self.order.tenant,
            self.connection,
            self.order.holder,
            target,
            downgrade,
            self.order.deadline,
            self.emit,
            self.stop,
            journal,
            ran=self.ran,
        )

    def is_over(self, half: Entry, at: tuple[str, ...]) -> bool:
        """Has the version moved past a half-done revision? Another tool, or a person, did the rest."""
        applied = half.revision in self.project.chain.lineage(at)
        return applied if half.kind == "upgrade" else not applied

    def read(self) -> tuple[str, ...]:
        table = self.project.settings.version_table
        return versions(self.connection, self.order.tenant.database, table)

    def done(self, at: tuple[str, ...]) -> bool:
        """At the target, and not in the middle of going back from it."""
        if not self.there(at):
            return False
        half = self.journal.unfinished()
        self.connection.rollback()
        return half is None or half.kind != "downgrade" or self.is_over(half, at)

    def there(self, at: tuple[str, ...]) -> bool:
        target, chain = self.order.target, self.project.chain
        if self.order.downgrade:
            return at == ((target,) if target else ())
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
            f"Go on with: ebhook upgrade {self.name}",
        )

    def elsewhere(self, at: tuple[str, ...]) -> MigrationFailed:
        return MigrationFailed(
            f"{self.name}: every revision ran, but the database says {', '.join(at) or 'base'}.",
            "That is not where they lead.",
            "Does env.py use another version table or database? See: ebhook config",
        )
