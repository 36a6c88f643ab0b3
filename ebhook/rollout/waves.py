"""Which tenants go together, and in which order: the canary, the waves of the settings, and the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ebhook.rollout.tenant_job import TenantJob
from ebhook.settings import RolloutSettings, WaveSettings
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class Wave:
    """Tenants that all have ended before the next wave begins.

    `goes_on`: when more than `max_failures` of it fail, only what is left of this wave is not begun.
    """

    name: str
    jobs: tuple[TenantJob, ...]
    workers: int
    max_failures: int
    goes_on: bool = False

    def without(self, name: str) -> Wave:
        """The same, less one tenant."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.name != name))


def waves_of(
    jobs: Sequence[TenantJob], canary: Sequence[str], settings: RolloutSettings, start: float
) -> list[Wave]:
    """All waves, in order; a tenant is in the first that names it.

    Args:
        start: each but the canary begins at this part of its list, from 0 up to 1, so that instances that boot
            together share it.
    """
    left = {job.name: job for job in jobs}

    def wave(name: str, members: list[TenantJob], of: WaveSettings | None = None) -> Wave:
        first = int(start * len(members)) if name != "canary" else 0
        workers, failures = settings.workers, settings.max_failures
        if of is not None:
            workers = workers if of.workers is None else of.workers
            failures = failures if of.max_failures is None else of.max_failures
        goes_on = of is not None and of.on_error == "continue"
        return Wave(name, (*members[first:], *members[:first]), workers, failures, goes_on)

    found = [wave("canary", [left.pop(name) for name in canary if name in left])]
    for one in settings.waves:
        members = [job for job in left.values() if belongs(job.standing.tenant, one)]
        for job in members:
            del left[job.name]
        found.append(wave(one.name, members, one))
    found.append(wave("rest", list(left.values())))
    return found


def belongs(tenant: Tenant, wave: WaveSettings) -> bool:
    """Does `wave` name this tenant, by its name, by a pattern or by its group?"""
    if wave.group is not None and tenant.group == wave.group:
        return True
    return any(fnmatchcase(tenant.name, pattern) for pattern in wave.tenants)
