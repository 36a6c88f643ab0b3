"""Tenants on a private server: made, set back, and looked at, by plain SQL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from benchmarks.measure import NotDone
from ebhook.scratch.process import Server
from tests.projects.make_chain import MadeChain

# As in life, a login has a password: on MySQL by caching_sha2_password, which an empty one skips.
USER, PASSWORD = "agency", "not a secret: the server is private"
HANDS = 4  # connections that make and set back tenants

Apply = Callable[[Cursor, str], None]


@dataclass(frozen=True)
class Fleet:
    """The databases `names` on one server, and the project whose chain they follow."""

    server: Server
    chain: MadeChain
    names: tuple[str, ...]
    behind: int = 0

    @cached_property
    def statements(self) -> list[str]:
        """The chain as SQL, one statement a revision, oldest first."""
        return self.chain.sql_to_stand_at(self.chain.head, whole=True)[: len(self.chain.revisions)]

    @cached_property
    def newest(self) -> list[tuple[str, str]]:
        """(revision, its statement) for what a tenant that was set back still needs."""
        pairs = zip(self.chain.revisions, self.statements, strict=True)
        return list(pairs)[len(self.chain.revisions) - self.behind :]

    def url(self, name: str) -> str:
        where = f"{self.server.host}:{self.server.port}"
        return f"mysql+pymysql://{USER}:{quote(PASSWORD)}@{where}/{name}?charset=utf8mb4"

    def connect(self) -> Connection[Cursor]:
        """A connection to no database, as the tenants' own user."""
        return pymysql.connect(
            host=self.server.host,
            port=self.server.port,
            user=USER,
            password=PASSWORD,
            charset="utf8mb4",
        )

    def make(self, *, whole: bool) -> None:
        """Creates the databases, `behind` revisions behind; with `whole`, every table of the chain."""
        stand = self.chain.stands_at
        statements = self.chain.sql_to_stand_at(stand, whole=whole)

        def make(cursor: Cursor, name: str) -> None:
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"USE {name}")
            for statement in statements:
                cursor.execute(statement)

        with self.server.connect() as connection, _hurried(connection):
            self._each(make, self.names)

    def set_back(self) -> None:
        """Every tenant `behind` revisions behind again, whatever has been done to it."""
        made = [re.match(r"CREATE TABLE (\w+)", statement) for _, statement in self.newest]
        tables = [match[1] for match in made if match]
        if not tables:
            return

        def set_back(cursor: Cursor, name: str) -> None:
            gone = ", ".join(f"{name}.{table}" for table in tables)
            cursor.execute(f"DROP TABLE IF EXISTS {gone}")
            cursor.execute(f"UPDATE {name}.alembic_version SET version_num = %s", stands_at)
            if name in journals:
                cursor.execute(f"DELETE FROM {name}.migration_journal")

        stands_at, journals = self.chain.stands_at, self._having("migration_journal")
        self._each(set_back, self.names)

    def copy_own_tables(self, other: Fleet) -> None:
        """ebhook's own tables, empty, as its first upgrade of a tenant of `other` made them."""
        model = other.names[0]
        own = [t for t in ("migration_lock", "migration_journal") if model in self._having(t)]

        def copy(cursor: Cursor, name: str) -> None:
            for table in own:
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {name}.{table} LIKE {model}.{table}")

        self._each(copy, self.names)

    def check(self, names: Sequence[str] | None = None) -> None:
        """Raises `NotDone` unless all of `names` (default: the fleet) stand at head."""
        names = self.names if names is None else names
        query = " UNION ALL ".join(
            f"SELECT version_num FROM {name}.alembic_version" for name in names
        )
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query)
            found = Counter(str(row[0]) for row in cursor.fetchall())
        if found != {self.chain.head: len(names)}:
            raise NotDone(f"{len(names)} tenants should stand at {self.chain.head}: {dict(found)}")

    def _having(self, table: str) -> set[str]:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = %s", (table,)
            )
            return {str(row[0]) for row in cursor.fetchall()}

    def _each(self, work: Apply, names: Sequence[str]) -> None:
        def share(mine: Sequence[str]) -> None:
            with self.server.connect() as connection, connection.cursor() as cursor:
                for name in mine:
                    work(cursor, name)

        with ThreadPoolExecutor(HANDS) as pool:
            list(pool.map(share, (names[hand::HANDS] for hand in range(HANDS))))


def create_user(server: Server) -> None:
    """The tenants' own user, who may do everything to their databases."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON *.* TO {USER}@'127.0.0.1'")


@contextmanager
def _hurried(connection: Connection[Cursor]) -> Iterator[None]:
    """Making thousands of tables is quicker without a disk flush for each. Measuring is with."""
    names = ("innodb_flush_log_at_trx_commit", "sync_binlog")
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"@@{name}" for name in names))
        before = cursor.fetchall()[0]
        for name in names:
            cursor.execute(f"SET GLOBAL {name} = 0")
        try:
            yield
        finally:
            for name, value in zip(names, before, strict=True):
                cursor.execute(f"SET GLOBAL {name} = {value}")
