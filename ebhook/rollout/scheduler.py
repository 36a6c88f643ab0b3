"""The loop of a rollout: starts workers, hears them, and does what the `Schedule` decides.

It waits in one place, for everything at once: workers, their output, signals, servers that are being
read (in threads), and the clock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import wait as wait_for
from typing import Any

from ebhook.chain.graph import Chain
from ebhook.concurrency import Background, Budget, Interruption, shortage_of
from ebhook.errors import ConnectionLost, EbhookError, Stopped, Transient
from ebhook.events import Emit, LockTaken, UpgradeStarted
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.holder import Holder
from ebhook.next_command import ebhook, then
from ebhook.results import Result
from ebhook.rollout.ending import EndingStep, Escalation, InFlight, end_statement
from ebhook.rollout.messages import Finished
from ebhook.rollout.plan import Plan
from ebhook.rollout.schedule import Begin, Decision, Look, Schedule, told
from ebhook.rollout.worker_pool import Worker, WorkerPool
from ebhook.settings import Settings
from ebhook.upgrade.messages import Order


def roll_out(
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    holder: Holder,
    plan: Plan,
    emit: Emit,
    permit: Callable[[], None] | None = None,
) -> list[Result]:
    """One result per tenant, in the order of `standings`. Starts no process when none is behind.

    Args:
        permit: is called when all is loaded, before the first tenant is touched; may raise.

    Raises:
        SettingsFailed, ChainBroken: the application or the folder cannot be loaded; then no tenant
            was touched.
    """
    schedule = Schedule.of(standings, chain, plan, settings, start=random.random())
    for result in schedule.results.values():
        emit(told(result))
    todo = [s for s in standings if s.tenant.name not in schedule.results]
    budget = Budget(plan.deadline, settings.rollout.grace)
    if todo:
        with Interruption() as interruption, Background() as background:
            try:
                if not budget.left():
                    raise Stopped("the deadline is too near")
                with WorkerPool(
                    settings, chain, todo[0].tenant.url, emit, budget, interruption
                ) as pool:
                    if permit is not None:
                        permit()
                    RolloutLoop(schedule, holder, emit, pool, interruption, background).run()
            except Stopped as stopped:  # before there was a worker
                schedule.halt(stopped.what)
                for decision in schedule.decide(time.monotonic()):
                    assert not isinstance(decision, Begin | Look)
                    emit(decision)
    return [schedule.results[standing.tenant.name] for standing in standings]


@dataclass
class RolloutLoop:
    """Carries out a schedule's decisions until every tenant has its result."""

    schedule: Schedule
    holder: Holder
    emit: Emit
    pool: WorkerPool
    interruption: Interruption
    background: Background
    running: dict[Worker, InFlight] = field(default_factory=dict)
    escalation: Escalation = field(init=False)

    def __post_init__(self) -> None:
        self.escalation = Escalation(self.pool.budget)

    def run(self) -> None:
        """Fills the schedule's results."""
        while not self.schedule.over:
            for decision in self.schedule.decide(time.monotonic()):
                self._carry_out(decision)
            self._escalate()
            if not self.schedule.over:
                self._listen()

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case Begin():
                self._begin(decision)
            case Look():
                self._look(decision)
            case event:
                self.emit(event)

    def _begin(self, begin: Begin) -> None:
        plan, tenant = self.schedule.plan, begin.tenant
        order = Order(
            tenant=tenant,
            target=plan.target,
            downgrade=plan.downgrade,
            holder=self.holder,
            wait=begin.wait,
            deadline=plan.deadline,
            dry_run=plan.dry_run,
        )
        try:
            worker = self.pool.start(order)
        except OSError as error:
            self._not_begun(tenant.name, error)
            return
        self.emit(UpgradeStarted(tenant.name))
        self.running[worker] = InFlight(tenant)

    def _not_begun(self, name: str, error: OSError) -> None:
        words = shortage_of(error)
        if words is not None:
            self.schedule.failed(name, _no_worker(name, words), time.monotonic())
            return
        # The template is gone, and all workers with it: a new one goes on.
        self.schedule.not_begun(name)
        try:
            self.pool.reload()
        except EbhookError as problem:
            self.schedule.halt(problem.what.rstrip("."))

    def _look(self, look: Look) -> None:
        began, schedule = time.monotonic(), self.schedule

        def tell(standings: list[Standing]) -> None:
            now = time.monotonic()
            schedule.looked(standings, now - began, now)

        self.background.call(lambda: survey(look.tenants, schedule.chain, schedule.settings), tell)

    # Listening

    def _listen(self) -> None:
        """Waits for a worker, a server, a signal, or the next thing that the clock brings."""
        now = time.monotonic()
        times = [self.schedule.wake_at(now), self.escalation.wake_at()]
        until = min((at for at in times if at is not None), default=None)
        output = self.pool.output
        sources: list[Any] = [*self.running, self.interruption, self.background]
        if not output.ended:
            sources.append(output)
        found: list[Any] = wait_for(sources, None if until is None else max(0.0, until - now))
        # Workers first: one may tell a password that is then in the output.
        for ready in sorted(found, key=lambda one: not isinstance(one, Worker)):
            if isinstance(ready, Worker):
                self._hear(ready)
            elif ready is output:
                output.drain()
            elif ready is self.background:
                self.background.deliver()
            else:
                self._interrupted()

    def _hear(self, worker: Worker) -> None:
        flight, now = self.running[worker], time.monotonic()
        message = worker.receive()
        if isinstance(message, LockTaken):
            flight.took_lock(message.connection_id, now)
        if message is not None and not isinstance(message, Finished):
            self.emit(message)
            return
        del self.running[worker]
        self.pool.done(worker, message)
        name = flight.tenant.name
        if message is None:
            how = "died" if self.escalation.is_patient else f"was ended ({self.schedule.halted})"
            died = ConnectionLost(f"{name}: the worker process {how}.", "", "")
            self.schedule.failed(name, died, now)
        elif message.error is not None:
            self.schedule.failed(name, message.error, now)
        else:
            assert message.moved is not None
            self.schedule.upgraded(name, message.moved, now)

    # Stopping

    def _interrupted(self) -> None:
        self.interruption.drain()
        self.schedule.halt(self.interruption.name)
        self.escalation.signalled(self.interruption.count, time.monotonic())
        for worker in self.running:
            worker.stop()

    def _escalate(self) -> None:
        """Ends what still runs when its time is over."""
        now = time.monotonic()
        for step in self.escalation.due(now):
            if step is EndingStep.END_STATEMENTS:
                self.schedule.halt("the time is over")
                for worker, flight in self.running.items():
                    worker.stop()
                    end = partial(end_statement, flight, self.schedule.settings)
                    self.background.call(end, lambda _: None)
            elif step is EndingStep.KILL_WORKERS and self.running:
                self.pool.kill()
        if self.escalation.is_over:
            for worker, flight in list(self.running.items()):  # a process that cannot be killed
                del self.running[worker]
                lost = ConnectionLost(f"{flight.tenant.name}: the worker does not end.", "", "")
                self.schedule.failed(flight.tenant.name, lost, now)
            self.schedule.give_up(now)


def _no_worker(name: str, words: str) -> Transient:
    return Transient(
        f"{name}: no worker could be started: {words}.",
        next=then("Free memory, processes and descriptors here, then: ", ebhook("upgrade", name)),
    )
