"""Lock and journal, explored: instances that come, wait, work, stop and are killed in any order, and a
person who types into migration_lock. Real code, real sessions, one server; Hypothesis writes the story.

At any time there is one writer; in the end each statement took effect once, and nothing is held. A story
that ends badly is told again, shortened, with what came of each step.
"""

from __future__ import annotations

import sys
import threading

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pymysql.err import MySQLError

from ebhook.database.connection import errno
from ebhook.database.errno import LOST
from ebhook.errors import LockHeld, LockUnavailable, TenantFrozen
from ebhook.lock.clearing import clear
from ebhook.lock.lock import TenantLock
from tests.conftest import AnyServer, GivenServer
from tests.faults.conftest import COMPLETE, KILLS
from tests.support.lock_journal_model import HEAD, PERSON, Instance, Stage
from tests.support.tally import count
from tests.support.watching import ask, until


class Protocols(RuleBasedStateMachine):
    """What is true at any time: `instances` have the lock or believe so, `row` is in migration_lock.

    No rule has a precondition, and none draws from what there is: how a story goes on would depend on how
    long the server takes, and Hypothesis could not tell it again. Where a rule finds nobody that it can
    happen to, somebody comes.
    """

    server: AnyServer

    @initialize()
    def begin(self) -> None:
        self.stage = Stage(self.server)
        self.instances: list[Instance] = []
        self.waiter: Instance | None = None
        self.row: str | None = None
        self.server_has_died = False

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            if sys.exception() is None:  # else that is the end, and the story is told
                self._to_the_end()
        finally:
            if self.waiter is not None:
                self.stage.kill(self.waiter)
            for instance in self.instances:
                self.stage.dies(instance)
            self.stage.close()

    @property
    def living(self) -> list[Instance]:
        return [one for one in self.instances if not one.gone]

    @property
    def frozen(self) -> bool:
        return self.row == PERSON

    def tell(self, what: str) -> None:
        """For the tally, and for whoever reads a story that ended badly."""
        note(f"# {what}")

    def count(self, what: str) -> None:
        count(str(self.server.flavour), f"stories: {what}")

    # What instances do

    @rule()
    def an_instance_comes(self) -> None:
        """It gets the lock if nobody living has it and nobody froze it; else it is told so."""
        held = bool(self.living) or self.frozen
        try:
            instance = self.stage.comes()
        except LockHeld as refusal:
            assert held, "refused, and nobody has it"
            self.tell(str(refusal))
            self.count("refused, another has the lock")
        except TenantFrozen as refusal:
            assert self.frozen, "refused, and nobody froze it"
            self.tell(str(refusal))
            self.count("refused, frozen")
        else:
            assert not held, f"two have it: {instance} and {self.living or PERSON}"
            self._has_it(instance)

    @rule()
    def an_instance_comes_and_waits(self) -> None:
        """It is let in as soon as nobody has the lock, or leaves: at head, or at a freeze."""
        if self.waiter is None:
            self.waiter = self.stage.comes_and_waits()

    @rule(which=st.integers(0, 3), steps=st.integers(1, 4))
    def an_instance_works(self, which: int, steps: int) -> None:
        """Some more statements; one that has lost its session notices, and changes nothing."""
        if not self.instances:
            return self.an_instance_comes()
        instance = self.instances[-1 - which % len(self.instances)]
        for _ in range(steps):
            if instance in self.instances:
                self._step(instance)
        return None

    @rule()
    def an_instance_is_told_to_stop(self) -> None:
        """SIGTERM: it stops between two statements and gives the lock back."""
        if not self.living:
            return self.an_instance_comes()
        (instance,) = self.living
        self.stage.gives_up(instance)
        self._has_left(instance)
        self.count("an instance stopped in the middle")
        return None

    # What happens to them

    @rule()
    def an_instance_dies(self) -> None:
        """As by kill -9: its row stays, and its lock does not."""
        if not self.living:
            return self.an_instance_comes()
        (instance,) = self.living
        self.stage.dies(instance)
        self.instances.remove(instance)
        self.count("an instance died")
        return None

    @rule()
    def a_session_is_killed(self) -> None:
        """KILL CONNECTION; the instance will see it at its next statement."""
        if not self.living:
            return self.an_instance_comes()
        self._kill(self.living[0])
        return None

    @rule(spared=st.integers(0, 15))
    def a_session_is_killed_before_a_command(self, spared: int) -> None:
        """Between any two commands: a statement, what the journal says around it, the COMMIT."""
        if not self.living:
            return self.an_instance_comes()
        (instance,) = self.living
        instance.blow, instance.spared = lambda: self._kill(instance), spared
        while instance in self.instances and not instance.gone:
            self._step(instance)
        return None

    @rule()
    def a_session_is_killed_while_its_statement_waits(self) -> None:
        """Somebody reads the tables: the next definition was sent, and does not happen."""
        if not self.living:
            return self.an_instance_comes()
        (instance,) = self.living
        with self.stage.fleet.connect(self.stage.name, autocommit=False) as reader:
            for (table,) in ask(reader, "SHOW TABLES"):
                if not str(table).startswith("migration_"):
                    ask(reader, f"SELECT * FROM {table}")
            killer = threading.Thread(target=self.stage.kill_while_it_waits, args=(instance,))
            killer.start()
            while instance in self.instances:
                self._step(instance)
            killer.join()
        self.count("KILL CONNECTION of one that may wait for a table")
        return None

    @rule()
    def a_waiting_session_is_killed(self) -> None:
        """It leaves nothing behind."""
        if self.waiter is None:
            return self.an_instance_comes_and_waits()
        self.stage.kill(self.waiter)
        self.count("KILL CONNECTION of one that waits for the lock")
        return None

    @rule()
    def the_server_dies(self) -> None:
        """kill -9 of the server, once in a story: every session is gone."""
        if not COMPLETE or self.server_has_died or isinstance(self.server, GivenServer):
            return
        self.server_has_died = True
        for instance in [*self.instances, *([self.waiter] if self.waiter else [])]:
            instance.gone = True
        self.stage.server_dies()
        self.count("kill -9 of the server")

    # What people do

    @rule()
    def a_person_empties_the_table(self) -> None:
        """The last resort of old: it must never let two in."""
        if self.row is None:
            return
        ask(self.stage.person, "DELETE FROM migration_lock")
        self.row = None
        self.count("DELETE FROM migration_lock")

    @rule()
    def a_person_freezes_the_tenant(self) -> None:
        """A row by hand in the place of any other; whoever works goes on to its end."""
        if not self.stage.has_lock_table():
            return self.an_instance_comes()
        freeze = f"INSERT INTO migration_lock (holder) VALUES ('{PERSON}')"
        if self.row is not None:  # in one go: whoever waits would come in between
            freeze = f"UPDATE migration_lock SET token = NULL, holder = '{PERSON}'"
        ask(self.stage.person, freeze)
        self.row = PERSON
        self.count("freezes by hand")
        return None

    @rule()
    def a_person_clears_the_lock(self) -> None:
        """`ebhook lock clear`: ends a freeze and removes what the dead left; spares the living."""
        if self.row is None or self.waiter is not None:
            return
        with self.stage.fleet.connect(self.stage.name, autocommit=False) as connection:
            lock = TenantLock(connection, self.stage.name, "migration_lock", named=True)
            row = lock.read()
            assert row is not None
            try:
                cleared = clear(lock, row)
            except LockHeld:
                assert self.living, "spared, and nobody lives"
            else:
                assert cleared
                assert not self.living, "cleared under a living instance"
                self.row = None
                self.count("ebhook lock clear")

    # What is always true

    @invariant()
    def always(self) -> None:
        if hasattr(self, "stage"):
            self.whoever_waits_is_let_in()
            self.one_writer()
            self.nothing_twice()

    def whoever_waits_is_let_in(self) -> None:
        """At once when nobody has the lock; else not, unless there is nothing left to do. A freeze sends
        it away."""
        waiter = self.waiter
        if waiter is None or waiter.thread is None:
            return
        if waiter.gone or not self.living:
            until(lambda: not waiter.waits, f"{waiter} is let in")
        if waiter.waits:
            return
        waiter.thread.join()
        self.waiter = None
        if isinstance(waiter.refusal, TenantFrozen):
            assert self.frozen, waiter.refusal
            self.stage.leaves(waiter)
            self.count("one that waited met a freeze")
        elif waiter.refusal is not None:
            lost = isinstance(waiter.refusal, MySQLError) and errno(waiter.refusal) in LOST
            assert waiter.gone, waiter.refusal
            assert lost or isinstance(waiter.refusal, LockUnavailable), waiter.refusal
            self.stage.leaves(waiter)
        elif waiter.has_lock:
            assert not self.living
            assert not self.frozen, f"{waiter} has what is frozen"
            self._has_it(waiter)
            self.count("one that waited was let in")
        else:
            assert self.stage.version() == HEAD
            self.stage.leaves(waiter)
            self.count("one that waited had nothing left to do")

    def one_writer(self) -> None:
        """The named lock is that of the one instance which lives, and the row is whose it should be."""
        assert len(self.living) <= 1
        if self.living:
            assert self.stage.owner() == self.living[0].id
        elif self.waiter is None:
            assert self.stage.owner() is None
        assert self.stage.row() == self.row

    def nothing_twice(self) -> None:
        """No row has been counted twice."""
        assert self.stage.counts() <= {0, 1}

    # How

    def _has_it(self, instance: Instance) -> None:
        """It says whose row it found, if it found one."""
        assert instance.took_over == self.row
        self.tell(
            f"{instance} has the lock" + (f", taken over from {self.row}" if self.row else "")
        )
        self.instances.append(instance)
        self.row = instance.name

    def _has_left(self, instance: Instance) -> None:
        """Its row is gone with it, unless its session was killed before it could take that away."""
        self.instances.remove(instance)
        if self.row == instance.name and not (instance.gone and self.stage.row() == self.row):
            self.row = None

    def _step(self, instance: Instance) -> None:
        outcome = self.stage.step(instance)
        self.tell(f"{instance} is {outcome}")
        if outcome == "at head":
            self._has_left(instance)
            self.count("an instance brought the tenant to head")
        elif outcome == "lost":
            self.instances.remove(instance)

    def _kill(self, instance: Instance) -> None:
        self.stage.kill(instance)
        self.count("KILL CONNECTION")

    def _to_the_end(self) -> None:
        """Whoever still works dies, a freeze is lifted; one more instance does the rest."""
        for instance in self.living:
            self.stage.dies(instance)
            self.instances.remove(instance)
        if self.frozen:
            ask(self.stage.person, "DELETE FROM migration_lock")
            self.row = None
        self.whoever_waits_is_let_in()
        if not self.living:
            self._has_it(self.stage.comes())
        (last,) = self.living
        while last in self.instances:
            self._step(last)
        self.stage.check_the_end()
        self.count("told to the end")


@pytest.mark.timeout(3000)
def test_every_story_ends_well(server: AnyServer) -> None:
    """One writer at any time, each statement once, always released."""

    class Stories(Protocols):
        pass

    Stories.server = server
    run_state_machine_as_test(
        Stories,
        settings=settings(
            max_examples=max(10, KILLS // 4),
            stateful_step_count=40,
            deadline=None,
            derandomize=not COMPLETE,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
