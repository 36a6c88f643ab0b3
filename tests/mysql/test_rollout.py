"""The rollout on real fleets: who goes first, what one failure does to the others, how it is stopped."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ebhook.database.connection import connect
from ebhook.database.url import fill
from ebhook.holder import Holder
from ebhook.lock.lock import TenantLock
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency, Running
from tests.support.general_log import general_log
from tests.support.watching import ask, descendants, ends_of, running, sessions, until

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency("linear", 4)``: a project with so many empty tenants."""

    def make(project: str, count: int, **settings: object) -> Agency:
        return Agency(fleet(count), ebhook, PROJECTS / project, settings)

    return make


def spoil(tenants: Agency, name: str) -> None:
    """Makes a002 of the project `linear` fail in this tenant: its table is there already."""
    tenants.ask(name, "CREATE TABLE visits (id INT)")


@contextmanager
def held(tenants: Agency, name: str, instance: str) -> Iterator[None]:
    """Another instance has the tenant's lock."""
    connection = connect(fill(tenants.fleet.template, name), database=name, timeout=10)
    try:
        lock = TenantLock(connection, name, "migration_lock", named=True)
        holder = Holder(instance, 412, "prod", "v512", "boot", "")
        with lock.held(holder, wait=0, emit=lambda event: None, done=lambda: False):
            yield
    finally:
        connection.close()


# --- processes -------------------------------------------------------------------------------------


def printed(
    make: Make, folder: Path, *, outside: str = "", inside: str = "pass", env_py: str = ""
) -> list[list[str]]:
    """What each of four tenants of a stock Flask-Migrate project has printed: what a revision does, with
    code added outside of its functions, inside, and to env.py; and which process that was."""
    folder = folder / "flask_migrate"
    shutil.copytree(PROJECTS / "flask_migrate", folder)
    (first,) = (folder / "migrations" / "versions").glob("a001*.py")
    upgrade = f"{outside}\n\n\ndef upgrade():\n    {inside}"
    first.write_text(first.read_text().replace("def upgrade():", upgrade))
    with (folder / "migrations" / "env.py").open("a") as file:
        file.write(env_py)
    app = folder / "app.py"
    at_the_end = "app.teardown_appcontext(lambda error: print(os.getpid()))\n    return app"
    app.write_text(app.read_text().replace("return app", at_the_end))
    tenants = replace(make("flask_migrate", 4), project=folder)
    environ = {"APP_DATABASE_URI": "mysql+pymysql://nobody@localhost/no"}
    boot = tenants.start("boot", "--json", rollout_workers=1, **environ)
    ran = boot.end()
    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}
    return [
        [event["line"] for event in boot.events("Printed", tenant=name)] for name in tenants.names
    ]


@pytest.mark.parametrize(
    ("outside", "env_py", "processes"),
    [("", "", 1), ("import logging", "", 4), ("", "\nSEEN = []\n", 4)],
)
def test_a_worker_goes_on_only_if_nothing_can_be_left_in_it(
    agency: Make, tmp_path: Path, outside: str, env_py: str, processes: int
) -> None:
    """Plain version files and an env.py from its template keep nothing: one process for all four."""
    said = printed(agency, tmp_path, outside=outside, env_py=env_py)

    assert [len(lines) for lines in said] == [1] * 4
    assert len({pid for (pid,) in said}) == processes


@pytest.mark.parametrize(
    ("outside", "inside"),
    [
        ("SEEN = []", "SEEN.append(1); print(len(SEEN))"),
        ("ONES = zip(range(1))", "print(len(list(ONES)))"),
        ("import itertools; numbers = itertools.count(1)", "print(next(numbers))"),
        ("def seen(known=[]): known.append(1); return len(known)", "print(seen())"),
        ("", "sa.seen = getattr(sa, 'seen', 0) + 1; print(sa.seen)"),
        ("from app import db", "db.seen = getattr(db, 'seen', 0) + 1; print(db.seen)"),
    ],
)
def test_nothing_is_carried_from_tenant_to_tenant(
    agency: Make, tmp_path: Path, outside: str, inside: str
) -> None:
    said = printed(agency, tmp_path, outside=outside, inside=inside)

    assert [line for line, _ in said] == ["1"] * 4


# --- waves ----------------------------------------------------------------------------------------


def test_canary_is_done_before_anything_else_begins(agency: Make) -> None:
    """The configured canary, here the last of the list, goes first and alone."""
    tenants = agency("linear", 3)
    *others, last = tenants.names
    boot = tenants.start("boot", "--json", rollout_canary=last)

    assert boot.end().code == 0

    story = boot.events("UpgradeStarted", "TenantDone")
    assert [(event["event"], event["tenant"]) for event in story[:2]] == [
        ("UpgradeStarted", last),
        ("TenantDone", last),
    ]
    waves = boot.events("WaveStarted")
    assert [set(wave["tenants"]) for wave in waves] == [{last}, set(others)]


def test_failing_canary_stops_everything(agency: Make) -> None:
    """The first tenant's migration fails: in the others there is not a table more than before."""
    tenants = agency("fails_midway", 3)
    first, *others = tenants.names

    ran = tenants.run("boot", "--json")

    assert ran.code == 2
    assert tenants.outcomes(ran) == {first: "failed"} | dict.fromkeys(others, "skipped")
    (canary, *_) = ran.json()["tenants"]
    at = [canary["error"][key] for key in ("revision", "statement", "errno", "stands_at")]
    assert at == ["a002", 3, 1060, "a001"]
    assert "It stands at a001 plus 2 statements of a002" in str(canary["error"])
    for name in others:
        assert tenants.ask(name, "SHOW TABLES") == []
    assert tenants.lock_rows() == []


def test_failing_tenant_leaves_the_others_at_head(agency: Make) -> None:
    """After the canary, one tenant's failure is its own."""
    tenants = agency("linear", 5)
    broken = tenants.names[2]
    spoil(tenants, broken)

    ran = tenants.run("boot", "--json")

    assert ran.code == 2
    wanted = dict.fromkeys(tenants.names, "upgraded") | {broken: "failed"}
    assert tenants.outcomes(ran) == wanted
    assert tenants.version(broken) == "a001"
    assert [tenants.version(name) for name in tenants.names if name != broken] == ["a005"] * 4
    assert tenants.lock_rows() == []


def test_too_many_failures_stop_the_rest(agency: Make) -> None:
    """More than `max_failures` are a pattern: what has not begun is left as it is."""
    tenants = agency("linear", 6)
    for name in tenants.names[1:]:
        spoil(tenants, name)

    ran = tenants.run("boot", "--json", rollout_max_failures=1, rollout_workers=1)

    assert ran.code == 2
    assert sorted(tenants.outcomes(ran).values()) == ["failed"] * 2 + ["skipped"] * 3 + ["upgraded"]
    assert "max_failures" in ran.stderr


# --- held by others -------------------------------------------------------------------------------


def test_held_tenant_is_put_back_and_waited_for(agency: Make) -> None:
    """The others are not kept waiting; whoever has it is named, and it is done when they let go."""
    tenants = agency("linear", 3)
    _, second, third = tenants.names
    with held(tenants, second, "i-other"):
        boot = tenants.start("boot", "--json", rollout_workers=1)
        boot.await_event("PutBack", tenant=second)
        boot.await_event("TenantDone", tenant=third)
        waiting = boot.await_event("LockWaiting", tenant=second)
    ran = boot.end()

    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}
    assert waiting["holder"].startswith("i-other:")
    assert 0 < waiting["seconds_left"] <= 300
    assert f"{second}: waiting for i-other:" in ran.stderr


def test_worst_outcome_decides_the_exit_code(agency: Make) -> None:
    """At head 0, frozen by a person 75, a revision that nobody knows 2: the worst of them counts."""
    tenants = agency("linear", 3)
    at_head, frozen, unknown = tenants.names
    tenants.stand(at_head, "a005")
    tenants.stand(unknown, "ffff")
    with held(tenants, frozen, "i-other"):
        pass
    tenants.ask(frozen, "INSERT INTO migration_lock (holder) VALUES ('Bea')")
    before = tenants.ask(frozen, "SELECT * FROM migration_lock")

    well = tenants.run("upgrade", at_head)
    later = tenants.run("upgrade", "--json", at_head, frozen)
    worse = tenants.run("upgrade", "--json")

    assert (well.code, later.code, worse.code) == (0, 75, 2)
    assert tenants.outcomes(later)[frozen] == "frozen"
    assert "Bea (by hand)" in later.stderr
    assert tenants.outcomes(worse) == {at_head: "at_head", frozen: "frozen", unknown: "refused"}
    assert tenants.ask(frozen, "SELECT * FROM migration_lock") == before
    assert "clients" not in tenants.tables(frozen)


# --- the clock ------------------------------------------------------------------------------------


def whole(tenants: Agency, name: str) -> bool:
    """Is the tenant of the project `slow` exactly at one of its revisions?"""
    columns = {
        None: None,
        "a001": ["id", "name"],
        "a002": ["id", "name", "email", "phone"],
        "a003": ["id", "name", "email", "phone"],
    }
    at = tenants.version(name)
    found = tenants.columns(name, "clients") if "clients" in tenants.tables(name) else None
    return found == columns[at] and ("visits" in tenants.tables(name)) == (at == "a003")


def test_nothing_is_begun_that_cannot_end_in_time(agency: Make) -> None:
    """At the deadline what is left is said; what was begun is whole; the next boot does the rest."""
    tenants = agency("slow", 3, EBHOOK_TEST_SLOW=1)

    ran = tenants.run("boot", "--json", rollout_deadline=4, rollout_workers=1, rollout_canary="")

    assert ran.code == 75, ran.stderr
    outcomes = tenants.outcomes(ran)
    assert set(outcomes.values()) <= {"upgraded", "skipped"}
    assert "skipped" in outcomes.values()
    assert "deadline" in ran.stderr
    assert all(whole(tenants, name) for name in tenants.names)
    assert tenants.lock_rows() == []

    assert tenants.run("boot", EBHOOK_TEST_SLOW=0.1).code == 0
    assert tenants.versions() == {"a003"}


# --- signals and kills ----------------------------------------------------------------------------


def in_the_middle(tenants: Agency, person: Any, **settings: object) -> tuple[Running, str, int]:
    """A boot that is inside the slow statement of a002: it, the tenant, and the session."""
    boot = tenants.start("boot", "--json", **settings)
    started = boot.await_event("RevisionStarted", revision="a002")
    name = str(started["tenant"])
    (session,) = until(lambda: running(person, name, "SLEEP("), "the slow statement runs")
    return boot, name, session


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_lets_the_revision_end(
    agency: Make, server: AnyServer, number: signal.Signals
) -> None:
    """The revision under way is finished, no further one begins, and no lock is left."""
    tenants = agency("slow", 2, EBHOOK_TEST_SLOW=1.5)
    first, second = tenants.names
    with server.connect() as person:
        boot, name, _ = in_the_middle(tenants, person)
        assert name == first
        # A terminal's Ctrl-C goes to the whole group, a supervisor's SIGTERM to the process.
        (os.killpg if number is signal.SIGINT else os.kill)(boot.process.pid, number)
        ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert number.name in ran.stderr
    assert tenants.outcomes(ran) == {first: "skipped", second: "skipped"}
    assert tenants.version(first) == "a002"
    assert whole(tenants, first)
    assert tenants.ask(second, "SHOW TABLES") == []
    assert tenants.lock_rows() == []


def test_second_signal_ends_the_statement(agency: Make, server: AnyServer) -> None:
    """Who signals twice does not wait for the statement: the server ends it, the lock is freed."""
    tenants = agency("slow_ddl", 1, EBHOOK_TEST_SLOW=100)
    (name,) = tenants.names
    with server.connect() as person:
        boot, _, session = in_the_middle(tenants, person)
        boot.process.terminate()
        boot.await_event("Stopping")
        boot.process.terminate()
        ran = boot.end()
        assert session not in running(person, name, "SLEEP(")

    assert ran.code == 75, ran.stderr
    # An interrupted SLEEP is an error on MariaDB; on MySQL it answers 1, and a002 is whole.
    wanted = {"a001": {"clients"}, "a002": {"clients", "slept"}}
    assert tenants.tables(name) == wanted[str(tenants.version(name))]
    assert tenants.lock_rows() == []

    assert tenants.run("boot", EBHOOK_TEST_SLOW=0.1).code == 0
    assert tenants.versions() == {"a003"}


def test_killed_boot_takes_its_processes_along(agency: Make, server: AnyServer) -> None:
    """kill -9 of boot alone: nobody of its own outlives it, and the next boot goes on from there."""
    tenants = agency("slow", 2, EBHOOK_TEST_SLOW=1.5)
    with server.connect() as person, general_log(server) as log:
        boot, name, _ = in_the_middle(tenants, person, holder="i-dead")
        family = descendants(boot.process.pid)
        assert len(family) >= 2
        with ends_of(family) as ended:
            boot.process.kill()
            ended()
        assert tenants.lock_rows() == [(name, "i-dead")]
        after = tenants.start("boot", "--json", holder="i-next")
        ran = after.end()
        changes = log.changes()

    assert ran.code == 0, ran.stderr
    assert tenants.versions() == {"a003"}
    assert all(whole(tenants, name) for name in tenants.names)
    assert tenants.lock_rows() == []
    taken_over = after.await_event("LockTakenOver", tenant=name)
    assert taken_over["holder"].startswith("i-dead:")
    for statements in changes.values():
        assert len(statements) == len(set(statements)) == 4


def test_killed_worker_costs_its_tenant_a_second_look(agency: Make, server: AnyServer) -> None:
    """kill -9 of one worker: the same boot looks where the tenant stands, and finishes it."""
    tenants = agency("slow", 2, EBHOOK_TEST_SLOW=1.5)
    with server.connect() as person, general_log(server) as log:
        boot, _, _ = in_the_middle(tenants, person)
        template, *_ = descendants(boot.process.pid)
        (worker,) = descendants(template)
        os.kill(worker, signal.SIGKILL)
        ran = boot.end()
        changes = log.changes()

    assert ran.code == 0, ran.stderr
    assert set(tenants.outcomes(ran).values()) == {"upgraded"}
    assert all(whole(tenants, name) for name in tenants.names)
    for statements in changes.values():
        assert len(statements) == len(set(statements)) == 4
    assert tenants.lock_rows() == []


def test_killed_template_is_replaced(agency: Make, server: AnyServer) -> None:
    """kill -9 of the process that workers come from: its workers die with it, a new one is loaded,
    and the same boot goes on from where they were."""
    tenants = agency("slow", 2, EBHOOK_TEST_SLOW=1)
    with server.connect() as person, general_log(server) as log:
        boot, name, _ = in_the_middle(tenants, person)
        template, *_ = descendants(boot.process.pid)
        os.kill(template, signal.SIGKILL)
        ran = boot.end()
        changes = log.changes()

    assert ran.code == 0, ran.stderr
    assert boot.events("PutBack", tenant=name)
    assert tenants.versions() == {"a003"}
    assert all(whole(tenants, name) for name in tenants.names)
    for statements in changes.values():
        assert len(statements) == len(set(statements)) == 4
    assert tenants.lock_rows() == []


def test_signal_while_waiting_for_a_lock(agency: Make) -> None:
    """A boot that only waits for another instance ends at once, and leaves that one its lock."""
    tenants = agency("linear", 1)
    (name,) = tenants.names
    with held(tenants, name, "i-other"):
        boot = tenants.start("boot", "--json")
        boot.await_event("LockWaiting", tenant=name)
        boot.process.terminate()
        ran = boot.end()
        assert tenants.lock_rows() == [(name, "i-other")]

    assert ran.code == 75, ran.stderr
    assert tenants.lock_rows() == []
    with tenants.fleet.server.connect() as person:
        until(lambda: not sessions(person, name), "no session is left")


@contextmanager
def in_the_way(tenants: Agency, name: str) -> Iterator[None]:
    """A tenant of `linear` at a002, where a person's open transaction stops a003."""
    tenants.stand_at_a002(name)
    with tenants.fleet.connect(name) as person:
        ask(person, "BEGIN")
        ask(person, "SELECT * FROM clients")
        yield


@pytest.mark.parametrize("signals", [1, 2])
def test_signal_ends_the_waiting_for_a_table(agency: Make, signals: int) -> None:
    """A statement that cannot have its table is not asked for again after a signal."""
    tenants = agency("linear", 1, ddl_lock_wait_timeout=1)
    (name,) = tenants.names
    with in_the_way(tenants, name):
        boot = tenants.start("boot", "--json")
        boot.await_event("StatementRetried", tenant=name)
        for _ in range(signals):
            boot.process.terminate()
            boot.await_event("Stopping")
        ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert tenants.version(name) == "a002"
    assert tenants.columns(name, "clients") == ["id", "name"]
    assert tenants.lock_rows() == []


def test_table_that_is_never_free_is_no_broken_migration(agency: Make) -> None:
    """At the deadline somebody still has the table: try again later, and nothing to mend."""
    tenants = agency("linear", 1, ddl_lock_wait_timeout=1)
    (name,) = tenants.names
    with in_the_way(tenants, name):
        ran = tenants.run("boot", "--json", rollout_deadline=5)

    assert ran.code == 75, ran.stderr
    (tenant,) = ran.json()["tenants"]
    assert "1205" in str(tenant["error"])
    assert "It stands at a002." in str(tenant["error"])
    assert tenants.run("boot").code == 0
    assert tenants.versions() == {"a005"}


def test_signal_while_the_migrations_are_loaded(agency: Make) -> None:
    """Before the first tenant, a hanging application included: nothing is begun."""
    tenants = agency("linear", 2)
    boot = tenants.start("boot", "--json")
    boot.await_event("SurveyDone")
    boot.process.terminate()
    ran = boot.end()

    assert ran.code == 75, ran.stderr
    assert set(tenants.outcomes(ran).values()) <= {"skipped"}
    assert tenants.lock_rows() == []
