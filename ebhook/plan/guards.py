"""Before the first statement runs: is each tenant's work what was planned, and its schema like the others'?

A tenant that is held back gets an error; the rollout then reports it as refused, and touches nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ebhook.chain.graph import Chain
from ebhook.drift.fleet import Difference, differences
from ebhook.drift.reader import read_schemas
from ebhook.errors import EbhookError, Refused
from ebhook.events import Emit
from ebhook.fleet.standing import Standing
from ebhook.next_command import ebhook, then
from ebhook.plan.document import SavedPlan
from ebhook.plan.work import WorkGroup, grouped, tables_of, with_statements
from ebhook.settings import Settings

Say = Callable[[str], None]
SHOWN = 6  # lines of a difference in a message


def guarded(
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    target: str | None,
    emit: Emit,
    say: Say,
    *,
    saved: SavedPlan | None,
    drift: str,
) -> list[Standing]:
    """`standings`, with an error for each tenant that must not be touched.

    Args:
        saved: the plan that is applied, if one is.
        drift: boot.drift: off, warn or refuse.
    """
    groups = grouped(standings, chain, target)
    if not groups or (saved is None and drift == "off"):
        return list(standings)
    groups = with_statements(groups, standings, chain, settings, target, emit)
    refused: dict[str, EbhookError] = {}
    if drift != "off":
        for name, difference in _drifted(groups, standings, settings).items():
            problem = _drift_error(name, difference)
            if drift == "refuse":
                refused[name] = problem
            else:
                say(f"warning: {problem.what}")
    if saved is not None:
        for group in groups:
            for name in group.tenants:
                refusal = saved.refusal(name, group)
                if refusal is not None:
                    refused[name] = refusal
    return [
        replace(standing, error=refused.get(standing.tenant.name, standing.error))
        for standing in standings
    ]


def _drifted(
    groups: Sequence[WorkGroup], standings: Sequence[Standing], settings: Settings
) -> Mapping[str, Difference]:
    """The tenants whose tables are not as most others at their revision have them, of the tables that the pending
    statements touch. Where there is no majority, all of them."""
    found: dict[str, Difference] = {}
    tenants = {standing.tenant.name: standing.tenant for standing in standings}
    for group in groups:
        if group.half is not None or len(group.tenants) < 2:
            continue
        tables = {table for one in group.pending for table in tables_of(one)}
        readings = read_schemas([tenants[name] for name in group.tenants], settings, only=tables)
        schemas = {name: one.snapshot for name, one in readings.items() if one.snapshot}
        place = ", ".join(group.before) or "base"
        for one in differences(schemas, place, settings.drift.ignore):
            found.update(dict.fromkeys(one.tenants if one.clear else schemas, one))
    return found


def _drift_error(name: str, difference: Difference) -> Refused:
    lines = "\n".join(f"    {line}" for line in difference.lines[:SHOWN])
    more = "\n    …" if len(difference.lines) > SHOWN else ""
    if difference.clear:
        what = f"a table that the pending statements touch differs from {difference.expected}"
    else:
        what = "the tenants do not agree on a table that the pending statements touch"
    return Refused(
        f"{name}: {what}:\n{lines}{more}\n ",
        next=then(
            "See all of it: ", ebhook("drift", name), ". Mend it, or list it in drift.ignore"
        ),
    )
