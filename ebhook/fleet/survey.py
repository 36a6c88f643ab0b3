"""The survey: where every tenant stands, by one connection per server and credentials.

Reading 1,000 tenants through one connection takes less than a second; one login each takes half a
minute. Only the tables that matter are read, by ``UNION ALL`` over batches of tenants.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ebhook.chain.graph import Chain
from ebhook.errors import ConnectionLost, NoAnswer
from ebhook.fleet.logins import LoginGroup, ask_side_by_side, by_login
from ebhook.fleet.standing import Standing, TenantReading, judge
from ebhook.fleet.survey_reader import read_server
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings
from ebhook.tenant import Tenant

SHARE = 1 / 3  # of the deadline, at most: what was not read by then counts as unreachable

Readings = dict[str, TenantReading]


def survey(
    tenants: Sequence[Tenant],
    chain: Chain,
    settings: Settings,
    *,
    deep: bool = False,
    until: float | None = None,
) -> list[Standing]:
    """Where `tenants` stand, in their order. Never raises for a tenant: its `error` says why.

    Servers are read side by side, and a silent one delays the others by nothing.

    Args:
        deep: also read who holds what, and which files were edited after they were applied
            (`status`, `lock list`); a boot at head need not know.
        until: monotonic seconds; without it a part of `rollout.deadline`, from now.
    """
    began = time.monotonic()
    if until is None:
        until = began + settings.rollout.deadline * SHARE
    read: Readings = {}

    def ask(group: LoginGroup) -> Readings:
        return dict(read_server(group, chain, settings, deep))

    for group, readings in ask_side_by_side(by_login(tenants), ask, _is_silent, until=until):
        for tenant in group.tenants:
            if readings is None:
                read[tenant.name] = TenantReading(error=_too_late(group, until - began))
            elif tenant.name in readings:
                read[tenant.name] = readings[tenant.name]
            else:  # another login found the server silent
                read[tenant.name] = next(iter(readings.values()))
    return [judge(tenant, read[tenant.name], chain) for tenant in tenants]


def _is_silent(readings: Readings) -> bool:
    return all(
        isinstance(reading.error, NoAnswer | ConnectionLost) for reading in readings.values()
    )


def _too_late(group: LoginGroup, seconds: float) -> NoAnswer:
    return NoAnswer(
        f"{group.url.host}:{group.url.port} gave no answer in {seconds:.1f} s.",
        next=then("Check host, port and network: ", ebhook("doctor")),
    )
