"""A holder: who takes a lock."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Holder:
    """Who takes a lock: `name` is the instance id or host name; `token` is new per acquisition."""

    name: str
    pid: int
    environment: str | None
    version_label: str | None
    command: str
    token: str

    def renewed(self) -> Holder:
        """The same holder with a token of its own. The process stays the one that was started: that is
        who begins the next tenant, and whom a person sees."""
        return replace(self, token=secrets.token_hex(16))

    def __str__(self) -> str:
        return f"{self.name}:{self.pid}"
