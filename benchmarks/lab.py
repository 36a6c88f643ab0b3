"""What all cases share: one private server, the fleets on it, their projects, and how much of all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.fleet import Fleet, create_user
from benchmarks.programs import Programs
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import Server, server
from ebhook.settings import RolloutSettings
from tests.projects.make_chain import make_chain


@dataclass(frozen=True)
class Scale:
    """How much of everything. `sample` of the `tenants` stand for the loop's; `whole`: full schemas."""

    rounds: int = 5
    tenants: int = 80
    revisions: int = 200
    behind: int = 10
    sample: int = 8
    whole: bool = True
    many: int = 1000
    many_revisions: int = 20


QUICK = Scale(rounds=2, sample=4, whole=False)


@dataclass(frozen=True)
class Lab:
    """The fleets are made when a case first asks for one."""

    server: Server
    folder: Path
    scale: Scale
    say: Callable[[str], None]
    workers: int | None = None

    @property
    def connections(self) -> int:
        """As many as ebhook uses workers."""
        return self.workers or RolloutSettings().workers

    @cached_property
    def fleet(self) -> Fleet:
        """The agencies of today: a long chain, full schemas."""
        scale = self.scale
        fleet = self._make("agency", scale.tenants, scale.revisions, scale.behind, scale.whole)
        self.programs(fleet).ebhook("boot")  # its own tables are there from the first boot on
        fleet.check()
        return fleet

    @cached_property
    def many(self) -> Fleet:
        """The size to design for: many databases, at head."""
        fleet = self._make("many", self.scale.many, self.scale.many_revisions, 0, whole=False)
        fleet.copy_own_tables(self.fleet)
        return fleet

    def programs(self, fleet: Fleet) -> Programs:
        return Programs(fleet, self.folder / "compiled", self.workers)

    def _make(self, name: str, count: int, revisions: int, behind: int, whole: bool) -> Fleet:
        self.say(f"making {count} tenants with a chain of {revisions}")
        chain = make_chain(self.folder / name, revisions, behind=behind, flask=True)
        names = tuple(f"{name}_{number:04}" for number in range(1, count + 1))
        fleet = Fleet(self.server, chain, names, behind)
        fleet.make(whole=whole)
        self.programs(fleet).ebhook("chain", "--write")  # chain.sum, as `ebhook migrate` keeps it
        return fleet


@contextmanager
def lab(
    flavour: Flavour, scale: Scale, say: Callable[[str], None], workers: int | None = None
) -> Iterator[Lab]:
    """A lab on a server of its own, gone with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="ebhook-bench-") as folder,
        server(flavour, report=say) as running,
    ):
        create_user(running)
        yield Lab(running, Path(folder), scale, say, workers)
