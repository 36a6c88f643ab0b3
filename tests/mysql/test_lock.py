"""The lock, by sessions of a real server: who gets it, who waits, who is respected, what is left."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymysql.err import MySQLError

from ebhook.database.connection import Connection, connect, errno, quoted
from ebhook.database.errno import LOST
from ebhook.database.url import fill
from ebhook.errors import LockHeld, LockTableForeign, LockUnavailable, TenantFrozen
from ebhook.events import Event, LockTaken, LockTakenOver, LockWaiting
from ebhook.holder import Holder
from ebhook.lock import lock as lock_module
from ebhook.lock.clearing import clear, freeze, kill_holder
from ebhook.lock.lock import TenantLock
from ebhook.lock.named_lock import lock_name
from ebhook.lock.row import COLUMNS, LockRow
from tests.conftest import AnyServer, Fleet, Fleets
from tests.support.watching import ask, running, sessions, until

FREEZE = "INSERT INTO migration_lock (id) VALUES (1)"


@dataclass
class Session:
    """One instance's connection to the tenant, its lock, and the events that it emitted."""

    connection: Connection
    lock: TenantLock
    holder: Holder
    told: queue.Queue[Event] = field(default_factory=queue.Queue)
    heard: list[Event] = field(default_factory=list)

    def held(
        self,
        *,
        wait: float = 0,
        done: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], None] = lambda seconds: None,
    ) -> AbstractContextManager[bool]:
        return self.lock.held(self.holder, wait=wait, emit=self.told.put, done=done, sleep=sleep)

    def await_event(self, kind: type[Event]) -> Any:
        """The next event of this kind; those before it are heard, too."""
        while not isinstance(event := self.told.get(timeout=30), kind):
            self.heard.append(event)
        self.heard.append(event)
        return event

    def events(self, kind: type[Event]) -> list[Any]:
        with suppress(queue.Empty):
            while True:
                self.heard.append(self.told.get_nowait())
        return [event for event in self.heard if isinstance(event, kind)]

    def die(self) -> None:
        """As after kill -9: the socket goes, and nothing is said to the server."""
        sock = self.connection._sock  # type: ignore[attr-defined]
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@dataclass
class Tenant:
    """One tenant's database: a person's own connection, and as many instances as wanted."""

    fleet: Fleet
    stack: ExitStack
    person: Connection

    @property
    def name(self) -> str:
        return self.fleet.names[0]

    def session(
        self,
        instance: str = "i-1",
        *,
        seconds: int = 5,
        named: bool = True,
        table: str = "migration_lock",
    ) -> Session:
        """Another instance; `seconds` is how long it waits for rows and tables in use."""
        connection = connect(fill(self.fleet.template, self.name), database=self.name, timeout=10)
        self.stack.callback(_end, connection)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET SESSION lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}"
            )
        lock = TenantLock(connection, self.name, table, named=named)
        return Session(connection, lock, Holder(instance, 412, "prod", "v512", "boot", ""))

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        return ask(self.person, sql)

    def know_the_table(self) -> None:
        """migration_lock as ebhook makes it, empty."""
        with self.session().held():
            pass

    def fleet_rows(self) -> list[tuple[Any, ...]]:
        """The lock's rows, asked by a connection of its own: for use in threads."""
        with self.fleet.connect(self.name) as connection:
            return ask(connection, "SELECT holder FROM migration_lock")

    def lock_rows(self) -> list[tuple[Any, ...]]:
        return self.run("SELECT holder FROM migration_lock")

    def in_background(self, work: Callable[[], Any]) -> Future[Any]:
        pool = self.stack.enter_context(ThreadPoolExecutor(max_workers=1))
        return pool.submit(work)

    def await_waiter(self) -> int:
        """A session that waits inside GET_LOCK."""
        return until(lambda: running(self.person, self.name, "GET_LOCK"), "a session waits")[0]

    def leave_a_dead_row(self, instance: str = "i-dead") -> str:
        """A holder dies; its row stays. Returns its token."""
        session = self.session(instance)
        with suppress(MySQLError), session.held():
            token = str(self.run("SELECT token FROM migration_lock")[0][0])
            session.die()
        until(lambda: self.nobody_has_the_name(session.lock), "the server noticed")
        return token

    def nobody_has_the_name(self, lock: TenantLock) -> bool:
        return ask(self.person, "SELECT IS_FREE_LOCK(%s)", lock.named_lock.name) == [(1,)]


def _end(connection: Connection) -> None:
    with suppress(MySQLError):
        connection.close()


def read(session: Session) -> LockRow:
    row = session.lock.read()
    assert row is not None
    return row


@pytest.fixture
def tenant(fleet: Fleets) -> Iterator[Tenant]:
    one = fleet(1)
    with ExitStack() as stack:
        person = stack.enter_context(one.connect(one.names[0]))
        yield Tenant(one, stack, person)


# --- taking and giving back ----------------------------------------------------------------------


def test_holder_is_in_the_row_and_on_the_connection(tenant: Tenant) -> None:
    """While held, the row says who, and the named lock belongs to that very connection."""
    session = tenant.session("i-0abc")
    with session.held() as taken:
        assert taken
        (row,) = tenant.run("SELECT * FROM migration_lock")
        assert row[0] == 1
        assert ask(tenant.person, "SELECT IS_USED_LOCK(%s)", session.lock.named_lock.name) == [
            (row[4],)
        ]
        assert row[4] == session.connection.thread_id()  # type: ignore[no-untyped-call]
        held = tenant.session().lock.read()
        assert held is not None
        assert (held.holder, held.alive, held.frozen) == ("i-0abc", True, False)
        assert (held.environment, held.version_label, held.command) == ("prod", "v512", "boot")
        seconds = "TIMESTAMPDIFF(SECOND, acquired_at, UTC_TIMESTAMP())"
        assert abs(tenant.run(f"SELECT {seconds} FROM migration_lock")[0][0]) < 60
    assert tenant.lock_rows() == []
    assert tenant.session().lock.read() is None
    assert tenant.nobody_has_the_name(session.lock)


def test_each_acquisition_has_a_token_of_its_own(tenant: Tenant) -> None:
    """The same holder, taking the lock twice, is told apart."""
    session = tenant.session()
    tokens = set()
    for _ in range(2):
        with session.held():
            tokens.update(tenant.run("SELECT token FROM migration_lock"))
    assert len(tokens) == 2


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_released_whatever_ends_the_block(tenant: Tenant, error: type[BaseException]) -> None:
    """An exception in the block leaves neither row nor named lock, and undoes what was not committed."""
    tenant.run("CREATE TABLE clients (id INT PRIMARY KEY)")
    session = tenant.session()
    with pytest.raises(error), session.held():  # noqa: PT012
        ask(session.connection, "INSERT INTO clients VALUES (1)")
        raise error
    assert tenant.lock_rows() == []
    assert tenant.nobody_has_the_name(session.lock)
    assert tenant.run("SELECT * FROM clients") == []


@pytest.mark.parametrize("statement", ["USE information_schema", "LOCK TABLES clients WRITE"])
def test_released_wherever_a_migration_stopped(tenant: Tenant, statement: str) -> None:
    """A migration that failed in another database, or with tables locked, leaves no row behind."""
    tenant.run("CREATE TABLE clients (id INT PRIMARY KEY)")
    session = tenant.session()
    with session.held():
        ask(session.connection, statement)
    assert tenant.lock_rows() == []
    assert tenant.nobody_has_the_name(session.lock)


def test_released_though_a_late_kill_query_hits_the_release(tenant: Tenant) -> None:
    """KILL QUERY that comes after its statement interrupts the next: here it is the deletion."""
    session = tenant.session()

    def kill_the_deletion() -> None:
        with tenant.fleet.connect(tenant.name) as other:
            (number,) = until(lambda: running(other, tenant.name, "DELETE"), "the row is deleted")
            ask(other, f"KILL QUERY {number}")
        tenant.run("ROLLBACK")

    with session.held():
        tenant.run("BEGIN")
        tenant.run("SELECT * FROM migration_lock FOR UPDATE")
        killing = tenant.in_background(kill_the_deletion)
    killing.result(timeout=30)
    assert tenant.lock_rows() == []
    assert tenant.nobody_has_the_name(session.lock)


def test_released_when_nobody_listens(tenant: Tenant) -> None:
    """A holder that cannot tell that it has the lock (boot was killed) does not keep it."""
    session = tenant.session()

    def deaf(event: Event) -> None:
        raise BrokenPipeError

    with (
        pytest.raises(BrokenPipeError),
        session.lock.held(session.holder, wait=0, emit=deaf, done=lambda: False),
    ):
        pass
    assert tenant.lock_rows() == []
    assert tenant.nobody_has_the_name(session.lock)


def test_waiter_has_it_at_once_on_release(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter is woken by the server: with a look only every ten minutes it still gets the lock."""
    monkeypatch.setattr(lock_module, "SLICE", 600.0)
    first, second = tenant.session("i-1"), tenant.session("i-2")

    def take() -> list[tuple[Any, ...]]:
        with second.held(wait=600):
            return tenant.fleet_rows()

    with first.held():
        taking = tenant.in_background(take)
        tenant.await_waiter()
    assert taking.result(timeout=30) == [("i-2",)]
    assert len(second.events(LockWaiting)) == 1
    assert second.events(LockTakenOver) == []


def test_waiter_names_the_holder_and_the_time_left(tenant: Tenant) -> None:
    """Told at once, without waiting blind first: who has the lock, since when, how long is left."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with first.held():
        row = read(second)
        with pytest.raises(LockHeld) as refused, second.held(wait=3):
            raise AssertionError("two holders")
    waiting = second.events(LockWaiting)
    assert {event.holder for event in waiting} == {f"i-1:{row.pid} (v512)"}
    assert {event.since for event in waiting} == {row.since}
    left = [event.seconds_left for event in waiting]
    assert left == sorted(left, reverse=True)
    assert 2 < left[0] <= 3
    assert "i-1" in refused.value.what
    assert "waited 3 s" in refused.value.what


def test_short_wait_is_one_wait(tenant: Tenant) -> None:
    """Less than half a second, which MySQL would round to none, does not become a busy loop."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with first.held(), pytest.raises(LockHeld), second.held(wait=0.3):
        pass
    assert len(second.events(LockWaiting)) == 1


def test_without_patience_a_held_lock_is_refused_at_once(tenant: Tenant) -> None:
    """With no time to wait, the refusal says whose it is, and nothing of the refused is left."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with first.held():
        with pytest.raises(LockHeld, match=r"lock held by i-1:\d+ \(v512\) since"), second.held():
            pass
        assert tenant.lock_rows() == [("i-1",)]
    assert second.events(LockWaiting) == []
    with second.held() as taken:
        assert taken


def test_waiter_whose_tenant_reaches_head_never_takes_the_lock(tenant: Tenant) -> None:
    """Woken by the release, it looks before it writes its row: the work is done, and it leaves."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    at_head: list[bool] = []

    def wait() -> bool:
        with second.held(wait=30, done=lambda: bool(at_head)) as taken:
            return taken

    with first.held():
        waiting = tenant.in_background(wait)
        tenant.await_waiter()
        at_head.append(True)
    assert waiting.result(timeout=30) is False
    assert second.events(LockTaken) == []
    assert tenant.nobody_has_the_name(second.lock)


def test_many_sessions_never_hold_at_once(tenant: Tenant) -> None:
    """Eight sessions, five turns each: whoever is in finds nobody else in."""
    inside: list[int] = []
    most: list[int] = []

    def turns(session: Session) -> None:
        for _ in range(5):
            with session.held(wait=60):
                inside.append(1)
                most.append(len(inside))
                tenant.fleet_rows()
                inside.pop()

    pool = tenant.stack.enter_context(ThreadPoolExecutor(max_workers=8))
    for done in [pool.submit(turns, tenant.session(f"i-{n}")) for n in range(8)]:
        done.result(timeout=60)
    assert most == [1] * 40
    assert tenant.lock_rows() == []


# --- the dead ------------------------------------------------------------------------------------


def test_row_of_a_dead_holder_is_taken_over_by_name(tenant: Tenant) -> None:
    """The row of a session that is gone does not block, and whose it was is told."""
    tenant.leave_a_dead_row("i-dead")
    session = tenant.session("i-2")
    with session.held():
        assert tenant.lock_rows() == [("i-2",)]
    (event,) = session.events(LockTakenOver)
    assert event.holder.startswith("i-dead:")
    assert event.since is not None
    assert tenant.lock_rows() == []


def test_dead_row_shows_as_dead(tenant: Tenant) -> None:
    """Between the death and the take-over, whoever looks sees that nobody stands behind the row."""
    token = tenant.leave_a_dead_row()
    row = tenant.session().lock.read()
    assert row is not None
    assert (row.token, row.alive, row.frozen) == (token, False, False)


def test_statement_of_a_dead_client_keeps_the_lock(tenant: Tenant) -> None:
    """While the server still works for a client that is gone, nobody else may write."""
    first, second = tenant.session("i-dead"), tenant.session("i-2")

    def long_ddl() -> None:
        with suppress(MySQLError, OSError), first.held(), first.connection.cursor() as cursor:
            cursor.execute("CREATE TABLE slept AS SELECT SLEEP(2) AS answer")

    working = tenant.in_background(long_ddl)
    until(lambda: running(tenant.person, tenant.name, "SLEEP"), "the DDL runs")
    first.die()
    with pytest.raises(LockHeld), second.held():
        pass
    with second.held(wait=30):
        assert tenant.run("SELECT answer FROM slept") == [(0,)]
    working.result(timeout=30)
    assert len(second.events(LockTakenOver)) == 1


# --- people --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (FREEZE, "a row that was made by hand"),
        (
            "INSERT INTO migration_lock (holder) VALUES ('Bea: restore')",
            r"Bea: restore \(by hand\)",
        ),
        ("INSERT INTO migration_lock (id, token) VALUES (1, '')", "a row that was made by hand"),
        ("INSERT INTO migration_lock (id, holder) VALUES (7, 'Bea')", r"Bea \(by hand\)"),
    ],
    ids=["bare", "with_holder", "empty_token", "another_id"],
)
def test_hand_made_row_is_a_freeze(tenant: Tenant, statement: str, words: str) -> None:
    """A row without a token is respected: no session stands behind it, and none takes it over."""
    tenant.know_the_table()
    tenant.run(statement)
    before = tenant.run("SELECT * FROM migration_lock")
    session = tenant.session()
    with pytest.raises(TenantFrozen, match=words), session.held(wait=300):
        pass
    assert session.events(LockWaiting) == []
    assert tenant.run("SELECT * FROM migration_lock") == before
    row = session.lock.read()
    assert row is not None
    assert (row.frozen, row.alive) == (True, False)


def test_freeze_of_a_command_stays_when_its_session_ends(tenant: Tenant) -> None:
    """It waits for who is at work; then nobody comes in until it is cleared; a second one is told."""
    session, other = tenant.session("i-1"), tenant.session("i-2")
    words = "bea@i-1: restoring a dump"

    def freeze_it() -> None:
        freeze(session.lock, session.holder, words, wait=30, emit=session.told.put)

    with other.held():
        freezing = tenant.in_background(freeze_it)
        tenant.await_waiter()
    freezing.result(timeout=30)
    assert tenant.nobody_has_the_name(session.lock)
    with pytest.raises(TenantFrozen, match=words), other.held(wait=300):
        pass
    with pytest.raises(TenantFrozen, match=words):
        freeze_it()
    row = read(other)
    assert (row.frozen, row.alive, row.holder) == (True, False, words)
    assert clear(other.lock, row) is True
    with other.held() as taken:
        assert taken


def test_freeze_beside_a_dead_row_is_still_a_freeze(tenant: Tenant) -> None:
    """A person who finds a dead holder's row and adds one of their own is not overlooked."""
    tenant.leave_a_dead_row()
    tenant.run("INSERT INTO migration_lock (id, holder) VALUES (2, 'Bea')")
    with pytest.raises(TenantFrozen, match="Bea"), tenant.session().held():
        pass
    assert len(tenant.lock_rows()) == 2


def test_row_of_an_older_deployment_is_waited_for(tenant: Tenant) -> None:
    """A waiter looks again, in pauses that grow; when the row is gone, it takes the lock."""
    tenant.run(ADOPTABLE["one_column"])
    tenant.run(ROWS["one_column"])
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 5:
            tenant.run("DELETE FROM migration_lock;")

    session = tenant.session()
    with session.held(wait=300, sleep=sleep) as taken:
        assert taken
    assert len(pauses) == 5
    assert all(pause > 0 for pause in pauses)
    assert pauses[0] < pauses[4]
    assert {event.holder for event in session.events(LockWaiting)} == {
        "a row that was made by hand"
    }


def test_delete_while_held_lets_nobody_in(tenant: Tenant) -> None:
    """`DELETE FROM migration_lock;` takes the row from a living holder, but never the lock."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with first.held():
        tenant.run("DELETE FROM migration_lock;")
        with pytest.raises(LockHeld, match=r"its row was deleted"), second.held():
            pass
        assert tenant.lock_rows() == []
    with second.held() as taken:
        assert taken


def test_release_deletes_only_our_own_row(tenant: Tenant) -> None:
    """A freeze that took the place of our row meanwhile stays when we let go."""
    session = tenant.session()
    with session.held():
        tenant.run("DELETE FROM migration_lock;")
        tenant.run("INSERT INTO migration_lock (id, holder) VALUES (1, 'Bea')")
    assert tenant.lock_rows() == [("Bea",)]
    assert tenant.nobody_has_the_name(session.lock)


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM migration_lock FOR UPDATE", "DELETE FROM migration_lock", FREEZE],
    ids=["reading", "deleting", "freezing"],
)
def test_open_transaction_of_a_person_does_not_hang_us(tenant: Tenant, statement: str) -> None:
    """Somebody's BEGIN without COMMIT on the row is a held lock, for as long as it is open."""
    tenant.know_the_table()
    if statement != FREEZE:
        tenant.leave_a_dead_row()
    tenant.run("BEGIN")
    tenant.run(statement)
    with pytest.raises(LockHeld), tenant.session(seconds=1).held():
        pass
    tenant.run("ROLLBACK")
    with tenant.session().held() as taken:
        assert taken
    assert tenant.lock_rows() == []


def test_locked_table_of_a_person_does_not_hang_us(tenant: Tenant) -> None:
    """`LOCK TABLES migration_lock WRITE` is a held lock, until UNLOCK TABLES."""
    tenant.know_the_table()
    session = tenant.session(seconds=1)
    tenant.run("LOCK TABLES migration_lock WRITE")
    with pytest.raises(LockHeld, match="somebody who has locked the table"), session.held():
        pass
    tenant.run("UNLOCK TABLES")
    with session.held() as taken:
        assert taken


def test_release_under_an_open_transaction_frees_the_lock(tenant: Tenant) -> None:
    """Our row cannot be deleted while a person has it open; the next holder takes it over."""
    first, second = tenant.session("i-1", seconds=1), tenant.session("i-2")
    with first.held():
        tenant.run("BEGIN")
        tenant.run("SELECT * FROM migration_lock FOR UPDATE")
    tenant.run("ROLLBACK")
    with second.held():
        assert tenant.lock_rows() == [("i-2",)]
    assert len(second.events(LockTakenOver)) == 1


# --- clearing ------------------------------------------------------------------------------------


def test_clear_removes_a_dead_holders_row(tenant: Tenant) -> None:
    """What was shown is what goes; clearing it again says that it was gone."""
    tenant.leave_a_dead_row()
    session = tenant.session()
    row = read(session)
    assert clear(session.lock, row) is True
    assert tenant.lock_rows() == []
    assert clear(session.lock, row) is False


def test_clear_refuses_a_living_holder(tenant: Tenant) -> None:
    """A lock with a session behind it is left as it is."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with first.held():
        with pytest.raises(LockHeld, match="i-1"):
            clear(second.lock, read(second))
        assert tenant.lock_rows() == [("i-1",)]


def test_clear_never_removes_a_newer_lock(tenant: Tenant) -> None:
    """Between the look and the clearing, another holder took over and died: its row stays."""
    tenant.leave_a_dead_row("i-old")
    session = tenant.session()
    row = read(session)
    tenant.leave_a_dead_row("i-new")
    assert clear(session.lock, row) is False
    assert tenant.lock_rows() == [("i-new",)]


def test_clear_never_removes_a_newer_freeze(tenant: Tenant) -> None:
    """The freeze that was shown is gone, and another person has made one: it stays."""
    tenant.know_the_table()
    tenant.run(FREEZE)
    session = tenant.session()
    row = read(session)
    tenant.run("DELETE FROM migration_lock")
    tenant.run(FREEZE)
    assert clear(session.lock, row) is False
    assert clear(session.lock, read(session)) is True
    assert tenant.lock_rows() == []


def test_clear_of_a_row_in_an_open_transaction_says_so(tenant: Tenant) -> None:
    """It does not hang on a person's BEGIN, nor claim that the server is out of reach."""
    tenant.leave_a_dead_row()
    session = tenant.session()
    row = read(session)
    tenant.run("BEGIN")
    tenant.run("SELECT * FROM migration_lock FOR UPDATE")
    with pytest.raises(LockHeld, match="open transaction"):
        clear(session.lock, row)
    tenant.run("ROLLBACK")
    assert clear(session.lock, row) is True


def test_kill_ends_the_session_that_was_shown(tenant: Tenant) -> None:
    """The holder loses its connection, and with it the only way to write."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    with suppress(MySQLError), first.held():
        row = read(second)
        kill_holder(second.lock, row, until=time.monotonic() + 30)
        assert clear(second.lock, row) is True
        with pytest.raises(MySQLError):
            ask(first.connection, "SELECT 1")
    assert tenant.lock_rows() == []


def test_kill_spares_a_newer_holder(tenant: Tenant) -> None:
    """The lock that was shown has changed hands: nobody is ended."""
    tenant.leave_a_dead_row("i-old")
    first, second = tenant.session("i-1"), tenant.session("i-2")
    row = read(second)
    with first.held():
        kill_holder(second.lock, row, until=time.monotonic() + 30)
        assert ask(first.connection, "SELECT 1") == [(1,)]


# --- tables of another shape ---------------------------------------------------------------------

ADOPTABLE = {
    "one_column": "CREATE TABLE migration_lock (locked_at DATETIME NULL)",
    "own_id": "CREATE TABLE migration_lock (id INT AUTO_INCREMENT PRIMARY KEY, host VARCHAR(99))",
    "our_names": "CREATE TABLE migration_lock (id INT NOT NULL PRIMARY KEY, holder VARCHAR(255),"
    " pid VARCHAR(99), connection_id TEXT, acquired_at TIMESTAMP NULL) DEFAULT CHARSET=latin1",
    "capitals": "CREATE TABLE migration_lock (ID INT NOT NULL DEFAULT 1, Token CHAR(64),"
    " Holder TEXT)",
    "with_default": "CREATE TABLE migration_lock (locked TINYINT NOT NULL DEFAULT 0)",
    "not_innodb": "CREATE TABLE migration_lock (host VARCHAR(99)) ENGINE=MyISAM",
}
ROWS = {
    "one_column": "INSERT INTO migration_lock VALUES (NOW())",
    "own_id": "INSERT INTO migration_lock (host) VALUES ('web1')",
    "our_names": "INSERT INTO migration_lock (id, holder, pid) VALUES (1, 'web1', 'gunicorn-7')",
    "capitals": "INSERT INTO migration_lock (Holder) VALUES ('web1')",
    "with_default": "INSERT INTO migration_lock VALUES (1)",
    "not_innodb": "INSERT INTO migration_lock VALUES ('web1')",
}


@pytest.mark.parametrize("shape", ADOPTABLE)
def test_older_table_is_adopted(tenant: Tenant, shape: str) -> None:
    """An older deployment's table gets the columns that it lacks, and keeps its own."""
    tenant.run(ADOPTABLE[shape])
    own = {str(row[0]).lower() for row in tenant.run("SHOW COLUMNS FROM migration_lock")}
    for _ in range(2):
        session = tenant.session("i-1")
        with session.held():
            assert tenant.lock_rows() == [("i-1",)]
            assert read(tenant.session()).alive
        assert tenant.lock_rows() == []
    now = {str(row[0]).lower() for row in tenant.run("SHOW COLUMNS FROM migration_lock")}
    assert now == own | set(COLUMNS)


@pytest.mark.parametrize("shape", ADOPTABLE)
def test_row_of_an_older_deployment_is_a_held_lock(tenant: Tenant, shape: str) -> None:
    """Until the table is empty it is neither changed nor taken; it can be looked at and cleared."""
    tenant.run(ADOPTABLE[shape])
    tenant.run(ROWS[shape])
    before = tenant.run("SHOW CREATE TABLE migration_lock")
    session = tenant.session()
    with pytest.raises(LockHeld), session.held():
        pass
    assert tenant.run("SHOW CREATE TABLE migration_lock") == before
    row = read(session)
    assert (row.frozen, row.alive, row.pid) == (True, False, None)
    assert clear(session.lock, row) is True
    with session.held() as taken:
        assert taken


def test_row_of_an_older_deployment_after_adoption_is_a_freeze(tenant: Tenant) -> None:
    """Where an old instance still inserts rows of its own, even beside a dead one of ours."""
    tenant.run(ADOPTABLE["own_id"])
    tenant.leave_a_dead_row()
    tenant.run(ROWS["own_id"])
    with pytest.raises(TenantFrozen, match="by hand"), tenant.session().held():
        pass


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("(owner VARCHAR(50) NOT NULL)", "owner"),
        (
            "(id INT AUTO_INCREMENT PRIMARY KEY, host CHAR(9) NOT NULL, what INT NOT NULL)",
            "host, what",
        ),
        ("(id INT PRIMARY KEY, holder CHAR(2))", "holder"),
        ("(id INT PRIMARY KEY, token BIGINT)", "token"),
        ("(id INT PRIMARY KEY, pid TINYINT)", "pid"),
    ],
    ids=["wants_owner", "wants_two", "short_holder", "number_for_token", "small_pid"],
)
def test_table_that_cannot_be_adopted_is_refused(tenant: Tenant, table: str, why: str) -> None:
    """Another application's table stays as empty as it was, and the setting is named that helps."""
    tenant.run(f"CREATE TABLE migration_lock {table}")
    session = tenant.session()
    with pytest.raises(LockTableForeign, match=why) as refused, session.held():
        pass
    assert "EBHOOK_LOCK_TABLE" in str(refused.value)
    assert tenant.run("SELECT COUNT(*) FROM migration_lock") == [(0,)]
    assert tenant.nobody_has_the_name(session.lock)


# --- the server ----------------------------------------------------------------------------------


def test_interrupted_get_lock_is_an_error_and_not_a_held_lock(tenant: Tenant) -> None:
    """KILL QUERY of a waiter: MariaDB's GET_LOCK gives NULL, MySQL's an error; both are told."""
    first, second = tenant.session("i-1"), tenant.session("i-2")

    def wait() -> None:
        with second.held(wait=60):
            raise AssertionError("two holders")

    with first.held():
        waiting = tenant.in_background(wait)

        def interrupt() -> bool:  # one that comes between two waits is lost
            for waiter in running(tenant.person, tenant.name, "GET_LOCK"):
                tenant.run(f"KILL QUERY {waiter}")
            return waiting.done()

        until(interrupt, "it was interrupted")
        with pytest.raises(LockUnavailable, match="did not say who has the lock"):
            waiting.result(timeout=30)
        assert tenant.lock_rows() == [("i-1",)]


def test_lost_connection_keeps_its_first_error(tenant: Tenant) -> None:
    """A waiter whose session is ended says that it was lost, not that a ROLLBACK found nothing."""
    first, second = tenant.session("i-1"), tenant.session("i-2")

    def wait() -> None:
        with second.held(wait=60):
            raise AssertionError("two holders")

    with first.held():
        waiting = tenant.in_background(wait)
        tenant.run(f"KILL CONNECTION {tenant.await_waiter()}")
        with pytest.raises(MySQLError) as lost:
            waiting.result(timeout=30)
    assert errno(lost.value) in LOST
    assert lost.value.args[1]


def test_row_alone_guards_where_named_locks_are_switched_off(tenant: Tenant) -> None:
    """With `lock.named = false` the row is the lock: held while it is there, by whomever."""
    first, second = tenant.session("i-1", named=False), tenant.session("i-2", named=False)
    with first.held():
        with pytest.raises(LockHeld, match="i-1"), second.held():
            pass
        assert tenant.nobody_has_the_name(first.lock)
    with second.held() as taken:
        assert taken
    assert second.events(LockTakenOver) == []


def test_row_alone_of_the_dead_stays_until_it_is_cleared(tenant: Tenant) -> None:
    """Without named locks nobody can know that a holder died: a person says so."""
    first, second = tenant.session("i-dead", named=False), tenant.session("i-2", named=False)
    with suppress(MySQLError), first.held():
        first.die()
    until(lambda: len(sessions(tenant.person, tenant.name)) == 1, "the server noticed")
    with pytest.raises(LockHeld, match="i-dead"), second.held():
        pass
    assert clear(second.lock, read(second)) is True
    with second.held() as taken:
        assert taken


def test_row_alone_of_the_living_is_not_taken_for_dead(tenant: Tenant) -> None:
    """An instance with named locks meets one without: nobody can tell that it has died."""
    first, second = tenant.session("i-1", named=False), tenant.session("i-2")
    with first.held(), pytest.raises(LockHeld, match="i-1"), second.held():
        pass


def test_row_alone_respects_a_name(tenant: Tenant) -> None:
    """An instance without named locks meets one with, whose row was deleted by hand."""
    first, second = tenant.session("i-1"), tenant.session("i-2", named=False)
    with first.held():
        tenant.run("DELETE FROM migration_lock")
        with pytest.raises(LockHeld), second.held():
            pass


def test_row_alone_lets_one_in_of_many(tenant: Tenant) -> None:
    """Sessions that insert at the same moment: the primary key lets one in, no error escapes."""
    tenant.know_the_table()
    turns: list[int] = []
    most: list[int] = []

    def turn(session: Session) -> None:
        with session.held(wait=60):
            turns.append(1)
            most.append(len(turns))
            tenant.fleet_rows()
            turns.pop()

    pool = tenant.stack.enter_context(ThreadPoolExecutor(max_workers=6))
    for done in [pool.submit(turn, tenant.session(f"i-{n}", named=False)) for n in range(6)]:
        done.result(timeout=60)
    assert most == [1] * 6


WEIRD = [
    "wé ird", "a`b", "it's", 'say "x"', "per%cent", "a.b", "a/b", "a\\b", "café", "cafè", "-",
    "x" * 64, "x" * 63 + "y", "ß" * 64, "日本", "日本語", "Acme", "acme", "ACME", "?", "a;b", "a b", "a_b",
]  # fmt: skip


def test_names_of_locks_fit_and_differ(server: AnyServer) -> None:
    """Whatever a database is called: at most 64 characters, taken by the server, and no two alike."""
    names = {lock_name(database, folds=False) for database in WEIRD}
    assert len(names) == len(WEIRD)
    with server.connect() as connection:
        for name in names:
            assert len(name) <= 64
            assert ask(connection, "SELECT GET_LOCK(%s, 0)", name) == [(1,)]
        # Had the server taken two names for one, an owner would be counted twice.
        assert ask(connection, "SELECT RELEASE_LOCK(%s)", name) == [(1,)]
        assert ask(connection, "SELECT IS_FREE_LOCK(%s)", name) == [(1,)]


def test_names_of_locks_are_one_where_the_server_folds_case() -> None:
    """Where `Acme` and `acme` are one database, they have one lock, on MariaDB, too."""
    assert lock_name("Acme", folds=True) == lock_name("aCME", folds=True)
    assert lock_name("Acme", folds=False) != lock_name("aCME", folds=False)


def test_bundles_with_other_lock_tables_exclude_each_other(tenant: Tenant) -> None:
    """Where each keeps its row does not matter: the name is the database's."""
    other = tenant.session("i-2", table="locks_of_another_bundle")
    with tenant.session("i-1").held(), pytest.raises(LockHeld), other.held():
        pass


@pytest.mark.parametrize("name", ["wé ird", "a`b", "it's 100%", "Acme", "日本"])
def test_weird_database_is_locked_like_any_other(
    server: AnyServer, fleet: Fleets, name: str
) -> None:
    """Its own name comes back from the server as the one that its lock is made of."""
    ask_and_close(server, f"CREATE DATABASE {quoted(name)}")
    fleet.made.append(name.replace("`", "``"))
    one = Fleet(server, (name,))
    with ExitStack() as stack:
        tenant = Tenant(one, stack, stack.enter_context(one.connect(name)))
        first, second = tenant.session("i-1"), tenant.session("i-2")
        folds = bool(tenant.run("SELECT @@lower_case_table_names")[0][0])
        assert first.lock.named_lock.name == lock_name(name, folds=folds)
        with first.held(), pytest.raises(LockHeld, match="i-1"), second.held():
            pass


def ask_and_close(server: AnyServer, query: str) -> None:
    with server.connect() as connection:
        ask(connection, query)


# --- limits on statements' time ------------------------------------------------------------------


def test_a_waiter_outlives_the_servers_limit_on_statements(tenant: Tenant) -> None:
    """max_execution_time and max_statement_time end other statements, and no wait in GET_LOCK."""
    first, second = tenant.session("i-1"), tenant.session("i-2")
    mariadb = "mariadb" in str(tenant.run("SELECT VERSION()")[0][0]).lower()
    limit = "max_statement_time = 0.2" if mariadb else "max_execution_time = 200"
    ask(second.connection, f"SET SESSION {limit}")

    def take() -> bool:
        with second.held(wait=60) as taken:
            return taken

    with first.held():
        waiting = tenant.in_background(take)
        for _ in range(2):  # the first whole wait is over, without an error
            second.await_event(LockWaiting)
    assert waiting.result(timeout=30)
