"""What a rollout is for, and which tenants need nothing of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ebhook.chain.graph import Chain
from ebhook.events import Outcome
from ebhook.fleet.standing import Standing, State
from ebhook.results import Result, outcome_of
from ebhook.settings import Settings
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class Plan:
    """What a rollout is for. `target` None is the base; `deadline` is in monotonic seconds.

    `skips_frozen`: a frozen canary is none; the next tenant takes its place.
    """

    target: str | None
    deadline: float
    downgrade: bool = False
    dry_run: bool = False
    canary: tuple[str, ...] = ()
    skips_frozen: bool = False


def settled(standing: Standing, chain: Chain, plan: Plan) -> Result | None:
    """The result of a tenant that needs no work, or cannot have any; None for all others."""
    name, at = standing.tenant.name, standing.revision
    if standing.error is not None:
        return Result(name, outcome_of(standing.error), at, at, 0.0, standing.error)
    if standing.half is not None and standing.half.kind == "downgrade":
        return None  # begun, and to be finished before anything else
    if standing.state is State.AHEAD:
        return Result(name, Outcome.AHEAD, at, at, 0.0)
    if plan.downgrade:
        there = standing.revisions == ((plan.target,) if plan.target else ())
    else:
        there = chain.reaches(standing.revisions, plan.target)
    return Result(name, Outcome.AT_HEAD, at, at, 0.0) if there else None


def canary_of(settings: Settings, tenants: Sequence[Tenant], *, chosen: bool) -> tuple[str, ...]:
    """The tenants of the first wave: as configured, else the first one of a whole fleet.

    Args:
        chosen: the tenants were named by hand; then only a configured canary among them counts.
    """
    names = [tenant.name for tenant in tenants]
    if settings.rollout.canary is not None:
        return tuple(name for name in settings.rollout.canary if name in names)
    return () if chosen or len(names) < 2 else (names[0],)
