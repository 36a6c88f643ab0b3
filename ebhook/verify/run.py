"""The proof of a chain on every flavour: a process for each part, as many at a time as there are cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from typing import Any

from ebhook.authoring.scratch_chain import lead_to, open_project
from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision
from ebhook.concurrency import die_with_parent
from ebhook.drift.diff import diff
from ebhook.drift.snapshot import Snapshot
from ebhook.errors import EbhookError, StateUnknown
from ebhook.scratch.databases import Bench, benches
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.project import Project
from ebhook.verify.walk import Fault, Proof, WholeWalk, order_from, walker

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONG = 24  # revisions; a shorter chain is walked by one process

Say = Callable[[str], None]
Told = Callable[["Proved", Revision, Proof], None]


@dataclass
class Proved:
    """What was found on one server. `order` is what was to be proved, `proofs` what was reached."""

    flavour: str
    version: str
    order: tuple[Revision, ...]
    proofs: dict[str, Proof] = field(default_factory=dict)
    whole: WholeWalk = field(default_factory=WholeWalk)
    end: Snapshot | None = None  # where the steps led

    @property
    def name(self) -> str:
        return f"{self.flavour} {self.version.partition('-')[0]}"

    @property
    def not_reached(self) -> tuple[Revision, ...]:
        return tuple(one for one in self.order if one.id not in self.proofs)

    @property
    def steps_against_whole(self) -> tuple[str, ...]:
        """How one revision after the other led elsewhere than all at once."""
        if self.end is None or self.whole.end is None:
            return ()
        # The columns of two branches may stand in either order.
        linear = all(len(one.parents) < 2 for one in self.order)
        return diff(self.whole.end, self.end, order=linear)

    @property
    def whole_up_failed(self) -> bool:
        """The way up failed as a whole, and one by one the revisions went up."""
        own = any(
            one.fault is Fault.UPGRADE for proof in self.proofs.values() for one in proof.problems
        )
        return bool(self.whole.up_error) and not self.not_reached and not own

    @property
    def whole_down_failed(self) -> bool:
        """The way back failed as a whole, and no revision's own way back did."""
        own = any(proof.problems for proof in self.proofs.values())
        return not own and bool(self.whole.down_error or self.whole.left)

    @property
    def is_clean(self) -> bool:
        return not (
            any(proof.problems for proof in self.proofs.values())
            or self.not_reached
            or self.steps_against_whole
            or self.whole.up_error
            or self.whole_down_failed
            or self.whole.drift
        )


def prove(
    settings: Settings,
    chain: Chain,
    *,
    flavours: Sequence[str],
    start: str | None,
    say: Say,
    told: Told,
) -> list[Proved]:
    """Proves the revisions after `start` (all, when it is None) on a scratch server of each flavour.

    Raises:
        ScratchFailed, Unreachable, Refused, SettingsFailed: there is no server.
        ChainBroken: env.py fails.
    """
    order, known = order_from(chain, start)
    with benches(settings, flavours, say) as found:
        project = open_project(settings, chain, Tenant("scratch", found[0].url))
        results = [Proved(one.flavour, one.version, tuple(order[known:])) for one in found]
        cores = max(2, os.cpu_count() or 1)
        tasks = [
            task
            for bench, proved in zip(found, results, strict=True)
            for task in _tasks(bench, proved, project, order, known, cores // len(found))
        ]
        _run(tasks, cores, told)
    return results


# The parts


@dataclass
class _Task:
    """Steps from `start` to `end` of `order`, or (with `end` None) the whole way and back."""

    bench: Bench
    proved: Proved
    project: Project
    order: Sequence[Revision]
    start: int
    end: int | None

    def run(self, tenant: Tenant, send: Callable[[Any], None]) -> None:
        lead_to(tenant.url)
        with walker(self.bench, self.project, tenant, self.order) as one:
            if self.end is None:
                send(one.whole(self.start))
            else:
                send(one.walk(self.start, self.end, send))

    def take(self, message: Any, told: Told) -> None:
        """What the process found, into the result."""
        match message:
            case Proof():
                self.proved.proofs[message.revision] = message
                revision = next(one for one in self.order if one.id == message.revision)
                told(self.proved, revision, message)
            case WholeWalk():
                self.proved.whole = message
            case Snapshot() if self.end == len(self.order):
                self.proved.end = message


def _tasks(
    bench: Bench,
    proved: Proved,
    project: Project,
    order: Sequence[Revision],
    known: int,
    cores: int,
) -> Iterator[_Task]:
    """The steps, cut into as many parts as pay: each begins with the whole way to its start."""
    count = len(order) - known
    parts = max(1, min(cores, count // _LONG))
    edges = [known + count * part // parts for part in range(parts + 1)]
    for start, end in pairwise(edges):
        yield _Task(bench, proved, project, order, start, end)
    yield _Task(bench, proved, project, order, known, None)


def _run(tasks: list[_Task], cores: int, told: Told) -> None:
    context = multiprocessing.get_context("fork")
    running: dict[Connection, tuple[_Task, Any]] = {}
    waiting = list(tasks)
    with ExitStack() as databases:
        try:
            while waiting or running:
                while waiting and len(running) < cores:
                    task = waiting.pop(0)
                    tenant = databases.enter_context(task.bench.database())
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(
                        target=_child, args=(task, tenant, theirs, os.getpid())
                    )
                    with _undisturbed():
                        process.start()
                        running[ours] = task, process
                    theirs.close()
                for ready in wait(list(running)):
                    assert isinstance(ready, Connection)
                    task, process = running[ready]
                    try:
                        message = ready.recv()
                    except EOFError:
                        del running[ready]
                        process.join()
                        if process.exitcode:
                            raise _died(task) from None
                        continue
                    if isinstance(message, EbhookError):
                        raise message
                    task.take(message, told)
        finally:
            # Before their databases are dropped: they have locks there.
            for _, process in running.values():
                process.kill()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A signal comes after the block: nobody would end a process that is not noted down yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(task: _Task, tenant: Tenant, out: Connection, parent: int) -> None:
    """The life of one process; what the application prints goes where progress goes."""
    die_with_parent(parent)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # the parent ends its children
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    os.dup2(2, 1)
    code = 0
    try:
        task.run(tenant, out.send)
    except EbhookError as error:
        with suppress(OSError):
            out.send(error)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        os._exit(code)


def _died(task: _Task) -> StateUnknown:
    return StateUnknown(
        f"The proof on {task.proved.name} ended before its time.",
        "Only scratch databases were touched.",
        "Look at the output above.",
    )
