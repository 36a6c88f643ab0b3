"""Boots that are told to stop, one to three times, by any signal at any time: each ends within five
seconds of its bound, and leaves no process, no lock and no file behind."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from tests.conftest import AnyServer, Ebhook, Fleets
from tests.faults.conftest import SEED, SIGNALLED
from tests.support.agency import PROJECTS, Agency
from tests.support.tally import count, longest
from tests.support.watching import marked, until

pytestmark = pytest.mark.timeout(3000)

GRACE = 0.5
OVER = 5.0  # seconds after the bound
KINDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What a process comes to that is told before ebhook has begun.
TOO_EARLY = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 1, 130)


def test_boots_that_are_signalled_at_random(
    server: AnyServer, fleet: Fleets, ebhook: Ebhook, request: pytest.FixtureRequest
) -> None:
    """The bound is the first signal and the grace, or the second signal; then the next boot goes on
    with all of them, and is done."""
    chance = random.Random(f"{SEED} {request.node.name}")
    temporary = ebhook.folder / "temporary"
    temporary.mkdir()
    tenants = Agency(
        fleet(SIGNALLED),
        ebhook,
        PROJECTS / "slow",
        {"rollout_grace": GRACE, "rollout_deadline": 120, "EBHOOK_TEST_SLOW": 1.5},
    )
    for name in tenants.names:
        mark = f"{name}-{chance.random()}"
        boot = tenants.start(
            "boot", tenants_names=name, EBHOOK_TEST_MARK=mark, TMPDIR=str(temporary)
        )
        moments = sorted(chance.uniform(0.0, 3.0) for _ in range(chance.randint(1, 3)))
        told: list[float] = []
        for moment in moments:
            time.sleep(max(0.0, boot.began + moment - time.monotonic()))
            if boot.process.poll() is None:
                told.append(time.monotonic())
                os.kill(boot.process.pid, chance.choice(KINDS))
        ran = boot.end()
        ended = time.monotonic()
        bound = told[1] if len(told) > 1 else told[0] + GRACE if told else ended
        count(server.flavour, "boots signalled at random", 1)
        longest(server.flavour, "boots signalled at random: longest over the bound", ended - bound)
        assert ended - bound < OVER, f"{moments}: {ran}"
        assert ran.code in (0, 75) or (ran.code in TOO_EARLY and "surveyed" not in ran.stderr), ran
        until(lambda mark=mark: not marked(mark), "no process is left", OVER)  # type: ignore[misc]
    assert list(temporary.iterdir()) == []
    assert tenants.lock_rows() == []

    later = tenants.run("boot", EBHOOK_TEST_SLOW=0.1, rollout_deadline=600)
    assert later.code == 0, later.stderr
    assert tenants.versions() == {"a003"}
    assert tenants.lock_rows() == []
