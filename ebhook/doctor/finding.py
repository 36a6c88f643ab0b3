"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ebhook.errors import EbhookError
from ebhook.next_command import Next, as_next


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"  # a boot would work; something is not as it should be
    FAIL = "fail"  # a boot would not


@dataclass(frozen=True)
class DoctorFinding:
    """One line: which check, of what, how it is, and what to do about it."""

    check: str
    subject: str
    level: Level
    text: str
    next: Next = Next()  # noqa: RUF009 (it is frozen)


def ok(check: str, subject: str, text: str) -> DoctorFinding:
    return DoctorFinding(check, subject, Level.OK, text)


def warn(check: str, subject: str, text: str, next: Next | str) -> DoctorFinding:
    return DoctorFinding(check, subject, Level.WARN, text, as_next(next))


def fail(check: str, subject: str, text: str, next: Next | str) -> DoctorFinding:
    return DoctorFinding(check, subject, Level.FAIL, text, as_next(next))


def failed(check: str, subject: str, error: EbhookError) -> DoctorFinding:
    """An error of a part that the doctor tried."""
    return DoctorFinding(check, subject, Level.FAIL, error.what, error.next)
