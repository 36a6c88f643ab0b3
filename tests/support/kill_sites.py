"""A server behind the proxy, a project, and tenants that are struck down on their way to head."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import AnyServer, Ebhook, Fleet, Fleets, Ran
from tests.support.content import Content, contents, differences
from tests.support.proxy import Fate, Proxy, Query, Session, Strike, Where
from tests.support.tally import count
from tests.support.watching import PATIENCE, ask, until

# The first thing that a session says which will have the lock.
FIRST = "SET SESSION lock_wait_timeout"

LONG = 900.0  # seconds for a boot over all the tenants of a sweep, on a busy machine

Act = Callable[[Query], Fate]


@dataclass(frozen=True, order=True)
class Point:
    """A moment on the way from base to head: a statement of the locked session, by number."""

    number: int
    where: Where = Where.BEFORE


@dataclass
class Site:
    """Boots ebhook through a proxy. `hidden`: (table, column) whose values may differ between runs."""

    server: AnyServer
    proxy: Proxy
    ebhook: Ebhook
    fleets: Fleets
    project: Path
    hidden: tuple[tuple[str, str], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    reference: Content = field(default_factory=dict)
    length: int = 0  # statements of an undisturbed run

    def __post_init__(self) -> None:
        self.points: dict[str, Point] = {}  # tenant → where it is struck; each once
        self.reached: list[Query] = []
        self.lock = threading.Lock()

    # Running ebhook

    def env(self, names: Sequence[str], **more: str) -> dict[str, str]:
        return {
            "EBHOOK_TENANTS_URL": self.proxy.url(Fleet(self.server, tuple(names)).template),
            "EBHOOK_TENANTS_NAMES": ",".join(names),
            "EBHOOK_ROLLOUT_CANARY": "",
            "EBHOOK_ROLLOUT_MAX_FAILURES": "1000",
            "EBHOOK_ROLLOUT_DEADLINE": "3000",
            "EBHOOK_BOOT_RULES": "off",  # the mixed chain breaks rules on purpose
            **self.settings,
            **more,
        }

    def run(self, *arguments: str, names: Sequence[str], **more: str) -> Ran:
        env = self.env(names, **more)
        return self.ebhook(*arguments, cwd=self.project, env=env, timeout=LONG)

    def start(self, names: Sequence[str], **more: str) -> subprocess.Popen[str]:
        return self.ebhook.start("boot", cwd=self.project, env=self.env(names, **more))

    def look_at_an_undisturbed_run(self) -> None:
        """Fills `reference` and `length`."""
        (name,) = self.fleets(1, prefix="calm").names
        numbers = [0]

        def plan(query: Query) -> None:
            if query.database == name:
                numbers.append(self.number_of(query))

        self.proxy.plan = plan
        ran = self.run("boot", names=[name])
        assert ran.code == 0, ran
        self.length = max(numbers)
        self.reference = contents(self.server, [name], self.hidden)[name]

    # Striking

    def number_of(self, query: Query) -> int:
        """Which statement of the locked session this is, from 1; 0 in other sessions."""
        if query.text.startswith(FIRST):
            query.session.first = query.number
        first = query.session.first
        return query.number - first + 1 if first else 0

    def strike(self, points: Mapping[str, Point], act: Act) -> None:
        """From now on: each of these tenants is struck once, at its point."""
        self.points, self.reached = dict(points), []

        def plan(query: Query) -> Strike | None:
            number = self.number_of(query)
            with self.lock:
                point = self.points.get(query.database)
                if point is None or number != point.number:
                    return None
                del self.points[query.database]
            return point.where, remember

        def remember(query: Query) -> Fate:
            with self.lock:
                self.reached.append(query)
            return act(query)

        self.proxy.plan = plan

    @contextmanager
    def held(self, points: Mapping[str, Point], then: Fate = Fate.CUT) -> Iterator[threading.Event]:
        """Tenants stop at their points until the event that this gives is set."""
        release = threading.Event()

        def hold(query: Query) -> Fate:
            release.wait()
            return then

        self.strike(points, hold)
        try:
            yield release
        finally:
            release.set()

    def await_all_held(self, process: subprocess.Popen[str]) -> int:
        """Until every tenant is at its point, or the program has ended without; how many are."""
        until(lambda: not self.points or process.poll() is not None, "all tenants are held")
        return len(self.reached)

    def when(self, statements: int, strike: Callable[[], None]) -> set[str]:
        """From now on: after so many statements of all locked sessions together, `strike` falls once,
        whatever they are in the middle of. Gives the tenants that were on their way then."""
        seen: Counter[str] = Counter()
        under_way: set[str] = set()

        def plan(query: Query) -> None:
            if not self.number_of(query):
                return
            with self.lock:
                seen[query.database] += 1
                if seen.total() == statements:
                    under_way.update(name for name in seen if seen[name] < self.length)
                    strike()

        self.proxy.plan = plan
        return under_way

    def calm(self) -> None:
        self.proxy.plan = lambda query: None

    # Looking

    def tenants(self, points: Iterable[Point]) -> dict[str, Point]:
        """A fresh tenant for each point."""
        chosen = list(points)
        return dict(zip(self.fleets(len(chosen), prefix="t").names, chosen, strict=True))

    def recover(self, names: Sequence[str], **more: str) -> None:
        """The next boot, with nobody typing anything, reaches head: exit 0, all as undisturbed."""
        self.calm()
        ran = self.run("boot", names=names, **more)
        self.count("questions asked", ran.stdout.count("ebhook resolve"))
        assert ran.code == 0, f"{ran.stdout}\n{ran.stderr}"
        self.check(names)

    def check(self, names: Sequence[str]) -> None:
        """Schema and data are those of an undisturbed run; no lock and no unfinished revision."""
        found = contents(self.server, names, self.hidden)
        with self.server.connect() as connection:
            for name in names:
                assert differences(self.reference, found[name]) == [], name
                locks = ask(connection, f"SELECT * FROM `{name}`.migration_lock")
                assert not locks, f"{name}: {locks}"
                halves = ask(
                    connection,
                    f"SELECT revision FROM `{name}`.migration_journal WHERE finished_at IS NULL",
                )
                assert not halves, f"{name}: {halves}"
                self.count("tenants recovered, schema and data compared")

    def count(self, what: str, number: int = 1) -> None:
        count(str(self.server.flavour), what, number)


@dataclass
class Blows:
    """``blows(0.3, 6)``: where a third of all `kills`, and at least six, are to fall."""

    site: Site
    kills: int
    complete: bool
    random: random.Random

    def __call__(self, share: float, at_least: int, *, boundaries: bool = False) -> list[Point]:
        """Every statement in turn while there are more kills than statements, else some of them.

        Args:
            boundaries: when the suite is complete: first, the moment before each statement.
        """
        every = list(range(1, self.site.length + 1))
        wanted = max(at_least, round(self.kills * share))
        numbers: list[int] = []
        while len(numbers) < wanted:
            numbers += self.random.sample(every, min(len(every), wanted - len(numbers)))
        before = [Point(number) for number in every] if boundaries and self.complete else []
        return before + [Point(number, self.random.choice(list(Where))) for number in numbers]


def some(points: Sequence[Point], size: int) -> Iterator[Sequence[Point]]:
    """Not more than `size` at a time."""
    for start in range(0, len(points), size):
        yield points[start : start + size]


# What strikes


def kill_the_client(site: Site) -> Act:
    """kill -9 of the process at the other end of the session."""

    def act(query: Query) -> Fate:
        pid = pid_of(query.session)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            site.count("kill -9 of a worker")
        return Fate.CUT

    return act


def kill_the_session(site: Site) -> Act:
    """KILL CONNECTION by somebody else."""

    def act(query: Query) -> Fate:
        with site.server.connect() as connection, suppress(Exception):
            ask(connection, f"KILL CONNECTION {query.session.id}")
            site.count("KILL CONNECTION")
        return Fate.ON

    return act


def cut_the_line(site: Site) -> Act:
    def act(query: Query) -> Fate:
        site.count("network cut")
        return Fate.CUT

    return act


def a_little_later(act: Act, longest: float) -> Act:
    """At a random moment of the statement."""

    def later(query: Query) -> Fate:
        threading.Event().wait(random.uniform(0, longest))
        return act(query)

    return later


def pid_of(session: Session) -> int | None:
    """The process that has the other end of a client's connection (Linux)."""
    with suppress(OSError):
        port = session.client_port
        inode = next(
            fields[9]
            for fields in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
            if int(fields[1].partition(":")[2], 16) == port
            and int(fields[2].partition(":")[2], 16) == session.port
        )
        for fd in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if os.readlink(fd) == f"socket:[{inode}]":
                    return int(fd.parts[2])
    return None


def end(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> None:
    """A signal to the whole process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end_of(process: subprocess.Popen[str], timeout: float = PATIENCE) -> Ran:
    stdout, stderr = process.communicate(timeout=timeout)
    return Ran(process.returncode, stdout, stderr, 0.0)
