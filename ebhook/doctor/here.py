"""This machine: who it is, what Elastic Beanstalk says, and room for the log."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ebhook.aws import beanstalk, deployed
from ebhook.doctor.finding import DoctorFinding, fail, ok, warn
from ebhook.next_command import Next, ebhook, then
from ebhook.settings import Settings

ROOM = 200_000_000  # bytes that a disk with a log should have left


def examine_machine(
    settings: Settings, told: beanstalk.Properties, log: Path | None
) -> Iterator[DoctorFinding]:
    """
    Args:
        told: what Elastic Beanstalk said when the settings were read.
        log: where ebhook's own log is to be; None for nowhere.
    """
    holder = deployed.identify("doctor", settings)
    here = beanstalk.is_here()
    known = [holder.environment or "no environment", holder.version_label or "no version label"]
    yield ok("identity", holder.name, ", ".join(known) if here else "not on Elastic Beanstalk")
    if here and told.problem is not None:
        by_hand = f"Run it by hand: sudo {beanstalk.GET_CONFIG} environment"
        again: Next | str = then("Run this as root: sudo ", ebhook("doctor"))
        next = again if beanstalk.FOR_ROOT in told.problem else by_hand
        yield warn("properties", str(beanstalk.GET_CONFIG), told.problem, next)
    elif here:
        counts = (f"{len(v.values)} from {v.origin}" for v in told.variables)
        yield ok("properties", str(beanstalk.GET_CONFIG), ", ".join(counts))
    if here:
        yield from _deadline(settings)
    if log is not None:
        yield from _log(log)


def _deadline(settings: Settings) -> Iterator[DoctorFinding]:
    timeout, deadline = beanstalk.command_timeout(), settings.rollout.deadline
    said = f"{deadline:g} s, of the {timeout:g} s of a deployment" if timeout else f"{deadline:g} s"
    if timeout is not None and deadline >= timeout:
        yield warn(
            "deadline",
            "rollout.deadline",
            said,
            "Leave it out, so that it follows Elastic Beanstalk's Timeout, or raise that",
        )
    else:
        yield ok("deadline", "rollout.deadline", said)


def _log(log: Path) -> Iterator[DoctorFinding]:
    place = log if log.exists() else log.parent
    try:
        left = shutil.disk_usage(place).free
    except OSError as error:
        yield fail("log", str(log), f"{error.strerror}", f"Make the folder: mkdir -p {log.parent}")
        return
    if not os.access(place, os.W_OK):
        yield warn("log", str(log), "cannot be written", then("Run it as root: ", ebhook("doctor")))
    elif left < ROOM:
        yield warn("log", str(log), f"{left // 1_000_000} MB left", "Make room on that disk")
    else:
        yield ok("log", str(log), f"{left / 1_000_000_000:.1f} GB left")
