"""What has become of a tenant after a crash or a mended failure, against the undisturbed end.

right   the same schema and the same rows, with nobody typing anything
asked   ebhook stopped and said so; nothing was lost, and where it asked whether a statement happened,
        the true answer led to the same end
wrong   anything else: another end, a failure that the undisturbed run does not have, no end at all
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ebhook.errors import EbhookError, InDoubt, TryAgain
from tests.conftest import AnyServer
from tests.differential import child
from tests.differential.windows import Undisturbed, ids, states
from tests.support.content import OWN, Content, contents, differences
from tests.support.proxy import Where

RUNS = 4  # after which a tenant that is not at head never will be
# ebhook's words for what the server, or Python, said of a statement.
_FAILED = re.compile(r" failed\b.*(?:\(\d{4}\)|Error)", re.S)


class Verdict(StrEnum):
    RIGHT = "right"
    ASKED = "asked"
    WRONG = "wrong"


@dataclass(frozen=True)
class Judgement:
    """`why` says of what kind; `details` are for a reader."""

    verdict: Verdict
    why: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Died:
    """The statement of the revision at which the last run died, from 0; None: between two of them."""

    statement: int | None
    where: Where


@dataclass
class Tenant:
    """A database on its way to head, and the project that brings it there."""

    server: AnyServer
    name: str
    folder: Path
    calm: Undisturbed
    variables: Mapping[str, str]
    said: list[str] = field(default_factory=list)  # by ebhook, run by run

    def content(self, *, with_ids: bool = True) -> Content:
        """Of the tenant, without what is ebhook's and Alembic's own."""
        hidden = () if with_ids else ids(self.server, self.name)
        found = contents(self.server, [self.name], hidden, brief=True)[self.name]
        own = (*OWN, "alembic_version")
        return {part: rows for part, rows in found.items() if part.split()[-1] not in own}

    def judge(self, died: Died | None = None) -> Judgement:
        """Lets ebhook go on, run by run, as boots would, and says how that ends."""
        asked = ""
        for _ in range(RUNS):
            outcome = child.upgrade(self.folder, self.variables)
            if outcome.hung:
                return self._wrong("it hangs")
            if outcome.finished is None:
                return self._wrong("its process dies")
            error = outcome.finished.error
            if error is None:
                return self._end(asked)
            self.said.append(f"{type(error).__name__}: {error}")
            if isinstance(error, TryAgain):
                continue
            if not isinstance(error, InDoubt):
                return self._refusal(error)
            asked = "in doubt"
            answered = self._answer(died)
            if answered is not None:
                return answered
        return self._wrong("it never ends")

    def _end(self, asked: str) -> Judgement:
        found = differences(self.calm.end, self.content())
        if found and differences(self.calm.without_ids, self.content(with_ids=False)):
            why = "another end after the true answer" if asked else "another end"
            return self._wrong(why, *found)
        return Judgement(Verdict.ASKED if asked else Verdict.RIGHT, asked)

    def _refusal(self, error: EbhookError) -> Judgement:
        """ebhook stopped for good: truthfully, if it was its own word, and if nothing is lost."""
        kind = type(error).__name__
        if _FAILED.search(error.what):
            number = re.search(r"\((\d{4})\)", error.what)
            return self._wrong(f"{kind} {number[1] if number else 'in Python'}")
        now = self.content()
        if now not in states(self.server, self.calm.window):
            return self._wrong(f"{kind}, and the database is as it never was")
        return Judgement(Verdict.ASKED, f"{kind}: {_pattern(error.what)}")

    def _answer(self, died: Died | None) -> Judgement | None:
        """Tells ebhook the truth about the statement in doubt; a judgement where nobody knows it."""
        code, out = child.command(self.folder, self.variables, "resolve", self.name, "--json")
        try:
            number = json.loads(out)["tenants"][0]["statement"] - 1
        except (ValueError, KeyError, TypeError, IndexError):
            return self._wrong(f"resolve ends with {code} and tells nothing", out)
        seen, now = states(self.server, self.calm.window), self.content()
        if number >= len(self.calm.window.statements):
            return Judgement(Verdict.ASKED, "in doubt, of the version")
        before, after = seen[number] == now, seen[number + 1] == now
        if before == after:
            if died is None or died.statement != number or not before:
                return Judgement(Verdict.ASKED, "in doubt, and nothing shows")
            after = died.where is Where.AFTER
        word = "--applied" if after else "--not-applied"
        code, out = child.command(self.folder, self.variables, "resolve", self.name, word)
        self.said.append(f"resolve {word} (statement {number + 1}): {code}")
        return None if code == 0 else self._wrong(f"resolve {word} ends with {code}", out)

    def _wrong(self, why: str, *details: str) -> Judgement:
        return Judgement(Verdict.WRONG, why, (*self.said, *details))


def _pattern(what: str) -> str:
    """What ebhook said, without the names and texts that differ from probe to probe."""
    line = what.partition(": ")[2].splitlines()[0][:120]
    return re.sub(r"\d+|`[^`]*`|'[^']*'", "…", line)


def statement_of(queries: Sequence[str], query: int, statements: Sequence[str]) -> int | None:
    """Which statement of the revision a query is; None: one of ebhook's own."""
    begin = 0
    for number, sql in enumerate(statements):
        for place in range(begin, query + 1):
            if queries[place].strip().startswith(sql.strip()):
                if place == query:
                    return number
                begin = place + 1
                break
    return None
