"""A project from ``tests/projects``, some tenants, and ebhook as the instances run it there."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebhook.database.connection import connect
from ebhook.database.url import fill
from tests.conftest import Ebhook, Fleet, Ran, check_document
from tests.support.watching import PATIENCE, ask, until

PROJECTS = Path(__file__).parents[1] / "projects"


@dataclass
class Running:
    """An ebhook that runs beside the test, seen through its log."""

    process: subprocess.Popen[str]
    log: Path
    began: float = field(default_factory=time.monotonic)

    def events(self, *kinds: str, **values: object) -> list[dict[str, Any]]:
        """The events so far, in order, of these kinds and with these values."""
        if not self.log.exists():
            return []
        whole = self.log.read_text("utf-8").rpartition("\n")[0].splitlines()
        events: list[dict[str, Any]] = [json.loads(line) for line in whole]
        return [
            event
            for event in events
            if event["event"] in kinds and all(event[key] == values[key] for key in values)
        ]

    def await_event(self, kind: str, **values: object) -> dict[str, Any]:
        """The first such event; fails when the program ends without it."""

        def look() -> list[dict[str, Any]]:
            ended = self.process.poll() is not None
            found = self.events(kind, **values)
            assert found or not ended, f"it ended without {kind} {values}: {self.end()}"
            return found

        return until(look, f"{kind} {values}")[0]

    def end(self, timeout: float = PATIENCE) -> Ran:
        """Its end, and all that it said."""
        stdout, stderr = self.process.communicate(timeout=timeout)
        assert isinstance(self.process.args, list)
        check_document([str(word) for word in self.process.args[3:]], stdout)
        return Ran(self.process.returncode, stdout, stderr, time.monotonic() - self.began)


@dataclass(frozen=True)
class Agency:
    """Tenants of one project on one server."""

    fleet: Fleet
    ebhook: Ebhook
    project: Path
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.fleet.names

    def env(self, **settings: object) -> dict[str, str]:
        """The environment of an instance; `lock_wait=5` is EBHOOK_LOCK_WAIT=5, None: not set.

        The last gate is open, since many projects of the tests break rules on purpose; its own tests
        close it: boot_rules=None.
        """
        default = {
            "tenants_url": self.fleet.template,
            "tenants_names": ",".join(self.names),
            "boot_rules": "off",
        }
        given = {**default, **self.settings, **settings}
        return {
            key if key.isupper() else f"EBHOOK_{key.upper()}": str(value)
            for key, value in given.items()
            if value is not None
        }

    def run(self, *arguments: str, **settings: object) -> Ran:
        """ebhook, to its end."""
        return self.ebhook(*arguments, cwd=self.project, env=self.env(**settings))

    def start(self, *arguments: str, **settings: object) -> Running:
        """ebhook, beside the test."""
        log = self.ebhook.folder / f"{len(self.ebhook.started)}.jsonl"
        arguments = (*arguments, "--log-file", str(log))
        env = self.env(**settings)
        return Running(self.ebhook.start(*arguments, cwd=self.project, env=env), log)

    def outcomes(self, ran: Ran) -> dict[str, str]:
        """Tenant → outcome, of a run with --json."""
        return {tenant["tenant"]: tenant["outcome"] for tenant in ran.json()["tenants"]}

    def ask(self, name: str, query: str) -> list[tuple[Any, ...]]:
        with connect(fill(self.fleet.template, name), database=name, timeout=30) as connection:
            connection.autocommit(True)
            return ask(connection, query)

    def version(self, name: str, table: str = "alembic_version") -> str | None:
        """Where a tenant stands by its own version table; None without one."""
        if not self.ask(name, f"SHOW TABLES LIKE '{table}'"):
            return None
        rows = self.ask(name, f"SELECT version_num FROM {table}")
        return ",".join(sorted(str(row[0]) for row in rows)) or None

    def versions(self) -> set[str | None]:
        return {self.version(name) for name in self.names}

    def tables(self, name: str) -> set[str]:
        """The tenant's tables, less ebhook's own and Alembic's."""
        own = {"alembic_version", "migration_lock", "migration_journal"}
        return {str(row[0]) for row in self.ask(name, "SHOW TABLES")} - own

    def columns(self, name: str, table: str) -> list[str]:
        return [str(row[0]) for row in self.ask(name, f"SHOW COLUMNS FROM {table}")]

    def lock_rows(self) -> list[tuple[str, str]]:
        """(tenant, holder) of every lock row there is."""
        found = []
        for name in self.names:
            if self.ask(name, "SHOW TABLES LIKE 'migration_lock'"):
                rows = self.ask(name, "SELECT holder FROM migration_lock")
                found += [(name, str(row[0])) for row in rows]
        return found

    def stand(self, name: str, *revisions: str, table: str = "alembic_version") -> None:
        """Puts a tenant's version table at `revisions`, without their tables."""
        self.ask(name, f"CREATE TABLE IF NOT EXISTS {table} (version_num VARCHAR(32) PRIMARY KEY)")
        for revision in revisions:
            self.ask(name, f"INSERT INTO {table} VALUES ('{revision}')")

    def stand_at_a002(self, name: str) -> None:
        """A tenant of the project `linear` as its first two revisions leave it, by plain SQL."""
        self.ask(
            name,
            "CREATE TABLE clients (id INTEGER NOT NULL AUTO_INCREMENT, name VARCHAR(100) NOT NULL,"
            " PRIMARY KEY (id))",
        )
        self.ask(
            name,
            "CREATE TABLE visits (id INTEGER NOT NULL AUTO_INCREMENT, client_id INTEGER NOT NULL,"
            " visited_on DATE NOT NULL, PRIMARY KEY (id),"
            " FOREIGN KEY(client_id) REFERENCES clients (id))",
        )
        self.stand(name, "a002")
