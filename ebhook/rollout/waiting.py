"""Waiting for others to bring the tenants to head: reads only, for instances without DDL rights."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import wait as wait_for

from ebhook.chain.graph import Chain
from ebhook.concurrency import Background, Interruption
from ebhook.errors import Skipped, TryAgain
from ebhook.events import Emit, WaitingForOthers
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.next_command import ebhook, then
from ebhook.results import Result, outcome_of
from ebhook.rollout.plan import Plan, settled
from ebhook.rollout.schedule import told
from ebhook.settings import Settings

FIRST, LONGEST, GROWTH = 1.0, 15.0, 1.5  # seconds between two looks


def wait_for_others(
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    plan: Plan,
    emit: Emit,
    *,
    patient: bool,
) -> list[Result]:
    """How tenants ended that somebody else migrates: no lock is taken, and nothing is written.

    Args:
        standings: of all tenants, as just surveyed.
        patient: look again until the plan's deadline; False: what is behind now has ended so.

    Returns: a result for each; one that is still behind is `SKIPPED`.
    """
    pause = FIRST
    with Interruption() as interruption, Background() as background:
        while True:
            ended = {s.tenant.name: settled(s, chain, plan) for s in standings}
            behind = sum(_may_change(result) for result in ended.values())
            left = plan.deadline - time.monotonic()
            if not patient or not behind or left <= 0 or interruption.count:
                break
            emit(WaitingForOthers(behind, max(left, 0.0)))
            wait_for([interruption.fileno()], min(left, pause * random.uniform(0.8, 1.2)))
            pause = min(LONGEST, pause * GROWTH)
            standings = _read_again(standings, chain, settings, plan, interruption, background)
    why = "it stopped waiting" if patient else "it waits for nobody"
    results = [ended[s.tenant.name] or _behind(s, why, settings.boot.mode) for s in standings]
    for result in results:
        emit(told(result))
    return results


def _read_again(
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    plan: Plan,
    interruption: Interruption,
    background: Background,
) -> Sequence[Standing]:
    """Another look; as they were, when a signal or the deadline comes first."""
    found: list[Sequence[Standing]] = []
    tenants = [standing.tenant for standing in standings]
    background.call(partial(survey, tenants, chain, settings), found.append)
    while not found and interruption.count == 0 and (left := plan.deadline - time.monotonic()) > 0:
        if background.fileno() in wait_for([background.fileno(), interruption.fileno()], left):
            background.deliver()
    return found[0] if found else standings


def _may_change(result: Result | None) -> bool:
    """Behind, or not reached: another look may find it otherwise."""
    return result is None or isinstance(result.error, TryAgain)


def _behind(standing: Standing, why: str, mode: str) -> Result:
    name, at = standing.tenant.name, standing.revision
    error = Skipped(
        f"{name}: is behind, and this instance does not migrate (boot.mode = {mode!r}); {why}.",
        f"It stands at {at or 'base'}.",
        then("Migrate where that is done, then look: ", ebhook("status", name)),
    )
    return Result(name, outcome_of(error), at, at, 0.0, error)
