"""Contenders that take turns, their medians, and the ratios between them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


class NotDone(Exception):
    """A contender ended, but not with its work done: there is nothing to time."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work. `run` is given the number of the round and returns seconds.

    `run` itself puts the tenants into place before, and looks at them after, outside its time.
    """

    name: str
    run: Callable[[int], float]
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """The seconds of each contender, one per round, in the order of the rounds."""

    seconds: Mapping[str, Sequence[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """How many times as long `name` took as `other`: the median of the rounds' own ratios."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return median(one / two for one, two in pairs)

    def difference(self, name: str, other: str) -> float:
        """How many seconds longer `name` took than `other`: the median of the rounds' own."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=True)
        return median(one - two for one, two in pairs)

    def fastest(self, *names: str) -> str:
        return min(names, key=self.median)


@dataclass(frozen=True)
class Verdict:
    """One number beside its target. `unit` is ``s`` or ``×``."""

    what: str
    value: float
    target: float
    unit: str
    at_most: bool

    @property
    def reached(self) -> bool:
        return self.value <= self.target if self.at_most else self.value >= self.target


def at_most(what: str, value: float, target: float, unit: str) -> Verdict:
    return Verdict(what, value, target, unit, at_most=True)


def at_least(what: str, value: float, target: float, unit: str) -> Verdict:
    return Verdict(what, value, target, unit, at_most=False)


@dataclass(frozen=True)
class Case:
    """A situation, who competes in it, and what should come out. `subject` is what ratios are to.

    `times`: so many rounds for each that was asked for, where one is short and tells little.
    """

    name: str
    title: str
    subject: str
    contenders: Sequence[Contender]
    judge: Callable[[Measured], Sequence[Verdict]]
    times: int = 1


def timed(work: Callable[[], object]) -> float:
    """The seconds that `work` takes, by the wall; without those for what others left to collect."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(case: Case, rounds: int, say: Callable[[str], None]) -> Measured:
    """One round to warm up, which does not count; then `rounds` that do, each begun by another."""
    rounds *= case.times
    seconds: dict[str, list[float]] = {contender.name: [] for contender in case.contenders}
    for number in range(rounds + 1):
        shift = number % len(case.contenders)
        for contender in [*case.contenders[shift:], *case.contenders[:shift]]:
            took = contender.run(number)
            say(f"{case.name}, round {number} of {rounds}: {contender.name}: {took:.3f} s")
            if number:
                seconds[contender.name].append(took)
    return Measured(seconds)
