"""The boot after a deploy with new revisions: every tenant has ten to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks import raw
from benchmarks.cases.loop import LOOP, loop
from benchmarks.lab import Lab
from benchmarks.measure import Case, Contender, Measured, Verdict, at_least, at_most, timed

EBHOOK = "ebhook boot"
UNGATED = "the same without the rules (boot.rules = off)"
THREADS = "the same statements by plain PyMySQL, in threads"
PROCESSES = "the same statements by plain PyMySQL, in processes"


def behind(lab: Lab) -> Case:
    fleet = lab.fleet
    programs, connections = lab.programs(fleet), lab.connections

    def whole_fleet(work: Callable[[], None]) -> Callable[[int], float]:
        def run(_: int) -> float:
            fleet.set_back()
            took = timed(work)
            fleet.check()
            return took

        return run

    def plain(spread: raw.Spread) -> Callable[[int], float]:
        return whole_fleet(lambda: raw.apply(fleet, connections, spread))

    count = f"{connections} connections"
    return Case(
        name="behind",
        title=(
            f"Behind by {fleet.behind} revisions: {len(fleet.names)} tenants, "
            f"chain of {len(fleet.chain.revisions)} revisions"
        ),
        subject=EBHOOK,
        contenders=[
            Contender(
                EBHOOK, whole_fleet(lambda: programs.ebhook("boot")), f"{connections} workers"
            ),
            Contender(UNGATED, whole_fleet(lambda: programs.ebhook("boot", boot_rules="off"))),
            loop(lab, before=fleet.set_back),
            Contender(THREADS, plain(raw.by_threads), count),
            Contender(PROCESSES, plain(raw.by_processes), count),
        ],
        judge=_judge,
    )


def _judge(measured: Measured) -> Sequence[Verdict]:
    fastest = measured.fastest(THREADS, PROCESSES)
    return [
        at_most("slower than plain statements", measured.ratio(EBHOOK, fastest), 1.5, "×"),
        at_least("faster than the loop", measured.ratio(LOOP, EBHOOK), 10, "×"),
        at_most("longer for the rules", measured.difference(EBHOOK, UNGATED), 0.3, "s"),
    ]
