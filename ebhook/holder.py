"""A holder: who takes a lock."""

from __future__ import annotations

import os
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
        """The same holder, in this process, with a token of its own."""
        return replace(self, pid=os.getpid(), token=secrets.token_hex(16))

    def __str__(self) -> str:
        return f"{self.name}:{self.pid}"
