"""Trying again: always bounded in attempts and in time, with exponential, jittered pauses."""

from __future__ import annotations

import time
from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)
from tenacity.stop import stop_base


class _stop_at(stop_base):
    """No attempt begins after `deadline` (monotonic seconds)."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline

    def __call__(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self.deadline


def retrying(
    *,
    on: type[BaseException] | tuple[type[BaseException], ...],
    attempts: int,
    deadline: float,
    first: float = 0.1,
    longest: float = 5.0,
    pause: Callable[[RetryCallState], bool] = lambda state: True,
    before_sleep: Callable[[RetryCallState], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Retrying:
    """A tenacity `Retrying` that re-raises the last error itself.

    Args:
        on: the errors that may pass by themselves; nothing else is tried again.
        attempts: at most so many.
        deadline: monotonic seconds after which no attempt begins.
        first, longest: seconds of the first and the longest pause.
        pause: False where the failed attempt itself waited (in the server, say).
        before_sleep: told of each failed attempt that is followed by another.
        sleep: how to pause; tests put in their own.
    """
    backoff = wait_exponential(multiplier=first, max=longest) + wait_random(0, first)
    return Retrying(
        retry=retry_if_exception_type(on),
        stop=stop_after_attempt(attempts) | _stop_at(deadline),
        wait=lambda state: backoff(state) if pause(state) else 0.0,
        before_sleep=before_sleep,
        sleep=sleep,
        reraise=True,
    )
