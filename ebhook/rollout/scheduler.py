"""The rollout: a set of tenants brought to a revision, in waves, by several workers, in time.

The canary wave goes first, always the same tenants; if it is not proven, nothing else is touched.
Then the rest, from a place of our own in the list, so that instances that boot together share the
work. A tenant that somebody else holds is put back and looked at again; whoever finds it at head is
done with it.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for
from typing import Any

from pymysql.err import MySQLError

from ebhook.chain.graph import Chain
from ebhook.concurrency import Interruption
from ebhook.database.connection import connect, run
from ebhook.errors import (
    ConnectionLost,
    Deadlocked,
    EbhookError,
    LockHeld,
    MigrationFailed,
    Skipped,
    StateUnknown,
    Unreachable,
)
from ebhook.events import (
    Emit,
    LockTaken,
    Outcome,
    PutBack,
    Stopping,
    TenantDone,
    UpgradeStarted,
    WaveStarted,
)
from ebhook.fleet.standing import Standing, State
from ebhook.fleet.survey import survey
from ebhook.holder import Holder
from ebhook.results import PlannedStatement, Result, outcome_of
from ebhook.rollout.messages import Finished
from ebhook.rollout.worker_pool import Worker, WorkerPool
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.messages import Order

GRACE = 20.0  # seconds that a running statement may still take after a signal
ROTATION = 5.0  # seconds to wait for one held tenant while others are held, too
AGAIN = 2.0  # seconds between two attempts to end what runs
FRESH = 0.5  # seconds, at least, for which a look at the waiting is as good as a new one
LOSSES = 3  # how often one tenant's connection or worker may be lost


@dataclass(frozen=True)
class Plan:
    """What a rollout is for. `target` None is the base; `deadline` is in monotonic seconds."""

    target: str | None
    deadline: float
    downgrade: bool = False
    dry_run: bool = False
    canary: tuple[str, ...] = ()


def canary_of(settings: Settings, tenants: Sequence[Tenant], *, chosen: bool) -> tuple[str, ...]:
    """The tenants of the first wave: as configured, else the first one of a whole fleet.

    Args:
        chosen: the tenants were named by hand; then only a configured canary among them counts.
    """
    names = [tenant.name for tenant in tenants]
    if settings.rollout.canary is not None:
        return tuple(name for name in settings.rollout.canary if name in names)
    return () if chosen or len(names) < 2 else (names[0],)


def roll_out(
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    holder: Holder,
    plan: Plan,
    emit: Emit,
) -> list[Result]:
    """One result per tenant, in the order of `standings`. Starts no process when none is behind.

    Raises:
        SettingsFailed, ChainBroken: the application or the folder cannot be loaded; then no tenant
            was touched.
    """
    results = {
        s.tenant.name: settled
        for s in standings
        if (settled := _settled(s, chain, plan)) is not None
    }
    for result in results.values():
        _tell(emit, result)
    todo = [s for s in standings if s.tenant.name not in results]
    if todo:
        with (
            WorkerPool(settings, chain, todo[0].tenant.url, emit) as template,
            Interruption() as interruption,
        ):
            rollout = RolloutLoop(chain, settings, holder, plan, emit, template, interruption)
            rollout.results.update(results)
            rollout.run(todo)
            results = rollout.results
    return [results[standing.tenant.name] for standing in standings]


def _settled(standing: Standing, chain: Chain, plan: Plan) -> Result | None:
    """The result of a tenant that needs no work, or cannot have any; None for all others."""
    name, at = standing.tenant.name, standing.revision
    if standing.half is not None and standing.half.kind == "downgrade":
        return None  # begun, and to be finished before anything else
    if standing.error is not None:
        return Result(name, outcome_of(standing.error), at, at, 0.0, standing.error)
    if standing.state is State.AHEAD:
        return Result(name, Outcome.AHEAD, at, at, 0.0)
    if plan.downgrade:
        there = standing.revisions == ((plan.target,) if plan.target else ())
    else:
        there = chain.reaches(standing.revisions, plan.target)
    return Result(name, Outcome.AT_HEAD, at, at, 0.0) if there else None


def _tell(emit: Emit, result: Result) -> None:
    error = str(result.error) if result.error is not None else None
    emit(
        TenantDone(
            result.tenant, result.outcome, result.before, result.after, result.seconds, error
        )
    )


@dataclass
class TenantJob:
    """One tenant on its way through the rollout."""

    standing: Standing
    began: float | None = None  # when its first worker started (monotonic seconds)
    held_since: float | None = None  # when it was first found held by somebody else
    losses: int = 0
    connection_id: int | None = None  # of the worker that has the lock now

    @property
    def name(self) -> str:
        return self.standing.tenant.name


@dataclass
class RolloutLoop:
    chain: Chain
    settings: Settings
    holder: Holder
    plan: Plan
    emit: Emit
    template: WorkerPool
    interruption: Interruption
    results: dict[str, Result] = field(default_factory=dict)
    running: dict[Worker, TenantJob] = field(default_factory=dict)
    waiting: deque[TenantJob] = field(default_factory=deque)
    held: list[TenantJob] = field(default_factory=list)
    longest: float = 0.0  # seconds of the slowest tenant so far
    halted: str | None = None  # why nothing new is started
    shared: bool = False  # a sign that another instance is at work, since the last look
    look_at: float = field(default_factory=lambda: time.monotonic() + FRESH)  # the waiting, again
    kill_at: float | None = None  # when running statements are ended, after a signal

    def run(self, todo: Sequence[Standing]) -> None:
        """Fills `results` for every tenant of `todo`."""
        jobs = {standing.tenant.name: TenantJob(standing) for standing in todo}
        canary = [jobs.pop(name) for name in self.plan.canary if name in jobs]
        unproven = self._unproven()
        if canary and not unproven:
            self._wave("canary", canary)
            unproven = self._unproven()
        elif canary:
            jobs.update({job.name: job for job in canary})
        if unproven and not self.halted:
            self._halt(f"canary {unproven} is not proven")
        rest = list(jobs.values())
        start = random.randrange(len(rest)) if rest else 0
        self._wave("rest", rest[start:] + rest[:start])

    def _unproven(self) -> str | None:
        """A canary that did not end well, of those that have ended."""
        ended = (self.results[name] for name in self.plan.canary if name in self.results)
        return next((result.tenant for result in ended if not result.outcome.good), None)

    def _wave(self, name: str, jobs: Sequence[TenantJob]) -> None:
        if jobs and self.plan.canary and not self.halted:
            self.emit(WaveStarted(name, tuple(job.name for job in jobs)))
        self.waiting.extend(jobs)
        while self.waiting or self.held or self.running:
            self._look_at_the_clock()
            if self.halted:
                self._skip_the_waiting()
            else:
                self._start_the_waiting()
                if not self.waiting and self.held:
                    self._start_the_held()
            if self.running:
                self._listen()

    # Starting

    @property
    def _workers(self) -> int:
        return self.settings.rollout.workers

    def _start_the_waiting(self) -> None:
        while self.waiting and not self.halted and len(self.running) < self._workers:
            self._settle_the_waiting()
            if self.waiting:
                self._start(self.waiting.popleft(), patience=0.0)

    def _settle_the_waiting(self) -> None:
        """Other instances share the work: one look at all that waits costs less than a worker each."""
        began = time.monotonic()
        if len(self.waiting) < 2 or not self.shared or began < self.look_at:
            return
        self.shared = False
        jobs, self.waiting = list(self.waiting), deque()
        again = survey([job.standing.tenant for job in jobs], self.chain, self.settings)
        for job, standing in zip(jobs, again, strict=True):
            settled = _settled(standing, self.chain, self.plan)
            if settled is not None and settled.outcome.good:
                self._finish(job, settled.outcome, standing.revision, None)
            else:
                self.waiting.append(job)
        now = time.monotonic()
        self.look_at = now + max(FRESH, 5 * (now - began))  # a large fleet is looked at less often

    def _start_the_held(self) -> None:
        """Waits, inside workers, for tenants that others hold: the server wakes them at once."""
        free = self._workers - len(self.running)
        if free < 1:
            return
        held, self.held = self.held, []
        alone = len(held) <= free
        again = survey([job.standing.tenant for job in held], self.chain, self.settings)
        for job, standing in zip(held, again, strict=True):
            settled = _settled(standing, self.chain, self.plan)
            if settled is not None:
                self._finish(job, settled.outcome, standing.revision, settled.error)
            elif free < 1:
                self.held.append(job)
            else:
                free -= 1
                self._start(job, patience=self._patience(job) if alone else ROTATION)

    def _patience(self, job: TenantJob) -> float:
        """Seconds that are left to wait for a held tenant."""
        assert job.held_since is not None
        waited = time.monotonic() - job.held_since
        left = min(self.settings.lock.wait - waited, self.plan.deadline - time.monotonic())
        return max(0.0, left)

    def _start(self, job: TenantJob, *, patience: float) -> None:
        order = Order(
            tenant=job.standing.tenant,
            target=self.plan.target,
            downgrade=self.plan.downgrade,
            holder=self.holder,
            wait=patience,
            deadline=self.plan.deadline,
            dry_run=self.plan.dry_run,
        )
        if job.began is None:
            job.began = time.monotonic()
        job.connection_id = None
        try:
            worker = self.template.start(order)
        except OSError:  # the template is gone, and all workers with it
            self._halt("the process that holds the migrations died")
            self.waiting.append(job)
            return
        self.emit(UpgradeStarted(job.name))
        self.running[worker] = job

    # Listening

    def _listen(self) -> None:
        """Waits for a worker, a signal, or the next thing that the clock brings."""
        now = time.monotonic()
        times = [at for at in (self.plan.deadline, self.kill_at) if at is not None and at > now]
        timeout = min(times) - now if times else None
        output = self.template.output
        sources: list[Any] = [*self.running, self.interruption]
        if not output.ended:
            sources.append(output)
        found: list[Any] = wait_for(sources, timeout)
        # Workers first: one may tell a password that is then in the output.
        for ready in sorted(found, key=lambda one: not isinstance(one, Worker)):
            if isinstance(ready, Worker):
                self._hear(ready)
            elif ready is output:
                output.drain()
            else:
                self.interruption.drain()
                self._interrupted()

    def _hear(self, worker: Worker) -> None:
        job = self.running[worker]
        message = worker.receive()
        if isinstance(message, LockTaken):
            job.connection_id = message.connection_id
        if message is not None and not isinstance(message, Finished):
            self.emit(message)
            return
        del self.running[worker]
        self.template.done(worker, message)
        error = message.error if message is not None else _died(job)
        if error is None:
            assert message is not None
            assert message.moved is not None
            moved = message.moved
            before, after = ",".join(moved.before) or None, ",".join(moved.after) or None
            changed = Outcome.DOWNGRADED if self.plan.downgrade else Outcome.UPGRADED
            if self.plan.dry_run:
                changed = Outcome.SKIPPED
            elif before == after:
                changed, self.shared = Outcome.AT_HEAD, True
            self._finish(job, changed, after, None, statements=moved.statements, before=before)
        elif isinstance(error, LockHeld):
            self._put_back(job, error)
        elif isinstance(error, ConnectionLost | Deadlocked):
            self._look_again(job, error)
        else:
            after = None
            if not isinstance(error, Unreachable):  # it has been asked long enough
                (standing,) = survey([job.standing.tenant], self.chain, self.settings)
                after = standing.revision
            self._finish(job, outcome_of(error), after, error)

    def _put_back(self, job: TenantJob, error: LockHeld) -> None:
        self.shared = True
        if job.held_since is None:
            job.held_since = time.monotonic()
        if self._patience(job) > 0 and not self.halted:
            self.emit(PutBack(job.name, error.what))
            self.held.append(job)
        else:
            self._finish(job, Outcome.LOCKED, job.standing.revision, error)

    def _look_again(self, job: TenantJob, error: EbhookError) -> None:
        """After a lost connection or worker: what the database says decides, and nothing else."""
        (standing,) = survey([job.standing.tenant], self.chain, self.settings)
        settled = _settled(standing, self.chain, self.plan)
        job.losses += 1
        if settled is not None and settled.outcome.good:
            changed = standing.revisions != job.standing.revisions
            outcome = Outcome.UPGRADED if changed else settled.outcome
            self._finish(job, outcome, standing.revision, None)
        elif standing.error is not None:
            unknown = StateUnknown(
                f"{error.what} Then it could not be read again: {standing.error.what}",
                "Where it stands is not known.",
                f"See where it stands: ebhook status {job.name}",
            )
            self._finish(job, Outcome.UNKNOWN, None, unknown)
        elif job.losses < LOSSES and not self.halted:
            self.emit(PutBack(job.name, error.what))
            job.standing = standing
            self.waiting.append(job)
        else:
            failed = MigrationFailed(
                error.what,
                f"It stands at {standing.revision or 'base'}.",
                f"See the server's error log, then: ebhook upgrade {job.name}",
            )
            self._finish(job, Outcome.FAILED, standing.revision, failed)

    def _finish(
        self,
        job: TenantJob,
        outcome: Outcome,
        after: str | None,
        error: EbhookError | None,
        *,
        before: str | None = None,
        statements: tuple[PlannedStatement, ...] = (),
    ) -> None:
        seconds = time.monotonic() - job.began if job.began is not None else 0.0
        if outcome is Outcome.UPGRADED:
            self.longest = max(self.longest, seconds)
        result = Result(
            job.name,
            outcome,
            before or job.standing.revision,
            after,
            seconds,
            error,
            statements,
        )
        self.results[job.name] = result
        _tell(self.emit, result)
        bad = [r for r in self.results.values() if r.outcome in (Outcome.FAILED, Outcome.UNKNOWN)]
        if len(bad) > self.settings.rollout.max_failures and not self.halted:
            self._halt(f"{len(bad)} tenants failed, more than rollout.max_failures")

    # Stopping

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if not self.halted and now + self.longest >= self.plan.deadline:
            self._halt("the deadline is too near")
        if self.kill_at is not None and now >= self.kill_at:
            self.kill_at = now + AGAIN  # the revision's next statement may have begun meanwhile
            self._end_statements()

    def _interrupted(self) -> None:
        if not self.halted:
            self._halt(self.interruption.name)
        self.kill_at = time.monotonic() + (GRACE if self.interruption.count == 1 else 0.0)
        for worker in self.running:
            worker.stop()

    def _halt(self, why: str) -> None:
        self.halted = why
        self.emit(Stopping(why))

    def _skip_the_waiting(self) -> None:
        for job in [*self.waiting, *self.held]:
            error = Skipped(
                f"{job.name}: not started: {self.halted}.",
                f"It stands at {job.standing.revision or 'base'}.",
                f"Go on with: ebhook upgrade {job.name}",
            )
            self._finish(job, Outcome.SKIPPED, job.standing.revision, error)
        self.waiting.clear()
        self.held.clear()

    def _end_statements(self) -> None:
        """KILL QUERY for whatever still runs: the server undoes it, and the worker lets go."""
        for job in self.running.values():
            if job.connection_id is None:
                continue
            tenant = job.standing.tenant
            try:
                connection = connect(
                    tenant.url, database=None, timeout=self.settings.connect_timeout
                )
                try:
                    run(connection, "KILL QUERY %s", job.connection_id)
                finally:
                    connection.close()
            except (EbhookError, MySQLError):
                pass  # it has just ended, or cannot be ended from here


def _died(job: TenantJob) -> EbhookError:
    return ConnectionLost(f"{job.name}: the worker process died.", "", "")
