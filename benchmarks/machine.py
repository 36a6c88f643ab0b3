"""What the numbers were measured on: without it they say nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import ebhook
from ebhook.scratch.process import Server

PACKAGES = ("alembic", "SQLAlchemy", "PyMySQL", "Flask-Migrate")


def machine(server: Server) -> dict[str, str]:
    """Facts by name, in the order to show them."""
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    quiet = load < cores / 2
    return {
        "server": f"{server.flavour} {server.version}, on this machine",
        "machine": f"{cores} cores ({_processor()}), {platform.system()} {platform.machine()}",
        "load": f"{load:.1f} at the beginning"
        + ("" if quiet else ": not quiet, trust the ratios more"),
        "python": platform.python_version(),
        "packages": ", ".join(
            [f"ebhook {ebhook.__version__}", *(f"{name} {version(name)}" for name in PACKAGES)]
        ),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )
