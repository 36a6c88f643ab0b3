"""The boot that has nothing to do, which nearly every boot is."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import raw
from benchmarks.cases.loop import LOOP, loop
from benchmarks.lab import Lab
from benchmarks.measure import Case, Contender, Measured, Verdict, at_least, at_most, timed

EBHOOK = "ebhook boot"
BARE = "a bare Python script: one login, one UNION query"
FLOOR = "the login and the query themselves"


def at_head(lab: Lab) -> Case:
    fleet = lab.fleet
    programs = lab.programs(fleet)
    return Case(
        name="at-head",
        title=(
            f"At head, nothing to do: {len(fleet.names)} tenants, "
            f"chain of {len(fleet.chain.revisions)} revisions"
        ),
        subject=EBHOOK,
        contenders=[
            Contender(EBHOOK, lambda _: timed(lambda: programs.ebhook("boot"))),
            loop(lab, before=lambda: None),
            Contender(BARE, lambda _: timed(programs.bare_script)),
            Contender(FLOOR, lambda _: timed(lambda: raw.read_all(fleet))),
        ],
        judge=_judge,
    )


def _judge(measured: Measured) -> Sequence[Verdict]:
    return [
        at_most("whole process", measured.median(EBHOOK), 0.5, "s"),
        at_least("faster than the loop", measured.ratio(LOOP, EBHOOK), 100, "×"),
    ]
