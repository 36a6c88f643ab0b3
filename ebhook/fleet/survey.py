"""The survey: where every tenant stands, by one connection per server and credentials.

Reading 1,000 tenants through one connection takes less than a second; one login each takes half a
minute. Only the tables that matter are read, by ``UNION ALL`` over batches of tenants.
"""

from __future__ import annotations

from collections.abc import Sequence

from ebhook.chain.graph import Chain
from ebhook.concurrency import in_threads
from ebhook.fleet.logins import by_login
from ebhook.fleet.standing import Standing, TenantReading, judge
from ebhook.fleet.survey_reader import read_server
from ebhook.settings import Settings
from ebhook.tenant import Tenant

THREADS = 16


def survey(
    tenants: Sequence[Tenant], chain: Chain, settings: Settings, *, deep: bool = False
) -> list[Standing]:
    """Where `tenants` stand, in their order. Never raises for a tenant: its `error` says why.

    Args:
        deep: also read who holds what, and which files were edited after they were applied
            (`status`, `lock list`); a boot at head need not know.
    """
    groups = by_login(tenants)
    read: dict[str, TenantReading] = {}
    if len(groups) == 1:
        read.update(read_server(groups[0], chain, settings, deep))
    else:
        for part in in_threads(
            lambda group: dict(read_server(group, chain, settings, deep)), groups, THREADS
        ):
            read.update(part)
    return [judge(tenant, read[tenant.name], chain) for tenant in tenants]
