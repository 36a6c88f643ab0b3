"""The order of a rollout: which tenant is next, who waits for what, and when nothing new begins.

A `Schedule` starts no process, asks no server and reads no clock. The loop around it (scheduler.py)
says what happened and when, and carries out what `decide` returns.

The canary wave goes first, always the same tenants; if it is not proven, nothing else is touched.
Then the waves of the settings, one after the other, and the rest; each from a given place in its list,
so that instances that boot together share the work.
A tenant that somebody else holds is put back and looked at again. What is refused for now (a
fail-over, say), and what was lost, is tried again until the deadline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ebhook.chain.graph import Chain
from ebhook.errors import EbhookError, LockHeld, TenantFrozen, Transient, Unreachable
from ebhook.events import Event, Outcome, PutBack, Stopping, TenantDone, WaveStarted
from ebhook.fleet.standing import Standing
from ebhook.results import PlannedStatement, Result, outcome_of
from ebhook.rollout.plan import Plan, settled
from ebhook.rollout.tenant_job import Place, TenantJob
from ebhook.rollout.waves import Wave, waves_of
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.messages import UpgradeResult

ROTATION = 5.0  # seconds to wait for one held tenant while others are held, too
FRESH = 0.5  # seconds, at least, for which a look at the waiting is as good as a new one
LOSSES = 3  # how often one tenant's connection or worker may be lost
PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds before each further look; then the last one again


@dataclass(frozen=True)
class Begin:
    """Start a worker for `tenant`; it may wait `wait` seconds for whoever holds it."""

    tenant: Tenant
    wait: float


@dataclass(frozen=True)
class Look:
    """Read where `tenants` stand, and tell `Schedule.looked`."""

    tenants: tuple[Tenant, ...]


Decision = Begin | Look | Event


@dataclass
class Schedule:
    """A rollout's state; every `now` is in monotonic seconds, and none is before the last one."""

    chain: Chain
    plan: Plan
    settings: Settings
    results: dict[str, Result] = field(default_factory=dict)
    halted: str | None = None  # why nothing new is started
    _canary: list[str] = field(default_factory=list)  # whose results prove the bundle
    _order: tuple[str, ...] = ()  # of all tenants
    _waves: deque[Wave] = field(default_factory=deque)
    _wave: Wave | None = None  # under way
    _given_up: str | None = None  # why nothing more of it is started, though the next wave is
    _places: dict[Place, dict[str, TenantJob]] = field(
        default_factory=lambda: {place: {} for place in Place}
    )
    _decided: list[Decision] = field(default_factory=list)  # and not yet returned by `decide`
    _longest: float = 0.0  # seconds of the slowest tenant so far
    _shared: bool = False  # a sign that what waits is worth a look
    _look_at: float = 0.0  # not before then, in monotonic seconds

    @classmethod
    def of(
        cls,
        standings: Iterable[Standing],
        chain: Chain,
        plan: Plan,
        settings: Settings,
        *,
        start: float = 0.0,
    ) -> Schedule:
        """A schedule for all tenants; those that need no work, or cannot have any, have their
        results at once, and these are not among the events of `decide`.

        Args:
            start: each wave but the canary begins at this part of its list, from 0 up to 1.
        """
        standings = list(standings)
        names = tuple(standing.tenant.name for standing in standings)
        schedule = cls(chain, plan, settings, _canary=list(plan.canary), _order=names)
        jobs: dict[str, TenantJob] = {}
        for standing in standings:
            result = settled(standing, chain, plan)
            if result is None or isinstance(result.error, Transient):
                jobs[standing.tenant.name] = TenantJob(standing)
            else:
                schedule.results[result.tenant] = result
        waves = waves_of(list(jobs.values()), plan.canary, settings.rollout, start)
        schedule._waves.extend(waves)
        return schedule

    @property
    def over(self) -> bool:
        """Has every tenant its result, and is everything told?"""
        return not (self._decided or self._active or any(wave.jobs for wave in self._waves))

    def decide(self, now: float) -> list[Decision]:
        """What is to be done now; afterwards, wait until something happens or `wake_at`."""
        if not self.halted and now + self._longest >= self.plan.deadline:
            self.halt(f"the deadline is too near{self._where_to_go_on()}")
        if self.halted or self._given_up:
            self._skip(now)
        while self._waves and not self._active:
            self._next_wave(now)
            if self.halted:
                self._skip(now)
        if not self.halted:
            self._look_at_the_due(now)
            self._begin_the_waiting(now)
            if not self._at(Place.WAITING):
                self._look_at_the_held()
        decided, self._decided = self._decided, []
        return decided

    def wake_at(self, now: float) -> float | None:
        """When to ask again although nothing has happened; None: not before something does."""
        ready = self._at(Place.WAITING) and self._free > 0 and not self.halted
        if self._decided or ready:
            return now
        times = [job.retry_at for job in self._at(Place.LATER).values()]
        if not self.halted:
            times.append(self.plan.deadline)
        return min(times, default=None)

    def halt(self, why: str) -> None:
        """From now on nothing new is started. The first reason counts."""
        if self.halted is None:
            self.halted = why
            self._decided.append(Stopping(why))

    # What happened

    def upgraded(self, name: str, moved: UpgradeResult, now: float) -> None:
        """A worker has brought `name` to the target, or found it there."""
        job = self._taken(name)
        before, after = ",".join(moved.before) or None, ",".join(moved.after) or None
        outcome = Outcome.DOWNGRADED if self.plan.downgrade else Outcome.UPGRADED
        if self.plan.dry_run:
            outcome = Outcome.SKIPPED
        elif before == after:  # somebody else did it
            outcome, self._shared = Outcome.AT_HEAD, True
        self._finish(job, outcome, after, None, now, before=before, statements=moved.statements)

    def failed(self, name: str, error: EbhookError, now: float) -> None:
        """A worker could not, or has died."""
        job = self._taken(name)
        job.error = error
        if isinstance(error, LockHeld):
            self._put_back(job, error, now)
        elif isinstance(error, TenantFrozen):  # nobody knows for how long: it is not waited for
            self._finish(job, Outcome.FROZEN, job.standing.revision, error, now)
            if name in self._canary and self.plan.skips_frozen:
                self._move_the_canary_on(name)
        elif isinstance(error, Transient):
            self._later(job, now)
        elif isinstance(error, Unreachable):  # it has been asked long enough
            self._shared = True  # others may be on the same server
            self._finish(job, outcome_of(error), None, error, now)
        else:
            job.losses += job.is_lost
            self._look([job])

    def not_begun(self, name: str) -> None:
        """`Begin` could not be carried out; it is decided again."""
        job = self._taken(name)
        self._put(Place.WAITING, job)

    def looked(self, standings: Iterable[Standing], took: float, now: float) -> None:
        """Where the tenants of a `Look` stand.

        Args:
            took: seconds of the reading; a large fleet is looked at less often.
        """
        self._look_at = now + max(FRESH, 5 * took)
        found = [
            (job, standing)
            for standing in standings
            if (job := self._at(Place.LOOKING).pop(standing.tenant.name, None)) is not None
        ]
        held = [job for job, _ in found if isinstance(job.error, LockHeld)]
        alone = len(held) <= self._free
        for job, standing in found:
            self._judge(job, standing, now, alone=alone)

    def give_up(self, now: float) -> None:
        """What is being read is not waited for any longer."""
        for job in list(self._at(Place.LOOKING).values()):
            self._at(Place.LOOKING).pop(job.name)
            self._conclude(job, now)

    # Waves

    @property
    def _active(self) -> bool:
        return any(self._places.values())

    def _next_wave(self, now: float) -> None:
        self._wave = wave = self._waves.popleft()
        self._given_up = None
        unproven = self._unproven()
        if unproven is not None:
            self.halt(f"canary {unproven} is not proven")
        several = self.plan.canary or self.settings.rollout.waves
        if wave.jobs and several and not self.halted:
            self._decided.append(WaveStarted(wave.name, tuple(job.name for job in wave.jobs)))
        for job in wave.jobs:
            if job.error is not None:
                self._later(job, now)
            else:
                self._put(Place.WAITING, job)

    def _where_to_go_on(self) -> str:
        """The next run finds at head what is done, and so begins with the first wave that has work."""
        left = [wave.name for wave in self._waves if wave.jobs]
        if not (left and self.settings.rollout.waves):
            return ""
        return f"; not begun: wave {', '.join(left)}; the next run goes on there"

    def _unproven(self) -> str | None:
        """A canary that did not end well, of those that have ended."""
        ended = (self.results[name] for name in self._canary if name in self.results)
        return next((result.tenant for result in ended if not result.outcome.good), None)

    def _move_the_canary_on(self, frozen: str) -> None:
        """A frozen canary proves nothing. If it was the last one, the next tenant in the order takes
        its place: the same one, whichever instance decides."""
        self._canary.remove(frozen)
        if self._canary:
            return
        later = {job.name: job for wave in self._waves for job in wave.jobs}
        for name in self._order:
            result = self.results.get(name)
            if name in later:
                self._canary.append(name)
                self._waves = deque(wave.without(name) for wave in self._waves)
                self._put(Place.WAITING, later[name])
                return
            if result is not None and result.outcome.good:
                self._canary.append(name)
                return

    # Places

    def _at(self, place: Place) -> dict[str, TenantJob]:
        return self._places[place]

    def _put(self, place: Place, job: TenantJob) -> None:
        self._places[place][job.name] = job

    def _taken(self, name: str) -> TenantJob:
        """The job of a tenant that was running, which is nowhere now."""
        return self._at(Place.RUNNING).pop(name)

    @property
    def _free(self) -> int:
        """How many workers may be started. A failure has its worker's place until it counts."""
        failing = [job for job in self._at(Place.LOOKING).values() if job.has_failed]
        most = self._wave.workers if self._wave is not None else self.settings.rollout.workers
        return most - len(self._at(Place.RUNNING)) - len(failing)

    def _begin(self, job: TenantJob, wait: float, now: float) -> None:
        if job.began is None:
            job.began = now
        self._put(Place.RUNNING, job)
        self._decided.append(Begin(job.standing.tenant, wait))

    def _begin_the_waiting(self, now: float) -> None:
        waiting = self._at(Place.WAITING)
        if self._free < 1:
            return
        if len(waiting) > 1 and self._shared and now >= self._look_at:
            # Other instances share the work: one look at all costs less than a worker each.
            self._shared = False
            self._look(list(waiting.values()))
        while waiting and self._free > 0:
            job = waiting.pop(next(iter(waiting)))
            self._begin(job, 0.0, now)

    def _look_at_the_held(self) -> None:
        """Before workers wait for tenants that others hold: is there still something to wait for?"""
        held = self._at(Place.HELD)
        looking = any(isinstance(j.error, LockHeld) for j in self._at(Place.LOOKING).values())
        if held and self._free > 0 and not looking:
            self._look(list(held.values()))

    def _look_at_the_due(self, now: float) -> None:
        due = [job for job in self._at(Place.LATER).values() if job.retry_at <= now]
        if due:
            self._look(due)

    def _look(self, jobs: Sequence[TenantJob]) -> None:
        for job in jobs:
            for place in (Place.WAITING, Place.HELD, Place.LATER):
                self._at(place).pop(job.name, None)
            self._put(Place.LOOKING, job)
        self._decided.append(Look(tuple(job.standing.tenant for job in jobs)))

    def _later(self, job: TenantJob, now: float) -> None:
        if self.halted:
            self._conclude(job, now)
            return
        if not job.tries and job.began is not None and job.error is not None:
            self._decided.append(PutBack(job.name, job.error.what))
        job.retry_at = now + PAUSES[min(job.tries, len(PAUSES) - 1)]
        job.tries += 1
        self._put(Place.LATER, job)

    def _put_back(self, job: TenantJob, error: LockHeld, now: float) -> None:
        self._shared = True
        if job.held_since is None:
            job.held_since = now
        if self._patience(job, now) > 0 and not self.halted:
            self._decided.append(PutBack(job.name, error.what))
            self._put(Place.HELD, job)
        else:
            self._finish(job, Outcome.LOCKED, job.standing.revision, error, now)

    def _patience(self, job: TenantJob, now: float) -> float:
        """Seconds that are left to wait for a held tenant."""
        waited = now - (job.held_since if job.held_since is not None else now)
        return max(0.0, min(self.settings.lock.wait - waited, self.plan.deadline - now))

    # After a look

    def _judge(self, job: TenantJob, standing: Standing, now: float, *, alone: bool) -> None:
        """What becomes of a tenant that was read; `alone`: all that are held can be waited for."""
        result = settled(standing, self.chain, self.plan)
        if standing.error is None:
            job.at = standing.revision
        if job.has_failed and job.error is not None:  # only where it stands was asked
            self._finish(job, outcome_of(job.error), standing.revision, job.error, now)
        elif result is not None and result.outcome.good:
            outcome = result.outcome
            if job.is_lost and standing.revisions != job.standing.revisions:
                outcome = Outcome.DOWNGRADED if self.plan.downgrade else Outcome.UPGRADED
            self._finish(job, outcome, standing.revision, None, now)
        elif standing.error is not None:
            self._unread(job, standing.error, now)
        elif job.losses >= LOSSES:
            self._finish(job, Outcome.FAILED, job.at, job.lost_too_often(), now)
        elif isinstance(job.error, LockHeld):
            if self._free < 1 or self.halted:
                self._put(Place.HELD, job)
            else:
                self._begin(job, self._patience(job, now) if alone else ROTATION, now)
        else:
            self._ready_again(job, standing, now)

    def _unread(self, job: TenantJob, error: EbhookError, now: float) -> None:
        if job.is_lost or isinstance(error, Transient):
            if not job.is_lost:
                job.error = error
            self._later(job, now)
        else:
            self._finish(job, outcome_of(error), None, error, now)

    def _ready_again(self, job: TenantJob, standing: Standing, now: float) -> None:
        if job.is_lost and job.error is not None:
            if self.halted:
                self._finish(job, Outcome.SKIPPED, job.at, job.stopped(), now)
                return
            self._decided.append(PutBack(job.name, job.error.what))
            job.standing, job.error, job.tries = standing, None, 0
        self._put(Place.WAITING, job)

    # Ending

    def _skip(self, now: float) -> None:
        for place in (Place.WAITING, Place.HELD, Place.LATER):
            jobs = self._at(place)
            while jobs:
                self._conclude(jobs.pop(next(iter(jobs))), now)

    def _conclude(self, job: TenantJob, now: float) -> None:
        """The result of a tenant that nothing more is done for."""
        error = job.error
        if error is None or isinstance(error, LockHeld):
            self._finish(
                job, Outcome.SKIPPED, job.at, job.skipped(str(self.halted or self._given_up)), now
            )
        elif job.is_lost:
            self._finish(job, Outcome.UNKNOWN, None, job.unknown(), now)
        else:
            self._finish(job, outcome_of(error), job.at, error, now)

    def _finish(
        self,
        job: TenantJob,
        outcome: Outcome,
        after: str | None,
        error: EbhookError | None,
        now: float,
        *,
        before: str | None = None,
        statements: tuple[PlannedStatement, ...] = (),
    ) -> None:
        seconds = now - job.began if job.began is not None else 0.0
        if outcome is Outcome.UPGRADED:
            self._longest = max(self._longest, seconds)
        was = before or job.standing.revision
        result = Result(job.name, outcome, was, after, seconds, error, statements)
        self.results[job.name] = result
        self._decided.append(told(result))
        if self._wave is not None and _counts(result):
            self._judge_wave(self._wave)

    def _judge_wave(self, wave: Wave) -> None:
        """Halts, or gives up what is left of `wave`, when too many of it have failed."""
        names = {job.name for job in wave.jobs}
        bad = [one for name, one in self.results.items() if name in names and _counts(one)]
        if len(bad) <= wave.max_failures:
            return
        if not self.settings.rollout.waves:
            self.halt(f"{len(bad)} tenants failed, more than rollout.max_failures")
        elif wave.goes_on:
            self._given_up = f"{len(bad)} failed in wave {wave.name}, more than its max_failures"
        else:
            self.halt(f"{len(bad)} failed in wave {wave.name}, more than its max_failures")


def told(result: Result) -> TenantDone:
    """A result as an event."""
    return TenantDone(
        result.tenant, result.outcome, result.before, result.after, result.seconds, result.error
    )


def _counts(result: Result) -> bool:
    """Is it a failure for rollout.max_failures? What the survey refused was never begun."""
    if result.outcome is Outcome.REFUSED:
        return result.seconds > 0
    return result.outcome in (Outcome.FAILED, Outcome.UNKNOWN)
