"""Instances that boot together, as processes of their own: each revision once, whoever dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ebhook.lock.named_lock import lock_name
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.faults.conftest import COMPLETE
from tests.support.agency import PROJECTS, Agency, Running
from tests.support.general_log import general_log
from tests.support.watching import ask, until

ROUNDS = 10 if COMPLETE else 3
INSTANCES = 8
TENANTS = 20

# What the five revisions of `linear` do, in order.
LINEAR = (
    "CREATE TABLE clients",
    "CREATE TABLE visits",
    "ALTER TABLE clients ADD COLUMN tier",
    "ALTER TABLE visits ADD COLUMN notes",
    "CREATE TABLE visit_kinds",
    "INSERT INTO visit_kinds",
    "UPDATE visit_kinds SET sort_order",
)
Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency("linear", 20)``: a project with so many empty tenants."""

    def make(project: str, count: int, **settings: object) -> Agency:
        return Agency(fleet(count), ebhook, PROJECTS / project, settings)

    return make


def boot(tenants: Agency, count: int, **settings: object) -> list[Running]:
    """So many instances, started at the same moment."""
    return [
        tenants.start("boot", "--json", holder=f"i-{number}", **settings) for number in range(count)
    ]


def beginnings(statements: list[str], wanted: tuple[str, ...]) -> list[str]:
    """Each statement by what it begins with; one that is not wanted stays as it is."""
    plain = [" ".join(sql.split()) for sql in statements]
    return [next((w for w in wanted if sql.startswith(w)), sql) for sql in plain]


@pytest.mark.timeout(1800)
def test_eight_instances_apply_each_revision_once(agency: Make, server: AnyServer) -> None:
    """Round by round, eight boots over twenty tenants: the server saw each statement once per tenant."""
    for round in range(ROUNDS):
        tenants = agency("linear", TENANTS)
        with general_log(server) as log:
            ends = [instance.end(timeout=300) for instance in boot(tenants, INSTANCES)]
            changes = log.changes()

        assert [ran.code for ran in ends] == [0] * INSTANCES, [ran.stderr for ran in ends]
        assert set(changes) == set(tenants.names), round
        for statements in changes.values():
            assert beginnings(statements, LINEAR) == list(LINEAR)
        assert tenants.versions() == {"a005"}
        assert tenants.lock_rows() == []
        upgraded = [
            name
            for ran in ends
            for name, outcome in tenants.outcomes(ran).items()
            if outcome == "upgraded"
        ]
        assert sorted(upgraded) == sorted(tenants.names)


@contextmanager
def in_the_way(tenants: Agency, name: str) -> Iterator[Callable[[], None]]:
    """A tenant at a002, where a person's open transaction stops a003; yields what ends that."""
    tenants.stand_at_a002(name)
    with tenants.fleet.connect(name) as person:
        ask(person, "BEGIN")
        ask(person, "SELECT * FROM clients")

        def out_of_the_way() -> None:
            ask(person, "COMMIT")

        yield out_of_the_way


def holder_and_waiters(tenants: Agency, name: str, count: int) -> tuple[Running, list[Running]]:
    """An instance in the middle of a003, and others that wait for it."""
    first = tenants.start("boot", "--json", holder="i-first")
    first.await_event("StatementRetried", tenant=name)
    others = boot(tenants, count)
    for other in others:
        told = other.await_event("LockWaiting", tenant=name)
        assert told["holder"].startswith("i-first:")
    return first, others


def test_others_go_on_when_the_holder_is_killed(agency: Make, server: AnyServer) -> None:
    """kill -9 of a whole instance in the middle: within 2 s of the server noticing, another has the
    lock and finishes what was half done. Nobody types anything."""
    tenants = agency("linear", 3, ddl_lock_wait_timeout=1)
    name = tenants.names[0]
    with (
        in_the_way(tenants, name) as out_of_the_way,
        server.connect() as watch,
        general_log(server) as log,
    ):
        first, others = holder_and_waiters(tenants, name, 3)
        session = session_of(first, name)
        lock = lock_name(name, folds=False)
        os.killpg(first.process.pid, signal.SIGKILL)
        assert first.end().code == -signal.SIGKILL
        owner = "SELECT COALESCE(IS_USED_LOCK(%s), 0)"
        until(lambda: ask(watch, owner, lock) != [(session,)], "the server noticed")
        noticed = time.monotonic()
        until(
            lambda: [e for other in others for e in other.events("LockTaken", tenant=name)],
            "another instance has the lock",
        )
        assert time.monotonic() - noticed < 2
        out_of_the_way()
        ends = [other.end() for other in others]
        changes = log.changes()

    assert [ran.code for ran in ends] == [0] * 3, [ran.stderr for ran in ends]
    (event,) = [e for other in others for e in other.events("LockTakenOver", tenant=name)]
    assert event["holder"].startswith("i-first:")
    for tenant in tenants.names:
        wanted = LINEAR[2:] if tenant == name else LINEAR
        # An ALTER that could not have the table was asked again, and is there once.
        assert list(dict.fromkeys(beginnings(changes[tenant], LINEAR))) == list(wanted)
        assert tenants.version(tenant) == "a005"
    assert tenants.lock_rows() == []


def test_deleted_lock_row_lets_no_second_writer_in(agency: Make, server: AnyServer) -> None:
    """`DELETE FROM migration_lock;` typed while one instance works and others wait: one writer."""
    tenants = agency("linear", 1, ddl_lock_wait_timeout=1)
    (name,) = tenants.names
    with in_the_way(tenants, name) as out_of_the_way, general_log(server) as log:
        first, others = holder_and_waiters(tenants, name, 3)
        tenants.ask(name, "DELETE FROM migration_lock;")
        for other in others:
            other.await_event(
                "LockWaiting",
                holder=f"MySQL connection {session_of(first, name)} (finishing, or its row was deleted)",
            )
        out_of_the_way()
        ends = [instance.end() for instance in (first, *others)]
        writers = {one.session for one in log.statements() if one.database == name and one.changes}
        changes = log.changes()

    assert [ran.code for ran in ends] == [0] * 4, [ran.stderr for ran in ends]
    assert writers == {session_of(first, name)}
    assert list(dict.fromkeys(beginnings(changes[name], LINEAR))) == list(LINEAR[2:])
    assert [tenants.outcomes(ran)[name] for ran in ends] == ["upgraded"] + ["at_head"] * 3
    assert [other.events("LockTaken") for other in others] == [[], [], []]
    assert tenants.lock_rows() == []


def session_of(instance: Running, name: str) -> int:
    """The session by which an instance has a tenant's lock."""
    return int(instance.await_event("LockTaken", tenant=name)["connection_id"])
