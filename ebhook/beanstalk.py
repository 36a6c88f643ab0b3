"""Who we are: instance, environment, bundle. Elastic Beanstalk's own files, where they exist."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass, replace
from pathlib import Path

INSTANCE_ID = Path("/var/lib/cloud/data/instance-id")
MANIFEST = Path("/opt/elasticbeanstalk/deployment/app_version_manifest.json")


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


def identify(command: str, name: str | None = None) -> Holder:
    """This process as a holder; `command` is what the operator typed, without secrets."""
    return Holder(
        name=(name or _first_line(INSTANCE_ID) or socket.gethostname())[:190],
        pid=os.getpid(),
        environment=None,
        version_label=_version_label(MANIFEST),
        command=command[:190],
        token=secrets.token_hex(16),
    )


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip().partition("\n")[0] or None
    except (OSError, UnicodeDecodeError):
        return None


def _version_label(path: Path) -> str | None:
    """The bundle's label; the manifest has it in one of two shapes, by platform version."""
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict):
        return None
    label = manifest.get("VersionLabel")
    if isinstance(label, str):
        return label[:190]
    for labels in (manifest.get("RuntimeSources") or {}).values():
        if isinstance(labels, dict) and labels:
            return str(next(iter(labels)))[:190]
    return None
