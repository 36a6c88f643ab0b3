"""What is in the way now, how large the tables are, and how long revisions took: asked of the tenants' servers.

One connection per server and login; it only reads. What a login is not shown is said, and stops nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pymysql.err import MySQLError

from ebhook.concurrency import in_threads
from ebhook.database.connection import Connection, connect_patiently, quoted, rows, run, scalar
from ebhook.errors import EbhookError
from ebhook.fleet.logins import THREADS, LoginGroup, by_login
from ebhook.fleet.survey_reader import present_schemas
from ebhook.journal.in_doubt import Verdict
from ebhook.journal.table import Journal
from ebhook.next_command import Next, ebhook, then
from ebhook.settings import Settings
from ebhook.tenant import Tenant

MIB = 1024 * 1024


@dataclass(frozen=True)
class TableSize:
    """As the server estimates it."""

    tenant: str
    table: str
    rows: int
    mib: float


@dataclass(frozen=True)
class Obstacle:
    """What would stop or delay an upgrade of `tenant` now."""

    tenant: str
    what: str
    next: Next


@dataclass
class ServerLook:
    """What the servers told. `versions`: tenant → the server's version; `took`: revision → seconds, one per tenant
    that has it; `unseen`: what could not be looked at, and why."""

    versions: dict[str, str] = field(default_factory=dict)
    sizes: list[TableSize] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    took: dict[str, list[float]] = field(default_factory=dict)
    unseen: dict[str, None] = field(default_factory=dict)

    def seconds(self, revision: str) -> float | None:
        """What `revision` took elsewhere, in the middle; None when no journal knows it."""
        return median(self.took[revision]) if revision in self.took else None

    def largest(self, tables: Collection[str], tenants: Collection[str]) -> list[TableSize]:
        """Of each table the largest there is among `tenants`, the largest first."""
        found: dict[str, TableSize] = {}
        for size in self.sizes:
            if size.table in tables and size.tenant in tenants:
                known = found.get(size.table)
                if known is None or (size.mib, size.rows) > (known.mib, known.rows):
                    found[size.table] = size
        return sorted(found.values(), key=lambda size: -size.mib)

    def add(self, other: ServerLook) -> None:
        self.versions |= other.versions
        self.sizes += other.sizes
        self.obstacles += other.obstacles
        self.unseen |= other.unseen
        for revision, seconds in other.took.items():
            self.took.setdefault(revision, []).extend(seconds)


@dataclass(frozen=True)
class ServerQuestion:
    """What is asked: of `tables` how large they are and who has them, of `revisions` how long they took.

    `halves` are the tenants with a half-done revision; `behind` those that have work.
    """

    tables: frozenset[str]
    revisions: frozenset[str]
    halves: frozenset[str]
    behind: frozenset[str]


def look_at_servers(
    tenants: Sequence[Tenant], question: ServerQuestion, settings: Settings
) -> ServerLook:
    """All servers of `tenants`, which could be read a moment ago."""

    def one(group: LoginGroup) -> ServerLook:
        look = ServerLook()
        try:
            connection = connect_patiently(
                group.url,
                database=None,
                timeout=settings.connect_timeout,
                deadline=time.monotonic() + settings.connect_timeout,
            )
        except EbhookError as error:
            look.unseen[f"{group.url.host}: {error.what}"] = None
            return look
        with closing(connection):
            run(connection, "SET SESSION lock_wait_timeout = %s", settings.ddl.lock_wait_timeout)
            run(connection, "SET SESSION TRANSACTION READ ONLY")
            _Looking(connection, group.tenants, question, settings, look).all()
        return look

    whole = ServerLook()
    for look in in_threads(one, by_login(tenants), THREADS):
        whole.add(look)
    return whole


@dataclass
class _Looking:
    connection: Connection
    tenants: Sequence[Tenant]
    question: ServerQuestion
    settings: Settings
    look: ServerLook
    schemas: Mapping[str, str] = field(init=False)  # schema → tenant
    is_mariadb: bool = field(init=False)

    def all(self) -> None:
        version = str(scalar(self.connection, "SELECT @@version"))
        self.is_mariadb = "mariadb" in version.lower()
        present = present_schemas(self.connection, self.tenants)
        self.schemas = {schema: name for name, schema in present.items()}
        self.look.versions.update(dict.fromkeys(present, version))
        for what, ask in (
            ("how long revisions took", self.took),
            ("the size of tables", self.sizes),
            ("long transactions (they need PROCESS)", self.transactions),
            ("metadata locks (they need SELECT on performance_schema)", self.locks),
            ("statements in doubt", self.doubts),
        ):
            try:
                ask()
            except (MySQLError, EbhookError):
                self.look.unseen[what] = None
            finally:
                self.connection.rollback()

    def _marked(self, values: Iterable[str]) -> str:
        return ", ".join(["%s"] * len(list(values)))

    def took(self) -> None:
        table, wanted = self.settings.journal.table, sorted(self.question.revisions)
        if not (self.schemas and wanted):
            return
        having = rows(
            self.connection,
            "SELECT table_schema FROM information_schema.tables "
            f"WHERE table_schema IN ({self._marked(self.schemas)}) AND table_name = %s",
            *self.schemas,
            table,
        )
        query = (
            "SELECT revision, seconds FROM {}.{} WHERE kind = 'upgrade' AND seconds IS NOT NULL "
            f"AND revision IN ({self._marked(wanted)})"
        )
        parts = [
            query.format(quoted(str(row[0])).replace("%", "%%"), quoted(table)) for row in having
        ]
        if parts:
            found = rows(self.connection, " UNION ALL ".join(parts), *(wanted * len(parts)))
            for revision, seconds in found:
                self.look.took.setdefault(str(revision), []).append(float(seconds))

    def sizes(self) -> None:
        tables = sorted(self.question.tables)
        places = [s for s, tenant in self.schemas.items() if tenant in self.question.behind]
        if not (tables and places):
            return
        what = (
            "SELECT table_schema, table_name, COALESCE(table_rows, 0), "
            "COALESCE(data_length + index_length, 0) FROM information_schema.tables WHERE "
        )
        of_tables = f"AND table_name IN ({self._marked(tables)})"
        if self.is_mariadb:  # it opens all tables of a server for a list
            sql = " UNION ALL ".join([f"{what}table_schema = %s {of_tables}"] * len(places))
            values = [value for place in places for value in (place, *tables)]
        else:
            sql = f"{what}table_schema IN ({self._marked(places)}) {of_tables}"
            values = [*places, *tables]
        for schema, table, number, length in rows(self.connection, sql, *values):
            if str(schema) in self.schemas:
                mib = float(length) / MIB
                self.look.sizes.append(
                    TableSize(self.schemas[str(schema)], str(table), int(number), mib)
                )

    def transactions(self) -> None:
        """Open for longer than a statement waits for a table (ddl.lock_wait_timeout)."""
        found = rows(
            self.connection,
            "SELECT p.db, p.id, p.user, p.host, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) "
            "FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p "
            "ON p.id = t.trx_mysql_thread_id WHERE p.id <> CONNECTION_ID() "
            "AND t.trx_started <= NOW() - INTERVAL %s SECOND",
            self.settings.ddl.lock_wait_timeout,
        )
        for schema, id, user, host, seconds in found:
            self._in_the_way(schema, f"a transaction is open for {seconds} s", id, user, host)

    def locks(self) -> None:
        if self.is_mariadb:
            self.look.unseen["metadata locks (MariaDB does not show them)"] = None
            return
        tables = sorted(self.question.tables)
        if not tables:
            return
        found = rows(
            self.connection,
            "SELECT l.object_schema, l.object_name, t.processlist_id, t.processlist_user, "
            "t.processlist_host, COALESCE(t.processlist_time, 0) "
            "FROM performance_schema.metadata_locks AS l JOIN performance_schema.threads AS t "
            "ON t.thread_id = l.owner_thread_id WHERE l.object_type = 'TABLE' "
            f"AND l.object_name IN ({self._marked(tables)}) AND l.lock_status = 'GRANTED' "
            "AND t.processlist_id <> CONNECTION_ID() AND t.processlist_time >= %s",
            *tables,
            self.settings.ddl.lock_wait_timeout,
        )
        for schema, table, id, user, host, seconds in found:
            self._in_the_way(schema, f"{table} is held for {seconds} s", id, user, host)

    def _in_the_way(self, schema: Any, what: str, id: Any, user: Any, host: Any) -> None:
        tenant = self.schemas.get(str(schema))
        if tenant in self.question.behind:
            assert tenant is not None
            self.look.obstacles.append(
                Obstacle(
                    tenant,
                    f"{what} by connection {id} ({user}@{host})",
                    then("A statement waits for it, and is tried again. End it, or wait."),
                )
            )

    def doubts(self) -> None:
        for schema, name in self.schemas.items():
            if name not in self.question.halves:
                continue
            self.connection.select_db(schema)
            journal = Journal(self.connection, name, schema, self.settings.journal.table)
            entry = journal.unfinished()
            if entry is None or entry.pending is None:
                continue
            if journal.inspector.verdict(entry.pending) is Verdict.UNKNOWN:
                sql = " ".join(entry.pending.sql.split())[:120]
                self.look.obstacles.append(
                    Obstacle(
                        name,
                        f"whether statement {entry.position + 1} of {entry.revision} happened cannot "
                        f"be told: {sql}",
                        then("See: ", ebhook("resolve", name)),
                    )
                )
