"""One chain on one server: plain Alembic, then ebhook by two boots at once, then ebhook killed five times."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chains.project import PATIENCE, ChainProject
from tests.conftest import AnyServer
from tests.differential.windows import database
from tests.support.content import OWN, Content, contents, differences
from tests.support.proxy import Fate, Proxy, Query, Strike, Where

KILLS = 5
SAME = "same"


@dataclass(frozen=True)
class Result:
    """In the words of the page. `plain`: how plain Alembic ended; the others: how ebhook's end compares."""

    plain: str
    boots: str = ""
    kills: str = ""
    details: tuple[str, ...] = ()  # for whoever looks into a difference


@dataclass
class Comparison:
    """A chain and a server; `said` is all that went otherwise than expected."""

    project: ChainProject
    server: AnyServer
    seed: int
    said: list[str] = field(default_factory=list)

    def run(self) -> Result:
        with database(self.server) as name:
            plain = self.project.alembic(self.server.url(name))
            if plain.returncode:
                return self._failed(_cause(plain.stderr))
            end = self._content(name)
        boots, length = self._two_boots(end)
        kills = self._killed(end, length)
        return Result("head", boots, kills, tuple(self.said))

    def _failed(self, cause: str) -> Result:
        """Where plain Alembic fails, ebhook fails for the same cause."""
        with database(self.server) as name:
            code, out = self._end_of(self.project.boot(self.server.url(name), name))
        agrees = code != 0 and cause in out
        if not agrees:
            self.said.append(out)
        word = "fails, too" if agrees else f"exit {code}"
        return Result(f"fails: {cause}", word, "", tuple(self.said))

    def _two_boots(self, end: Content) -> tuple[str, int]:
        """How two boots at once compare, and how many statements the locked session had."""
        numbers = [0]

        def count(query: Query) -> None:
            numbers.append(query.number)

        with database(self.server) as name, Proxy(self.server, count) as proxy:
            url = proxy.url(self.server.url(name))
            both = [self.project.boot(url, name) for _ in range(2)]
            ended = [self._end_of(boot) for boot in both]
            if any(code for code, _ in ended):
                self.said += [out for code, out in ended if code]
                return f"exit {', '.join(str(code) for code, _ in ended)}", max(numbers)
            return self._same(end, name), max(numbers)

    def _killed(self, end: Content, length: int) -> str:
        """Each boot is killed (kill -9 of its process group) after some statements more; the last is not."""
        rng = random.Random(f"{self.seed} {self.project.folder.name} {self.server.flavour}")
        killed = 0
        with database(self.server) as name, Proxy(self.server) as proxy:
            url = proxy.url(self.server.url(name))
            for _ in range(KILLS):
                at = rng.randint(20, max(30, length // KILLS))
                boots: list[subprocess.Popen[str]] = []
                proxy.plan = _at(at, rng.choice(list(Where)), boots)
                boots.append(self.project.boot(url, name))
                code, _ = self._end_of(boots[0])
                killed += code == -signal.SIGKILL
                proxy.plan = lambda query: None
            code, out = self._end_of(self.project.boot(url, name))
            if code:
                self.said.append(out)
                return f"exit {code}"
            return f"{self._same(end, name)} ({killed})"

    def _same(self, end: Content, name: str) -> str:
        found = differences(end, self._content(name))
        if found and any(part.partition(" ")[2].startswith("rows of") for part in found):
            found = [line for line in found if line.split(": ")[0][2:] not in self._unsteady(end)]
        self.said += found
        return f"{len(found)} differences" if found else SAME

    def _unsteady(self, end: Content) -> set[str]:
        """Tables whose rows plain Alembic itself makes otherwise at each run: times, random ids."""
        with database(self.server) as name:
            self.project.alembic(self.server.url(name))
            again = differences(end, self._content(name))
        return {line.split(": ")[0][2:] for line in again}

    def _content(self, name: str) -> Content:
        """Without ebhook's own tables, and without the order of indexes: Alembic makes those of a new
        table in another order in each process."""
        found = contents(self.server, [name], brief=True)[name]
        return {
            part: [tuple(map(_indexes_sorted, row)) for row in rows] if "SHOW" in part else rows
            for part, rows in found.items()
            if part.split()[-1] not in OWN
        }

    def _end_of(self, boot: subprocess.Popen[str]) -> tuple[int, str]:
        out, _ = boot.communicate(timeout=PATIENCE)
        return boot.returncode, out


def _at(
    number: int, where: Where, boots: list[subprocess.Popen[str]]
) -> Callable[[Query], Strike | None]:
    """Kills the boot at a statement of its longest session."""

    def kill(query: Query) -> Fate:
        os.killpg(boots[0].pid, signal.SIGKILL)
        return Fate.CUT

    return lambda query: (where, kill) if query.number == number else None


def _indexes_sorted(text: Any) -> Any:
    """A table's definition with its lines on keys in the order of their texts."""
    if not isinstance(text, str):
        return text
    lines = [line.rstrip(",") for line in text.split("\n")]
    keys = iter(sorted(line for line in lines if " KEY `" in line))
    return "\n".join(next(keys) if " KEY `" in line else line for line in lines)


def _cause(text: str) -> str:
    """The server's number and words, or Python's, in a traceback."""
    if found := re.search(r"\((\d{4}), ['\"](.*?)['\"]\)", text):
        return found[1]
    lines = text.strip().splitlines()
    return lines[-1].split(":")[0].rpartition(".")[2] if lines else "nothing said"
