"""The size to design for: a thousand tenants, read by `status` and by a boot at head."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import raw
from benchmarks.lab import Lab
from benchmarks.measure import Case, Contender, Measured, Verdict, timed

BOOT = "ebhook boot"
STATUS = "ebhook status --json"
FLOOR = "one login and the UNION queries themselves"


def thousand(lab: Lab) -> Case:
    fleet = lab.many
    programs = lab.programs(fleet)
    return Case(
        name="thousand",
        title=(
            f"At head: {len(fleet.names)} tenants, chain of {len(fleet.chain.revisions)} revisions"
        ),
        subject=BOOT,
        contenders=[
            Contender(BOOT, lambda _: timed(lambda: programs.ebhook("boot"))),
            Contender(STATUS, lambda _: timed(lambda: programs.ebhook("status", "--json"))),
            Contender(FLOOR, lambda _: timed(lambda: raw.read_all(fleet))),
        ],
        judge=_judge,
    )


def _judge(measured: Measured) -> Sequence[Verdict]:
    return []
