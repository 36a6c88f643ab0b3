"""The loop that ebhook replaces: `flask db upgrade` for one tenant after another."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.lab import Lab
from benchmarks.measure import Contender, timed

LOOP = "flask db upgrade, one tenant after another"


def loop(lab: Lab, before: Callable[[], None]) -> Contender:
    """Times other tenants in each round, and multiplies by those that it leaves out.

    Args:
        before: puts the tenants into place, outside the time.
    """
    fleet, programs, sample = lab.fleet, lab.programs(lab.fleet), lab.scale.sample

    def run(number: int) -> float:
        start = number * sample % len(fleet.names)
        names = (fleet.names * 2)[start : start + sample]
        if number == 0:
            names = names[:1]  # warming up needs no more
        before()
        took = timed(lambda: programs.flask_upgrade(*names))
        fleet.check(names)
        return took * len(fleet.names) / len(names)

    note = f"{sample} of {len(fleet.names)} timed, and scaled" if sample < len(fleet.names) else ""
    return Contender(LOOP, run, note)
