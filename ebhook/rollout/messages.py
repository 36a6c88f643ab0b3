"""What a worker tells the process that started it, in the end."""

from __future__ import annotations

from dataclasses import dataclass

from ebhook.errors import EbhookError
from ebhook.upgrade.messages import UpgradeResult


@dataclass(frozen=True)
class Finished:
    """A worker's last message on an order: where the tenant stands, or why not.

    `free`: it may be given another one.
    """

    moved: UpgradeResult | None = None
    error: EbhookError | None = None
    free: bool = False
