"""Trying again: bounded in attempts and in time, told each time, pausing as it is told to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState

from ebhook.database.retry import retrying


class Passing(Exception):
    """May pass by itself."""


class Fatal(Exception):
    """Does not."""


def never() -> float:
    return time.monotonic() + 3600


class Work:
    """Fails `times` times; counts how often it was asked."""

    def __init__(self, times: int, error: type[Exception] = Passing) -> None:
        self.calls, self.times, self.error = 0, times, error

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error(f"attempt {self.calls}")
        return "done"


def test_it_ends_with_the_first_success() -> None:
    """Between failures it pauses; after a success it asks no more."""
    pauses: list[float] = []
    work = Work(2)

    assert retrying(on=Passing, attempts=5, deadline=never(), sleep=pauses.append)(work) == "done"
    assert work.calls == 3
    assert len(pauses) == 2


@given(attempts=st.integers(1, 20))
def test_attempts_are_bounded(attempts: int) -> None:
    """After the last attempt its own error comes out, not a wrapper's."""
    work = Work(99)

    with pytest.raises(Passing, match=f"^attempt {attempts}$"):
        retrying(on=Passing, attempts=attempts, deadline=never(), sleep=lambda s: None)(work)

    assert work.calls == attempts


@pytest.mark.parametrize("left", [-1.0, 0.0, 0.05])
def test_time_is_bounded(left: float) -> None:
    """No attempt begins after the deadline: a pause that would end later is not begun either."""
    pauses: list[float] = []
    work = Work(99)

    with pytest.raises(Passing, match=r"^attempt 1$"):
        retrying(
            on=Passing,
            attempts=99,
            deadline=time.monotonic() + left,
            first=0.1,
            sleep=pauses.append,
        )(work)

    assert pauses == []


def test_time_is_bounded_with_real_pauses() -> None:
    """The clock is the real one: pausing for real, it ends near its deadline."""
    began = time.monotonic()

    with pytest.raises(Passing):
        retrying(on=Passing, attempts=10_000, deadline=began + 0.2, first=0.01, longest=0.05)(
            Work(10_000)
        )

    assert time.monotonic() - began < 0.3


def test_other_errors_come_out_at_once() -> None:
    """What will not pass by itself is not tried again."""
    work = Work(99, Fatal)

    with pytest.raises(Fatal, match=r"^attempt 1$"):
        retrying(on=Passing, attempts=5, deadline=never(), sleep=lambda s: None)(work)


@given(first=st.floats(0.01, 1), longest=st.floats(1, 10))
def test_pauses_grow_and_are_capped(first: float, longest: float) -> None:
    """Exponential with jitter, from `first` up to `longest`."""
    pauses: list[float] = []

    with pytest.raises(Passing):
        retrying(
            on=Passing,
            attempts=12,
            deadline=never(),
            first=first,
            longest=longest,
            sleep=pauses.append,
        )(Work(99))

    assert len(pauses) == 11
    assert first <= pauses[0] <= 2 * first
    assert all(pause <= longest + first for pause in pauses)  # the jitter may come on top
    assert pauses[-1] >= longest


def test_pauses_are_not_the_same_for_all() -> None:
    """Instances that boot together must not come back together."""
    firsts = set()
    for _ in range(8):
        pauses: list[float] = []
        retrying(on=Passing, attempts=2, deadline=never(), sleep=pauses.append)(Work(1))
        firsts.update(pauses)

    assert len(firsts) > 1


def test_no_pause_where_the_attempt_itself_waited() -> None:
    """A wait inside the server is not followed by another one here."""
    pauses: list[float] = []

    retrying(
        on=Passing,
        attempts=3,
        deadline=never(),
        pause=lambda state: state.attempt_number > 1,
        sleep=pauses.append,
    )(Work(2))

    assert pauses[0] == 0.0 < pauses[1]


def test_each_failure_that_is_followed_by_another_attempt_is_told() -> None:
    """Before each pause, and not after the last failure."""
    told: list[str] = []

    def tell(state: RetryCallState) -> None:
        assert state.outcome is not None
        told.append(str(state.outcome.exception()))

    with pytest.raises(Passing):
        retrying(
            on=(Passing, KeyError),
            attempts=3,
            deadline=never(),
            before_sleep=tell,
            sleep=lambda s: None,
        )(Work(99))

    assert told == ["attempt 1", "attempt 2"]
