"""What `boot` tells a worker, and the worker's last word: the messages between the processes."""

from __future__ import annotations

from dataclasses import dataclass

from ebhook.holder import Holder
from ebhook.results import PlannedStatement
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class Order:
    """What to do with one tenant. `target` None means the base (downgrade everything).

    `wait` is how many seconds to wait for the lock; `deadline` is in monotonic seconds, which all
    processes of a machine share.
    """

    tenant: Tenant
    target: str | None
    downgrade: bool
    holder: Holder
    wait: float
    deadline: float
    dry_run: bool = False


@dataclass(frozen=True)
class UpgradeResult:
    """Where a tenant stood and stands, and the revisions whose code has run for that; `statements` is
    what a dry run would have run."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    revisions: tuple[str, ...] = ()
    statements: tuple[PlannedStatement, ...] = ()
