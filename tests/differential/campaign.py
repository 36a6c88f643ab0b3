"""Many probes on one server: each is a crash or a mended failure of one window, and how it ended."""

from __future__ import annotations

import random
import re
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebhook.database.url import parse_url
from ebhook.rollout.warm_up import warm
from tests.conftest import SERVERS_FOLDER, AnyServer
from tests.differential import child
from tests.differential.child import Death
from tests.differential.corpus import Corpus
from tests.differential.judge import Died, Judgement, Tenant, Verdict, statement_of
from tests.differential.project import Project
from tests.differential.windows import Undisturbed, Window, database, prepare, undisturbed, windows
from tests.support.content import differences
from tests.support.proxy import Where

CRASHES = 4  # of each window, at random queries
DETAILS = 30  # lines in a file
TWICE = 0.15  # of the crashes are followed by another one, in the run that resumes


@dataclass(frozen=True)
class Probe:
    """What was done to a window, in words, and how it ended."""

    window: Window
    what: str
    judgement: Judgement


@dataclass
class Tally:
    """How probes ended. `unsteady`: those whose window ends in another way each time, by itself."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unsteady: int = 0

    @property
    def probes(self) -> int:
        return sum(self.verdicts.values())

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.verdicts + other.verdicts,
            self.reasons + other.reasons,
            self.unsteady + other.unsteady,
        )

    def dumped(self) -> dict[str, Any]:
        return {"verdicts": self.verdicts, "reasons": self.reasons, "unsteady": self.unsteady}

    @staticmethod
    def loaded(kept: dict[str, Any]) -> Tally:
        verdicts = Counter({Verdict(name): number for name, number in kept["verdicts"].items()})
        return Tally(verdicts, Counter(kept["reasons"]), kept["unsteady"])


class Campaign:
    """Probes on `server`, of tests in the order of `seed`; each that ends wrong has a file in `wrongs`."""

    def __init__(self, server: AnyServer, corpus: Corpus, seed: int, wrongs: Path) -> None:
        self.server, self.corpus, self.seed, self.wrongs = server, corpus, seed, wrongs
        self.tally = Tally()
        self.folder = Path(tempfile.mkdtemp(prefix="ebhook-", dir=SERVERS_FOLDER))
        self.project = Project(self.folder / "project")
        warm(parse_url(server.url()))

    @staticmethod
    def order(corpus: Corpus, seed: int) -> list[str]:
        """All tests, shuffled."""
        names = list(corpus.names)
        random.Random(seed).shuffle(names)
        return names

    def run(self, source: str, enough: Callable[[], bool] = lambda: False) -> None:
        """All probes of one test; none is begun after `enough`."""
        rng = random.Random(f"{self.seed} {source}")
        for window in windows(self.server, source, self.corpus.statements(source), rng):
            if enough():
                return
            calm = undisturbed(self.server, window)
            if calm is not None:
                for probe in self._probes(calm, rng):
                    self._count(probe, calm)
                    if enough():
                        return

    def _probes(self, calm: Undisturbed, rng: random.Random) -> Iterator[Probe]:
        window = calm.window
        self.project.write(window.statements)
        with database(self.server) as name:
            tenant = self._tenant(name, calm)
            outcome = child.upgrade(self.project.folder, tenant.variables)
            judgement = tenant.judge()
            yield Probe(window, "nothing", judgement)
        if judgement.verdict is not Verdict.RIGHT:
            return
        queries = outcome.queries
        begin = next(
            (i for i in range(len(queries)) if statement_of(queries, i, window.statements) == 0), 0
        )
        for _ in range(CRASHES):
            death = Death(rng.randrange(max(0, begin - 3), len(queries)), rng.choice(list(Where)))
            yield self._crash(calm, queries, death, rng)
        if rng.random() < 0.4:
            yield self._mended(calm, rng.randrange(len(window.statements) + 1))

    def _crash(
        self, calm: Undisturbed, queries: tuple[str, ...], death: Death, rng: random.Random
    ) -> Probe:
        window = calm.window
        what = f"kill -9 {death.where.value} {' '.join(queries[death.query].split())[:300]}"
        with database(self.server) as name:
            tenant = self._tenant(name, calm)
            child.upgrade(self.project.folder, tenant.variables, death)
            died = Died(statement_of(queries, death.query, window.statements), death.where)
            if rng.random() < TWICE:
                again = Death(rng.randrange(5, 25), rng.choice(list(Where)))
                child.upgrade(self.project.folder, tenant.variables, again)
                what += f"; and {again.where.value} query {again.query} of the next run"
            return Probe(window, what, tenant.judge(died))

    def _mended(self, calm: Undisturbed, place: int) -> Probe:
        """The server refuses a statement, which is then taken out of the file."""
        window = calm.window
        statements = [*window.statements[:place], window.bad, *window.statements[place:]]
        with database(self.server) as name:
            tenant = self._tenant(name, calm)
            self.project.write(statements)
            child.upgrade(self.project.folder, tenant.variables)
            self.project.write(window.statements)
            what = f"refused before statement {place + 1}, and taken out: {window.bad[:300]}"
            return Probe(window, what, tenant.judge())

    def _tenant(self, name: str, calm: Undisturbed) -> Tenant:
        prepare(self.server, name, calm.window)
        url = self.server.url("DATABASE").replace("DATABASE", "{tenant}")
        variables = {"EBHOOK_TENANTS_URL": url, "EBHOOK_TENANTS_NAMES": name}
        return Tenant(self.server, name, self.project.folder, calm, variables)

    def _count(self, probe: Probe, calm: Undisturbed) -> None:
        judgement = probe.judgement
        if judgement.verdict is Verdict.WRONG and self._is_unsteady(calm):
            self.tally.unsteady += 1
            return
        self.tally.verdicts[judgement.verdict] += 1
        if judgement.why:
            self.tally.reasons[f"{judgement.verdict}: {judgement.why}"] += 1
        if judgement.verdict is Verdict.WRONG:
            self.wrongs.mkdir(parents=True, exist_ok=True)
            name = f"{self.server.flavour}-{_short(judgement.why)}-{secrets.token_hex(3)}.txt"
            (self.wrongs / name).write_text(report(probe), "utf-8")

    def _is_unsteady(self, calm: Undisturbed) -> bool:
        """Does the window end in another way when it is run at another time?"""
        time.sleep(1.1)
        again = undisturbed(self.server, calm.window)
        return again is None or bool(differences(calm.end, again.end))

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _short(why: str) -> str:
    return re.sub(r"\W+", "-", why)[:40]


def report(probe: Probe) -> str:
    """A probe as a small readable file."""
    parts = [
        f"-- {probe.window.source}",
        f"-- {probe.judgement.verdict}: {probe.judgement.why}",
        "",
        "-- the setup",
        *(f"{sql};" for sql in probe.window.setup),
        "",
        "-- the revision, an op.execute each",
        *(f"{sql};" for sql in probe.window.statements),
        "",
        f"-- what was done: {probe.what}",
        "",
        "-- what ebhook said, and how its end (+) differs from the undisturbed one (-)",
        *(line[:500] for line in probe.judgement.details[:DETAILS]),
    ]
    return "\n".join(parts) + "\n"


def summary(flavour: str, tally: Tally) -> str:
    """``mysql: 1200 probes, 1180 right, 20 asked (1.7 %), 0 wrong``."""
    seen, total = tally.verdicts, tally.probes
    share = 100 * seen[Verdict.ASKED] / total if total else 0.0
    return (
        f"{flavour}: {total} probes, {seen[Verdict.RIGHT]} right, {seen[Verdict.ASKED]} asked "
        f"({share:.1f} %), {seen[Verdict.WRONG]} wrong"
    )
