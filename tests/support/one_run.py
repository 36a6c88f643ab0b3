"""One tenant's upgrade in a process of its own, without the boot around it: a fork of one that has
Alembic loaded, so that a run that is killed and its resumption take a fraction of a second."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from ebhook.aws.deployed import identify
from ebhook.chain.folder import read_chain
from ebhook.errors import EbhookError
from ebhook.events import Emit, Event
from ebhook.fleet.discovery import discover
from ebhook.rollout.messages import Finished
from ebhook.settings import load
from ebhook.upgrade.messages import Order
from ebhook.upgrade.project import load_project
from ebhook.upgrade.tenant_upgrade import apply
from tests.support.watching import PATIENCE

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", __name__])


@dataclass
class Run:
    """A run beside the test. `events` fills while `finished` is awaited."""

    process: BaseProcess
    pipe: Connection
    events: list[Event] = field(default_factory=list)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def await_event(self, kind: type[Event]) -> Event:
        """The first event of this kind."""
        while not (found := [event for event in self.events if isinstance(event, kind)]):
            assert self.pipe.poll(PATIENCE), f"waited in vain for {kind.__name__}: {self.events}"
            message = self.pipe.recv()
            assert not isinstance(message, Finished), message
            self.events.append(message)
        return found[0]

    def finished(self) -> Finished | None:
        """How it ended; None when it died."""
        try:
            while self.pipe.poll(PATIENCE):
                message = self.pipe.recv()
                if isinstance(message, Finished):
                    self.process.join()
                    return message
                self.events.append(message)
        except EOFError:
            self.process.join()
            return None
        raise AssertionError(f"it has not ended after {PATIENCE:.0f} s: {self.events}")


def start(
    folder: Path, variables: Mapping[str, str], *, to: str | None = None, downgrade: bool = False
) -> Run:
    """Brings the one tenant that `variables` name to head, or to the revision `to`."""
    ours, theirs = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(
        target=_live, args=(theirs, folder, dict(variables), to, downgrade), daemon=True
    )
    process.start()
    theirs.close()
    return Run(process, ours)


def _live(
    pipe: Connection, folder: Path, variables: Mapping[str, str], to: str | None, downgrade: bool
) -> None:
    pipe.send(upgrade_here(folder, variables, pipe.send, to=to, downgrade=downgrade))


def upgrade_here(
    folder: Path,
    variables: Mapping[str, str],
    emit: Emit,
    *,
    to: str | None = None,
    downgrade: bool = False,
) -> Finished:
    """The upgrade itself, in this process, which is of no more use afterwards."""
    os.chdir(folder)
    os.environ.update(variables)
    settings = load(os.environ, directory=folder)
    chain = read_chain(settings.folder)
    (tenant,) = discover(settings)
    target = None if to == "base" else to or chain.head
    deadline = time.monotonic() + settings.rollout.deadline
    holder = identify("test", settings)
    order = Order(tenant, target, downgrade, holder, settings.lock.wait, deadline)
    try:
        project = load_project(settings, chain)
        project = replace(project, rehearsal=project.rehearse(tenant.url))
        return Finished(moved=apply(project, order, emit, lambda: False))
    except EbhookError as error:
        return Finished(error=error)
