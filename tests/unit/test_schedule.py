"""The order of a rollout, decided without a process, a server or a clock."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision
from ebhook.database.url import Url
from ebhook.errors import (
    ConnectionLost,
    EbhookError,
    LockHeld,
    MigrationFailed,
    Refused,
    TenantFrozen,
    Transient,
    Unreachable,
)
from ebhook.events import Outcome, PutBack, Stopping, WaveStarted
from ebhook.fleet.standing import Standing, State
from ebhook.rollout.plan import Plan
from ebhook.rollout.schedule import PAUSES, Begin, Look, Schedule
from ebhook.settings import LockSettings, RolloutSettings, Settings, WaveSettings
from ebhook.tenant import Tenant
from ebhook.upgrade.messages import UpgradeResult

CHAIN = Chain(
    {
        "a1": Revision("a1", (), "first", None, Path(), ""),
        "a2": Revision("a2", ("a1",), "second", None, Path(), ""),
    }
)
DEADLINE = 100.0


def behind(name: str) -> Standing:
    return Standing(Tenant(name, Url()), State.BEHIND, ("a1",), 1)


def at_head(name: str) -> Standing:
    return Standing(Tenant(name, Url()), State.AT_HEAD, ("a2",), 0)


def unread(name: str, error: EbhookError) -> Standing:
    return Standing(Tenant(name, Url()), State.UNREACHABLE, error=error)


class Rollout:
    """A schedule, and what it decided so far."""

    def __init__(
        self,
        *standings: Standing,
        canary: tuple[str, ...] = (),
        workers: int = 2,
        max_failures: int = 3,
        lock_wait: float = 50.0,
        start: float = 0.0,
        waves: tuple[WaveSettings, ...] = (),
        skips_frozen: bool = False,
    ) -> None:
        settings = Settings(
            rollout=RolloutSettings(workers=workers, max_failures=max_failures, waves=waves),
            lock=LockSettings(wait=lock_wait),
        )
        plan = Plan("a2", DEADLINE, canary=canary, skips_frozen=skips_frozen)
        self.schedule = Schedule.of(standings, CHAIN, plan, settings, start=start)
        self.now = 0.0
        self.said: list[object] = []

    def begun(self) -> dict[str, float]:
        """The tenants that a worker is to be started for now, and how long it may wait."""
        decided = self.schedule.decide(self.now)
        self.said += [one for one in decided if not isinstance(one, Begin)]
        return {one.tenant.name: one.wait for one in decided if isinstance(one, Begin)}

    def looks(self) -> list[list[str]]:
        """The tenants that are to be read again now."""
        before = len(self.said)
        assert not self.begun()
        found = [one for one in self.said[before:] if isinstance(one, Look)]
        return [[tenant.name for tenant in one.tenants] for one in found]

    def upgraded(self, *names: str) -> None:
        for name in names:
            self.schedule.upgraded(name, UpgradeResult(("a1",), ("a2",)), self.now)

    def failed(self, name: str, error: EbhookError) -> None:
        self.schedule.failed(name, error, self.now)

    def looked(self, *standings: Standing) -> None:
        self.schedule.looked(standings, 0.0, self.now)

    def outcome(self, name: str) -> Outcome:
        return self.schedule.results[name].outcome


def test_workers_bound_what_runs() -> None:
    """Two workers: the third tenant begins when one of the first two has ended."""
    rollout = Rollout(*map(behind, "abc"))

    assert rollout.begun() == {"a": 0.0, "b": 0.0}
    assert rollout.begun() == {}
    rollout.upgraded("b")
    assert rollout.begun() == {"c": 0.0}
    rollout.upgraded("a", "c")
    rollout.begun()
    assert rollout.schedule.over


def test_what_needs_no_work_is_settled_at_once() -> None:
    """At head, and refused by the survey: nothing is decided for them."""
    rollout = Rollout(at_head("a"), unread("b", Refused("no")))

    assert rollout.schedule.over
    assert (rollout.outcome("a"), rollout.outcome("b")) == (Outcome.AT_HEAD, Outcome.REFUSED)


def test_the_canary_goes_first_and_alone() -> None:
    """The rest begins at its own place in the list, after the canary has ended well."""
    rollout = Rollout(*map(behind, "abcd"), canary=("c",), start=0.5)

    assert list(rollout.begun()) == ["c"]
    rollout.upgraded("c")
    assert list(rollout.begun()) == ["b", "d"]
    waves = [one for one in rollout.said if isinstance(one, WaveStarted)]
    assert waves == [WaveStarted("canary", ("c",)), WaveStarted("rest", ("b", "d", "a"))]


def test_a_frozen_tenant_is_not_waited_for() -> None:
    """It has its result at once, and is not read again; frozen canaries stop the rollout."""
    rollout = Rollout(*map(behind, "ab"), canary=("a",))

    rollout.begun()
    rollout.failed("a", TenantFrozen("frozen"))
    assert rollout.begun() == {}
    assert rollout.schedule.over
    assert (rollout.outcome("a"), rollout.outcome("b")) == (Outcome.FROZEN, Outcome.SKIPPED)


def test_the_canary_moves_on_from_a_frozen_tenant() -> None:
    """To the next tenant in the order, alone, whatever part of the list the rest begins at; a tenant
    at head proves it, too."""
    rollout = Rollout(*map(behind, "abcd"), canary=("a",), start=0.5, skips_frozen=True)

    rollout.begun()
    rollout.failed("a", TenantFrozen("frozen"))
    assert list(rollout.begun()) == ["b"]
    rollout.failed("b", TenantFrozen("frozen"))
    assert list(rollout.begun()) == ["c"]
    rollout.upgraded("c")
    assert list(rollout.begun()) == ["d"]

    proven = Rollout(behind("a"), at_head("b"), behind("c"), canary=("a",), skips_frozen=True)
    proven.begun()
    proven.failed("a", TenantFrozen("frozen"))
    assert list(proven.begun()) == ["c"]


def test_a_canary_that_fails_in_the_place_of_a_frozen_one_stops_the_rollout() -> None:
    """It is as much a canary as the first."""
    rollout = Rollout(*map(behind, "abc"), canary=("a",), skips_frozen=True)

    rollout.begun()
    rollout.failed("a", TenantFrozen("frozen"))
    rollout.begun()
    rollout.failed("b", MigrationFailed("no"))
    rollout.begun()
    rollout.looked(behind("b"))
    assert rollout.begun() == {}
    assert rollout.outcome("c") is Outcome.SKIPPED


@pytest.mark.parametrize("surveyed", [False, True])
def test_a_canary_that_is_not_proven_stops_all(surveyed: bool) -> None:
    """Whether a worker failed at it or the survey could not read it."""
    canary = unread("a", Refused("no")) if surveyed else behind("a")
    rollout = Rollout(canary, *map(behind, "bc"), canary=("a",))
    if not surveyed:
        assert list(rollout.begun()) == ["a"]
        rollout.failed("a", MigrationFailed("no"))
        assert rollout.looks() == [["a"]]
        rollout.looked(behind("a"))

    assert rollout.begun() == {}
    assert rollout.schedule.over
    assert {rollout.outcome(name) for name in "bc"} == {Outcome.SKIPPED}
    assert Stopping("canary a is not proven") in rollout.said


@pytest.mark.parametrize("error", [MigrationFailed("no"), Refused("no privilege")])
def test_failures_beyond_the_limit_stop_the_rest(error: EbhookError) -> None:
    """A migration that failed, and a server that refused in the middle of one, count alike."""
    rollout = Rollout(*map(behind, "abcd"), workers=1, max_failures=1)
    for name in "ab":
        rollout.now += 1
        assert list(rollout.begun()) == [name]
        rollout.now += 1
        rollout.failed(name, error)
        assert rollout.looks() == [[name]]
        rollout.looked(behind(name))

    assert rollout.begun() == {}
    assert {rollout.outcome(name) for name in "cd"} == {Outcome.SKIPPED}


def test_what_the_survey_refused_is_no_failure_of_a_migration() -> None:
    """Many agencies whose logins are wrong do not stop the others."""
    wrong = [unread(name, Refused("no")) for name in "bcdefg"]
    rollout = Rollout(behind("a"), *wrong, max_failures=0)

    assert list(rollout.begun()) == ["a"]


def test_a_held_tenant_is_looked_at_and_then_waited_for() -> None:
    """The others go first; then a worker waits for as long as lock.wait leaves."""
    rollout = Rollout(*map(behind, "ab"), workers=1, lock_wait=30.0)
    rollout.begun()
    rollout.failed("a", LockHeld("held"))
    rollout.now = 10.0
    assert list(rollout.begun()) == ["b"]
    rollout.upgraded("b")
    assert rollout.looks() == [["a"]]
    rollout.looked(behind("a"))

    assert rollout.begun() == {"a": 20.0}
    rollout.now = 30.0
    rollout.failed("a", LockHeld("held"))
    assert rollout.outcome("a") is Outcome.LOCKED
    assert PutBack("a", "held") in rollout.said


def test_a_held_tenant_that_another_brought_to_head_is_done() -> None:
    rollout = Rollout(behind("a"))
    rollout.begun()
    rollout.failed("a", LockHeld("held"))
    assert rollout.looks() == [["a"]]
    rollout.looked(at_head("a"))

    assert rollout.outcome("a") is Outcome.AT_HEAD


def test_others_at_work_are_noticed() -> None:
    """One tenant that another instance did: all that wait are read again, once, before more begin."""
    rollout = Rollout(*map(behind, "abcd"), workers=1)
    rollout.begun()
    rollout.now = 1.0
    rollout.schedule.upgraded("a", UpgradeResult(("a2",), ("a2",)), rollout.now)

    assert rollout.looks() == [["b", "c", "d"]]
    rollout.looked(at_head("b"), behind("c"), behind("d"))
    assert list(rollout.begun()) == ["c"]
    assert rollout.outcome("b") is Outcome.AT_HEAD


@pytest.mark.parametrize(
    ("found", "outcome"), [(at_head("a"), Outcome.UPGRADED), (behind("a"), None)]
)
def test_a_lost_worker_is_looked_after(found: Standing, outcome: Outcome | None) -> None:
    """What the database says decides: done by the one that died, or to be done again."""
    rollout = Rollout(behind("a"))
    rollout.begun()
    rollout.failed("a", ConnectionLost("died"))
    assert rollout.looks() == [["a"]]
    rollout.looked(found)

    if outcome is None:
        assert list(rollout.begun()) == ["a"]
    else:
        assert rollout.outcome("a") is outcome


def test_what_is_lost_again_and_again_has_failed() -> None:
    rollout = Rollout(behind("a"))
    for _ in range(3):
        assert list(rollout.begun()) == ["a"]
        rollout.failed("a", ConnectionLost("died"))
        rollout.looks()
        rollout.looked(behind("a"))

    assert rollout.outcome("a") is Outcome.FAILED


def test_what_was_lost_and_cannot_be_read_is_tried_until_the_deadline() -> None:
    """A fail-over: with longer and longer pauses; then its state is unknown, and 75 says try again."""
    rollout = Rollout(behind("a"))
    rollout.begun()
    rollout.failed("a", ConnectionLost("died"))
    for pause in (*PAUSES, PAUSES[-1]):
        assert rollout.looks() == [["a"]]
        rollout.looked(unread("a", Unreachable("no answer")))
        assert rollout.looks() == []
        assert rollout.schedule.wake_at(rollout.now) == rollout.now + pause
        rollout.now += pause
    rollout.now = DEADLINE

    rollout.begun()
    result = rollout.schedule.results["a"]
    assert result.outcome is Outcome.UNKNOWN
    assert result.error is not None
    assert result.error.exit_code == 75


def test_what_is_refused_for_now_is_begun_again_after_a_pause() -> None:
    """A read-only writer: looked at, begun again, and at the deadline it is to be tried again."""
    rollout = Rollout(behind("a"))
    rollout.begun()
    for pause in PAUSES[:3]:
        rollout.failed("a", Transient("read-only"))
        assert rollout.schedule.wake_at(rollout.now) is not None
        rollout.begun()
        assert rollout.schedule.wake_at(rollout.now) == rollout.now + pause
        rollout.now += pause
        assert rollout.looks() == [["a"]]
        rollout.looked(behind("a"))
        assert list(rollout.begun()) == ["a"]
    rollout.now = DEADLINE
    rollout.begun()
    rollout.failed("a", Transient("read-only"))

    result = rollout.schedule.results["a"]
    assert (result.outcome, str(result.error)) == (
        Outcome.UNREACHABLE,
        "read-only Nothing was changed.",
    )


def test_what_the_survey_was_refused_for_now_is_looked_at_again() -> None:
    """A password in rotation: the tenant is not given up, and the others do not wait for it."""
    rollout = Rollout(unread("a", Transient("rotating")), behind("b"))

    assert list(rollout.begun()) == ["b"]
    rollout.now = PAUSES[0]
    assert rollout.looks() == [["a"]]
    rollout.looked(behind("a"))
    assert list(rollout.begun()) == ["a"]


def test_one_silent_server_is_asked_once_for_all_that_wait() -> None:
    """After a worker found a server away, the rest of its tenants is read before more workers go."""
    rollout = Rollout(*map(behind, "abc"), workers=1)
    rollout.begun()
    rollout.now = 1.0
    rollout.failed("a", Unreachable("no answer"))

    assert rollout.looks() == [["b", "c"]]
    rollout.looked(unread("b", Unreachable("no answer")), unread("c", Unreachable("no answer")))
    rollout.begun()
    assert {rollout.outcome(name) for name in "abc"} == {Outcome.UNREACHABLE}


def test_nothing_is_begun_that_cannot_end_in_time() -> None:
    """The slowest tenant so far says how long another one may take."""
    rollout = Rollout(*map(behind, "ab"), workers=1)
    rollout.begun()
    rollout.now = 60.0
    rollout.upgraded("a")

    assert rollout.begun() == {}
    assert rollout.outcome("b") is Outcome.SKIPPED
    assert rollout.schedule.over


def test_after_a_signal_what_runs_may_end_and_nothing_begins() -> None:
    rollout = Rollout(*map(behind, "abc"), workers=1)
    rollout.begun()
    rollout.schedule.halt("SIGTERM")
    rollout.schedule.halt("the deadline is too near")

    assert rollout.begun() == {}
    assert rollout.schedule.halted == "SIGTERM"
    assert {rollout.outcome(name) for name in "bc"} == {Outcome.SKIPPED}
    assert not rollout.schedule.over
    rollout.upgraded("a")
    rollout.begun()
    assert rollout.schedule.over


def test_a_lost_worker_after_a_signal_is_told_where_it_stands() -> None:
    """It is not begun again, and 75 says to go on."""
    rollout = Rollout(behind("a"))
    rollout.begun()
    rollout.schedule.halt("SIGTERM")
    rollout.failed("a", ConnectionLost("the worker process was ended."))
    assert rollout.looks() == [["a"]]
    rollout.looked(behind("a"))

    result = rollout.schedule.results["a"]
    assert result.outcome is Outcome.SKIPPED
    assert "It stands at a1." in str(result.error)


def test_what_is_being_read_can_be_given_up() -> None:
    """The time is over: of what was lost nothing is known; what failed keeps its reason."""
    rollout = Rollout(*map(behind, "ab"))
    rollout.begun()
    rollout.failed("a", ConnectionLost("died"))
    rollout.failed("b", MigrationFailed("no"))
    rollout.looks()
    rollout.schedule.give_up(rollout.now)

    assert (rollout.outcome("a"), rollout.outcome("b")) == (Outcome.UNKNOWN, Outcome.FAILED)
    rollout.looked(at_head("a"))
    assert rollout.outcome("a") is Outcome.UNKNOWN


def test_a_canary_that_is_given_up_leaves_no_wave_behind() -> None:
    """Halted while the canary waits: one call decides for it and for the rest."""
    rollout = Rollout(*map(behind, "ab"), canary=("a",))
    rollout.begun()
    rollout.schedule.not_begun("a")
    rollout.schedule.halt("no processes")

    assert rollout.begun() == {}
    assert rollout.schedule.over


def test_what_could_not_be_begun_is_decided_again() -> None:
    rollout = Rollout(behind("a"))
    rollout.begun()
    rollout.schedule.not_begun("a")

    assert rollout.schedule.wake_at(rollout.now) == rollout.now
    assert list(rollout.begun()) == ["a"]


# Waves


def test_waves_go_one_after_the_other() -> None:
    """After the canary, by name, pattern and group, each with its own workers; what is in none goes last."""
    waves = (WaveSettings("pilot", ("b", "x*"), workers=1), WaveSettings("europe", group="eu"))
    european = Standing(Tenant("e", Url(), "eu"), State.BEHIND, ("a1",), 1)
    standings = [*map(behind, ("a", "b", "x1", "z")), european]
    rollout = Rollout(*standings, canary=("a",), waves=waves)

    order = []
    while not rollout.schedule.over:
        names = list(rollout.begun())
        order.append(names)
        rollout.upgraded(*names)

    assert [names for names in order if names] == [["a"], ["b"], ["x1"], ["e"], ["z"]]
    started = [one.name for one in rollout.said if isinstance(one, WaveStarted)]
    assert started == ["canary", "pilot", "europe", "rest"]


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_a_wave_that_fails_stops_all_or_itself(on_error: str) -> None:
    """More failures than its own max_failures: nothing new begins, or only what is left of it does not."""
    wave = msgspec.convert(
        {"name": "pilot", "tenants": ["p*"], "workers": 1, "max_failures": 0, "on_error": on_error},
        WaveSettings,
    )
    rollout = Rollout(*map(behind, ("p1", "p2", "p3", "z")), waves=(wave,))

    assert list(rollout.begun()) == ["p1"]
    rollout.failed("p1", MigrationFailed("p1: no"))
    assert rollout.looks() == [["p1"]]
    rollout.looked(behind("p1"))
    begun = list(rollout.begun())

    assert begun == (["z"] if on_error == "continue" else [])
    assert {rollout.outcome(name) for name in ("p2", "p3")} == {Outcome.SKIPPED}
    assert "1 failed in wave pilot" in str(rollout.schedule.results["p2"].error)
    if begun:
        rollout.upgraded("z")
    rollout.begun()
    assert rollout.schedule.over
    assert rollout.outcome("z") is (Outcome.UPGRADED if begun else Outcome.SKIPPED)


def test_a_deadline_between_waves_says_where_to_go_on() -> None:
    """It names the waves that were not begun."""
    wave = WaveSettings("pilot", ("p",))
    rollout = Rollout(*map(behind, ("p", "z")), waves=(wave,))

    rollout.begun()
    rollout.now = DEADLINE
    rollout.upgraded("p")
    rollout.begun()

    (stopping,) = [one for one in rollout.said if isinstance(one, Stopping)]
    assert stopping.why == (
        "the deadline is too near; not begun: wave rest; the next run goes on there"
    )
    assert rollout.outcome("z") is Outcome.SKIPPED
