"""One tenant, and the instances that work on it: the real lock and journal, with a pause after each
statement. What happens at a pause is the story's business."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
from pymysql.err import MySQLError

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, connect, errno, scalar, set_and_track
from ebhook.database.errno import LOST
from ebhook.database.url import fill
from ebhook.errors import EbhookError
from ebhook.events import Event, LockTakenOver
from ebhook.holder import Holder
from ebhook.journal.recorder import Recorder
from ebhook.journal.replies import Reply, taken
from ebhook.journal.table import Journal
from ebhook.lock.lock import TenantLock
from ebhook.scratch.installation import Flavour
from ebhook.sql.statement import kind_of
from tests.conftest import AnyServer, Fleet, Fleets
from tests.support.watching import PATIENCE, ask, until

# A chain of four revisions: their statements, each of which would show if it ran twice.
CHAIN = {
    "r1": (
        "ALTER TABLE counters ADD COLUMN a INT NOT NULL DEFAULT 0",
        "UPDATE counters SET n = n + 1 WHERE id = 1",
        "UPDATE counters SET n = n + 1 WHERE id = 2",
        "ALTER TABLE counters DROP COLUMN old",
        "UPDATE counters SET n = n + 1 WHERE id = 3",
    ),
    "r2": (
        "UPDATE counters SET n = n + 1 WHERE id = 4",
        "INSERT INTO counters (id, n) VALUES (6, 1)",
    ),
    "r3": (
        "CREATE TABLE more (id INT PRIMARY KEY)",
        "RENAME TABLE more TO last, counters TO numbers",
        "UPDATE numbers SET n = n + 1 WHERE id = 5",
        "ALTER TABLE numbers ADD KEY (n)",
    ),
    "r4": (
        "CREATE VIEW seen AS SELECT n FROM numbers",
        "INSERT INTO numbers (id, n) SELECT id + 6, 1 FROM numbers",
        "DROP TABLE last",
        "INSERT INTO numbers (id, n) VALUES (13, 1)",
        "ALTER TABLE numbers DROP COLUMN a",
    ),
}
ORDER = list(CHAIN)
HEAD = ORDER[-1]
BEGINNING = (
    "CREATE TABLE counters (id INT PRIMARY KEY, n INT NOT NULL, old INT) ENGINE=InnoDB",
    "INSERT INTO counters (id, n) VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)",
    "CREATE TABLE version (id VARCHAR(9) NOT NULL) ENGINE=InnoDB",
    "INSERT INTO version VALUES ('r0')",
)
PERSON = "a person"

_numbers = itertools.count(1)


@dataclass(eq=False)
class Instance:
    """One instance's session: on its way to the lock, or with it and in the middle of its work."""

    name: str
    connection: Connection
    id: int
    stack: ExitStack = field(default_factory=ExitStack)
    events: list[Event] = field(default_factory=list)
    has_lock: bool = False
    gone: bool = False  # its session has been ended, and it does not know
    blow: Callable[[], None] | None = None  # falls before one of its next commands: …
    spared: int = 0  # … after so many
    work: Iterator[None] = field(default_factory=lambda: iter(()))
    recorder: Recorder | None = None
    thread: threading.Thread | None = None  # in which it waits for the lock
    refusal: Exception | None = None  # what came of that, if not the lock

    def __repr__(self) -> str:
        return self.name

    @property
    def waits(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    @property
    def took_over(self) -> str | None:
        """The instance whose row it found."""
        found = [event.holder for event in self.events if isinstance(event, LockTakenOver)]
        return found[0].partition(":")[0] if found else None


class Stage:
    """A tenant at its first revision, and `person`, who types into its database."""

    def __init__(self, server: AnyServer) -> None:
        self.server = server
        self.fleet: Fleet = Fleets(server)(1, prefix="story")
        (self.name,) = self.fleet.names
        self.person = self.fleet.connect(self.name)
        for sql in BEGINNING:
            ask(self.person, sql)

    def close(self) -> None:
        self.person.close()
        with self.server.connect() as connection:
            ask(connection, f"DROP DATABASE `{self.name}`")

    # Coming and going

    def comes(self) -> Instance:
        """A new instance with the lock. Raises `LockHeld` when another has it."""
        instance = self._connected()
        try:
            self._take(instance, wait=0)
        except BaseException:
            instance.connection.close()
            raise
        return instance

    def comes_and_waits(self) -> Instance:
        """A new instance that waits for somebody's lock or freeze."""
        instance = self._connected()

        def wait() -> None:
            try:
                self._take(instance, wait=10 * PATIENCE)
            except (EbhookError, MySQLError) as error:
                instance.refusal = error

        instance.thread = threading.Thread(target=wait, daemon=True)
        instance.thread.start()
        until(lambda: instance.events or not instance.waits, f"{instance} is waiting")
        return instance

    def _connected(self) -> Instance:
        connection = connect(fill(self.fleet.template, self.name), database=self.name, timeout=10)
        set_and_track(
            connection, "SET SESSION lock_wait_timeout = 60, innodb_lock_wait_timeout = 60"
        )
        id = int(scalar(connection, "SELECT CONNECTION_ID()"))
        connection.rollback()
        instance = Instance(f"i-{next(_numbers)}", connection, id)
        driver: Any = connection
        send = driver._execute_command

        def struck(command: int, sql: str | bytes) -> None:
            """Whatever the driver sends passes here: statements, the journal's own, COMMIT."""
            if instance.blow is not None:
                if instance.spared == 0:
                    blow, instance.blow = instance.blow, None
                    blow()
                instance.spared -= 1
            send(command, sql)

        driver._execute_command = struck
        return instance

    def _take(self, instance: Instance, wait: float) -> None:
        connection = instance.connection

        def done() -> bool:
            try:
                return bool(scalar(connection, "SELECT id FROM version") == HEAD)
            finally:
                connection.rollback()

        lock = TenantLock(connection, self.name, "migration_lock", named=True)
        holder = Holder(instance.name, 0, None, None, "boot", "")
        held = lock.held(
            holder,
            wait=wait,
            emit=instance.events.append,
            done=done if wait else lambda: False,
            sleep=lambda seconds: time.sleep(min(seconds, 0.02)),
        )
        instance.has_lock = instance.stack.enter_context(held)
        instance.work = self._work(instance, holder)

    def leaves(self, instance: Instance) -> None:
        """Its block ends: the lock is given back, and the session ended."""
        try:
            instance.stack.close()
        finally:
            with suppress(MySQLError):
                instance.connection.close()
        self.await_the_end_of(instance)

    # Working

    def _work(self, instance: Instance, holder: Holder) -> Iterator[None]:
        """What an upgrade does, with a pause after each statement."""
        connection = instance.connection
        journal = Journal(connection, self.name, self.name, "migration_journal")
        half = journal.opened()
        at = str(scalar(connection, "SELECT id FROM version"))
        connection.rollback()
        for id in ORDER[ORDER.index(at) + 1 if at in ORDER else 0 :]:
            revision = Revision(id, (), id, None, Path(f"{id}.py"), "0" * 64)
            entry = half if half is not None and half.revision == id else None
            instance.recorder = Recorder(journal, revision, "upgrade", holder, entry)
            for sql in CHAIN[id]:
                instance.recorder.run(kind_of(sql), sql, self._executing(instance, sql))
                yield
            self._executing(instance, f"UPDATE version SET id = '{id}'")()
            instance.recorder.finish()
            yield
            connection.commit()
            if id != HEAD:  # else it leaves at once: others see that there is nothing left to do
                yield

    def _executing(self, instance: Instance, sql: str) -> Callable[[], Reply | None]:
        def execute() -> Reply | None:
            owner = self.owner()
            assert owner == instance.id or instance.gone, f"{instance} writes, {owner} has the lock"
            with instance.connection.cursor() as cursor:
                cursor.execute(sql)
                return taken(cursor)

        return execute

    def step(self, instance: Instance) -> str:
        """One more statement: "at work", "at head" (and it has left), or "lost" its session."""
        try:
            next(instance.work)
        except StopIteration:
            self.leaves(instance)
            return "at head"
        except MySQLError as error:
            if not instance.gone or errno(error) not in LOST:
                raise
            with suppress(MySQLError):
                self.leaves(instance)
            return "lost"
        return "at work"

    def gives_up(self, instance: Instance) -> None:
        """It was told to stop: nothing more is begun, and what is certain is written down."""
        instance.connection.rollback()
        if instance.recorder is not None:
            instance.recorder.settle("told to stop")
        self.leaves(instance)

    # What happens to them

    def dies(self, instance: Instance) -> None:
        """As by kill -9: its socket closes without a word."""
        sock: Any = instance.connection._sock  # type: ignore[attr-defined]
        with suppress(OSError, AttributeError):
            sock.shutdown(socket.SHUT_RDWR)
        with suppress(MySQLError):
            instance.connection.close()
        self.await_the_end_of(instance)

    def kill(self, instance: Instance) -> None:
        """KILL CONNECTION; it will see that at its next statement."""
        instance.gone = True
        with suppress(pymysql.err.OperationalError):  # it has gone already
            ask(self.person, f"KILL CONNECTION {instance.id}")
        self.await_the_end_of(instance)

    def kill_while_it_waits(self, instance: Instance) -> None:
        """KILL CONNECTION when a statement of its is under way for a while; else it ends by itself."""
        query = (
            "SELECT 1 FROM information_schema.processlist"
            f" WHERE id = {instance.id} AND info IS NOT NULL AND time_ms > 20"
        )
        if self.server.flavour is Flavour.MYSQL:
            query = (
                "SELECT 1 FROM performance_schema.events_statements_current"
                " JOIN performance_schema.threads USING (thread_id) WHERE timer_wait > 20000000000"
                f" AND processlist_id = {instance.id} AND processlist_command = 'Query'"
            )
        with self.server.connect() as other:
            waits_or_has_ended = lambda: ask(other, query) or not self._is_there(instance, other)  # noqa: E731
            until(waits_or_has_ended, "it waits, or has ended")
            instance.gone = True
            with suppress(pymysql.err.OperationalError):
                ask(other, f"KILL CONNECTION {instance.id}")

    def server_dies(self) -> None:
        """kill -9 of the server, which is started again."""
        self.person.close()
        self.server.kill()
        self.server.start()
        self.person = self.fleet.connect(self.name)

    # Looking

    def owner(self) -> int | None:
        """The session that has the named lock."""
        name = TenantLock(self.person, self.name, "migration_lock", named=True).named_lock.name
        ((owner,),) = ask(self.person, f"SELECT IS_USED_LOCK('{name}')")
        return None if owner is None else int(owner)

    def row(self) -> str | None:
        """Whose row is in migration_lock."""
        if not self.has_lock_table():
            return None
        rows = ask(self.person, "SELECT holder FROM migration_lock")
        assert len(rows) <= 1
        return str(rows[0][0]) if rows else None

    def has_lock_table(self) -> bool:
        return bool(ask(self.person, "SHOW TABLES LIKE 'migration_lock'"))

    def version(self) -> str:
        ((version,),) = ask(self.person, "SELECT id FROM version")
        return str(version)

    def counts(self) -> set[int]:
        """How often each row was counted."""
        table = "numbers" if ask(self.person, "SHOW TABLES LIKE 'numbers'") else "counters"
        return {int(row[0]) for row in ask(self.person, f"SELECT n FROM {table}")}

    def await_the_end_of(self, instance: Instance) -> None:
        gone = lambda: not self._is_there(instance, self.person)  # noqa: E731
        until(gone, f"session {instance.id} ends")

    def _is_there(self, instance: Instance, connection: Any) -> bool:
        query = f"SELECT 1 FROM information_schema.processlist WHERE id = {instance.id}"
        return bool(ask(connection, query))

    def check_the_end(self) -> None:
        """Head; each statement once; nothing held, nothing half done."""
        assert self.version() == HEAD
        assert self.counts() == {1}
        columns = [row[0] for row in ask(self.person, "SHOW COLUMNS FROM numbers")]
        assert columns == ["id", "n"]
        assert ask(self.person, "SELECT COUNT(*) FROM seen") == [(13,)]
        assert not ask(self.person, "SHOW TABLES LIKE 'last'")
        assert self.row() is None
        assert self.owner() is None
        journal = "SELECT revision, finished_at IS NULL FROM migration_journal ORDER BY id"
        assert ask(self.person, journal) == [(id, 0) for id in ORDER]
