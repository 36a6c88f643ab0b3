"""A project that a test writes revision by revision, and one tenant that it is run on."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebhook.database.connection import connect
from ebhook.database.url import fill
from ebhook.errors import EbhookError, InDoubt
from ebhook.journal.in_doubt import atomic_ddl
from ebhook.journal.table import Entry, Journal
from ebhook.rollout.messages import Finished
from tests.conftest import Ebhook, Fleet, Ran
from tests.support import one_run
from tests.support.agency import PROJECTS
from tests.support.one_run import Run
from tests.support.proxy import Fate, Proxy, Query, Strike, Where
from tests.support.watching import ask, until

# What ebhook and Alembic say for themselves.
OWN = ("migration_journal", "migration_lock", "alembic_version", "information_schema", "GET_LOCK")

CLIENTS = "CREATE TABLE clients (id INT PRIMARY KEY, name VARCHAR(50), n INT NOT NULL DEFAULT 0)"
PEOPLE = "INSERT INTO clients (id, name) VALUES (1, 'Ada'), (2, 'Alan'), (3, 'Grace')"
EMAIL = "ALTER TABLE clients ADD COLUMN email VARCHAR(50)"
PHONE = "ALTER TABLE clients ADD COLUMN phone VARCHAR(50)"
COUNT = "UPDATE clients SET n = n + 1"
CREATE_LAST = "CREATE TABLE last (id INT)"
# The statement that moves the version from a001 on.
VERSION = "UPDATE alembic_version"


@dataclass
class Clinic:
    """`said` is every statement of the tenant's sessions, as the server was sent it."""

    fleet: Fleet
    ebhook: Ebhook
    proxy: Proxy
    folder: Path
    said: list[str] = field(default_factory=list)
    _death: tuple[str, Where] | None = None  # where it was killed last

    def __post_init__(self) -> None:
        shutil.copytree(PROJECTS / "linear", self.folder, ignore=shutil.ignore_patterns("a0*"))
        self.versions = self.folder / "migrations" / "versions"
        self.versions.mkdir(exist_ok=True)
        self.calm()

    @property
    def name(self) -> str:
        return self.fleet.names[0]

    # The project

    def revision(self, id: str, upgrade: str, *, after: str | None = None, back: str = "") -> Path:
        """Writes a revision, or writes it anew; `upgrade` and `back` are the bodies."""
        path = self.versions / f"{id}_jms_1.py"
        path.write_text(
            f'"""JMS-1 {id}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
            f'revision = "{id}"\ndown_revision = {after!r}\n\n\n'
            f"def upgrade():\n{_body(upgrade)}\n\n\ndef downgrade():\n{_body(back)}\n"
        )
        return path

    def statements(self, id: str, *sql: str, after: str | None = None, back: str = "") -> Path:
        """A revision that is a list of SQL statements."""
        return self.revision(id, _executing(sql), after=after, back=back)

    # Running

    def env(self, **settings: str) -> dict[str, str]:
        given = {
            "EBHOOK_TENANTS_URL": self.proxy.url(self.fleet.template),
            "EBHOOK_TENANTS_NAMES": self.name,
            "EBHOOK_BOOT_RULES": "off",  # what is tried here breaks rules on purpose
        }
        return given | {f"EBHOOK_{key.upper()}": value for key, value in settings.items()}

    def cli(self, *arguments: str, **settings: str) -> Ran:
        """ebhook as a program."""
        return self.ebhook(*arguments, cwd=self.folder, env=self.env(**settings))

    def start(self, *, to: str | None = None, downgrade: bool = False, **settings: str) -> Run:
        return one_run.start(self.folder, self.env(**settings), to=to, downgrade=downgrade)

    def run(self, *, to: str | None = None, downgrade: bool = False, **settings: str) -> Finished:
        """One upgrade, to its end."""
        finished = self.start(to=to, downgrade=downgrade, **settings).finished()
        assert finished is not None
        return finished

    def succeeds(self, *, to: str | None = None, downgrade: bool = False, **settings: str) -> None:
        """One upgrade that comes where it should, and leaves nothing open."""
        finished = self.run(to=to, downgrade=downgrade, **settings)
        if self._answered(finished):
            finished = self.run(to=to, downgrade=downgrade, **settings)
        assert finished.error is None, str(finished.error)
        assert self.half() is None
        assert self.ask("SELECT * FROM migration_lock") == []

    def fails(
        self,
        kind: type[EbhookError],
        *,
        to: str | None = None,
        downgrade: bool = False,
        **settings: str,
    ) -> EbhookError:
        """One upgrade that does not; its error."""
        error = self.run(to=to, downgrade=downgrade, **settings).error
        assert isinstance(error, kind), repr(error)
        return error

    def dies(
        self,
        words: str,
        where: Where = Where.BEFORE,
        *,
        to: str | None = None,
        downgrade: bool = False,
    ) -> None:
        """One upgrade that is killed (kill -9) at the first statement with these words."""
        finished = self._killed(words, where, to=to, downgrade=downgrade)
        if finished is not None and self._answered(finished):
            finished = self._killed(words, where, to=to, downgrade=downgrade)
        assert finished is None, f"it was never at {words!r}"
        self._death = words, where
        self.calm()
        until(lambda: not self._sessions(), "the server has noticed")

    def _killed(
        self, words: str, where: Where, *, to: str | None, downgrade: bool
    ) -> Finished | None:
        run = self.start(to=to, downgrade=downgrade)

        def kill(query: Query) -> Fate:
            run.kill()
            return Fate.CUT

        self.strike(words, where, kill)
        return run.finished()

    def _answered(self, finished: Finished) -> bool:
        """Where DDL is not atomic, ebhook asks of each definition that a crash left open: tells it the
        truth, which the test knows. A definition before the one that it died at is in."""
        version = self.fleet.server.version
        if not isinstance(finished.error, InDoubt) or self._death is None or atomic_ddl(version):
            return False
        words, where = self._death
        half = self.half()
        assert half is not None
        assert half.pending is not None
        applied = where is Where.AFTER or words not in half.pending.sql
        word = "--applied" if applied else "--not-applied"
        return self.cli("resolve", self.name, word).code == 0

    def strike(self, words: str, where: Where, act: Any) -> None:
        """`act` is done at the first statement of the tenant's sessions with these words."""
        todo = [words]

        def plan(query: Query) -> Strike | None:
            self._hear(query)
            ours = query.database and "migration_journal" not in query.text
            if ours and todo and todo[0] in query.text:
                todo.clear()
                return where, act
            return None

        self.proxy.plan = plan

    def calm(self) -> None:
        self.proxy.plan = self._hear

    def _hear(self, query: Query) -> None:
        if query.database:
            self.said.append(query.text)

    def changes(self) -> list[str]:
        """What the revisions themselves have said since this was asked last, less what only reads."""
        said, self.said[:] = list(self.said), []
        quiet = ("SELECT", "SHOW", "DESCRIBE", "SET", "DO", "ROLLBACK", "COMMIT", "UNLOCK", "BEGIN")
        return [
            " ".join(text.split())
            for text in said
            if not any(own in text for own in OWN) and not text.lstrip().startswith(quiet)
        ]

    # Looking

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.fleet.connect(self.name) as connection:
            return ask(connection, sql)

    def do(self, *statements: str) -> None:
        for sql in statements:
            self.ask(sql)

    def columns(self, table: str) -> list[str]:
        return [str(row[0]) for row in self.ask(f"SHOW COLUMNS FROM {table}")]

    def tables(self) -> set[str]:
        return {str(row[0]) for row in self.ask("SHOW TABLES")} - set(OWN)

    def version(self) -> str | None:
        rows = self.ask("SELECT version_num FROM alembic_version")
        return str(rows[0][0]) if rows else None

    def entries(self) -> list[Entry]:
        connection = connect(fill(self.fleet.template, self.name), database=self.name, timeout=10)
        try:
            return Journal(connection, self.name, self.name, "migration_journal").entries()
        finally:
            connection.close()

    def half(self) -> Entry | None:
        connection = connect(fill(self.fleet.template, self.name), database=self.name, timeout=10)
        try:
            return Journal(connection, self.name, self.name, "migration_journal").unfinished()
        finally:
            connection.close()

    def _sessions(self) -> list[tuple[Any, ...]]:
        with self.fleet.server.connect() as connection:
            return ask(
                connection, "SELECT id FROM information_schema.processlist WHERE db = %s", self.name
            )


def _body(text: str) -> str:
    return textwrap.indent(textwrap.dedent(text).strip() or "pass", "    ")


def _executing(statements: Iterable[str]) -> str:
    return "\n".join(f"op.execute({sql!r})" for sql in statements)


def positions(said: Sequence[str]) -> list[str]:
    """A session's statements in short: J for the journal's own, LOCK where it is asked whether the
    lock is held, the first two words of others."""
    return [
        "J"
        if "migration_journal`" in text
        else "LOCK"
        if "IS_USED_LOCK" in text
        else " ".join(text.split()[:2]).upper()
        for text in said
    ]
