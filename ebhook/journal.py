"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

MySQL commits every DDL statement by itself. So the position is written *before* a DDL statement, in
the open transaction: the DDL's own implicit commit makes it durable just before the DDL begins. After
a statement that changes rows, the position is written in the transaction of those rows. The last
position is written in the transaction that moves ``alembic_version``.

After a crash, the statements before the position are in, and are skipped once they are proved to be
the same (a rolling digest). The statement *at* the position is in doubt: DDL is atomic (MySQL 8.0,
MariaDB 10.6), so its objects look as they did before (it did not happen) or they do not (it did).
Where that cannot be told, a person is asked; see docs/protocol.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from pymysql.err import MySQLError

from ebhook.beanstalk import Holder
from ebhook.chain import Revision
from ebhook.database import Connection, Errno, errno, quoted, rows, run, scalar
from ebhook.errors import InDoubt, JournalForeign, RevisionChanged
from ebhook.sql import Kind, Object, Touched, touched

COLUMNS = {
    "id": "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT",
    "kind": "VARCHAR(16) CHARACTER SET ascii NOT NULL",
    "revision": "VARCHAR(190) NULL",
    "down_revision": "VARCHAR(1000) NULL",
    "checksum": "CHAR(64) CHARACTER SET ascii NULL",
    "position": "INT UNSIGNED NOT NULL DEFAULT 0",
    "digest": "CHAR(64) CHARACTER SET ascii NULL",
    "pending": "LONGTEXT NULL",
    "pending_objects": "LONGTEXT NULL",
    "statements": "LONGTEXT NULL",
    "holder": "VARCHAR(190) NULL",
    "environment": "VARCHAR(190) NULL",
    "version_label": "VARCHAR(190) NULL",
    "command": "VARCHAR(190) NULL",
    "started_at": "DATETIME(6) NULL",
    "finished_at": "DATETIME(6) NULL",
    "seconds": "DOUBLE NULL",
    "note": "TEXT NULL",
}
_ABSENT = {1146, 1305, 1347, 1360, 1539, 1049, 1051}
_LOGGED = 100_000  # characters of statement texts that are kept per revision, for people
_BETWEEN = "\n;\n"


class Verdict(Enum):
    """Whether the statement in doubt happened."""

    HAPPENED = "happened"
    NOT = "did not happen"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Pending:
    """A statement whose end was not seen, with its objects as they looked before it."""

    sql: str
    objects: tuple[Object, ...] | None
    before: tuple[str | None, ...] = ()
    shows: bool = True
    repeatable: bool = False
    fills: bool = False
    server: str = ""


@dataclass(frozen=True)
class Entry:
    """One row of the journal. `finished_at` None: the revision is half applied."""

    id: int
    kind: str
    revision: str | None
    down_revision: str | None
    checksum: str | None
    position: int
    digest: str | None
    pending: Pending | None
    statements: tuple[str, ...]
    holder: str | None
    environment: str | None
    version_label: str | None
    command: str | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    note: str | None


def fold(digest: str, sql: str) -> str:
    """The rolling digest after one more statement."""
    return hashlib.sha256(f"{digest}\0{sql}".encode("utf-8", "surrogatepass")).hexdigest()


def decide(pending: Pending, now: Sequence[str | None], server: str) -> Verdict:
    """Whether a statement in doubt happened, from how its objects looked before and look now."""
    if pending.repeatable and not pending.fills:
        return Verdict.NOT  # running it once more is as good
    if pending.objects is None or not pending.shows or pending.server != server:
        return Verdict.UNKNOWN
    if not atomic_ddl(server) or not all(map(_transactional, [*pending.before, *now])):
        return Verdict.UNKNOWN
    same = [then == look for then, look in zip(pending.before, now, strict=True)]
    if all(same):
        return Verdict.NOT
    if any(same) or pending.fills:
        return Verdict.UNKNOWN
    return Verdict.HAPPENED


def atomic_ddl(server: str) -> bool:
    """Does this server (``@@version``) undo a DDL statement that it did not finish?"""
    number = re.match(r"(\d+)\.(\d+)", server)
    version = (int(number[1]), int(number[2])) if number else (0, 0)
    return version >= ((10, 6) if "mariadb" in server.lower() else (8, 0))


def _transactional(look: str | None) -> bool:
    engine = re.search(r"\) ENGINE=(\w+)", look or "")
    return engine is None or engine[1].lower() == "innodb"


@dataclass
class Journal:
    """The journal of the database that `connection` is in."""

    connection: Connection
    tenant: str
    database: str
    table: str

    @property
    def name(self) -> str:
        """The table, qualified: a migration may USE another database. ``%`` is doubled, as for
        statements with values."""
        return f"{quoted(self.database)}.{quoted(self.table)}".replace("%", "%%")

    def make(self) -> None:
        """Creates the table when it is not there. Commits."""
        found = rows(
            self.connection,
            "SELECT LOWER(column_name) FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s",
            self.database,
            self.table,
        )
        columns = {str(row[0]) for row in found}
        if columns.issuperset(COLUMNS):
            return
        if columns:
            raise JournalForeign(
                f"{self.tenant}: the table {self.table} is not ebhook's: it has no "
                f"{', '.join(sorted(set(COLUMNS) - columns))}.",
                next='Choose another name: [journal] table = "…" (EBHOOK_JOURNAL_TABLE)',
            )
        body = ", ".join(f"{quoted(column)} {kind}" for column, kind in COLUMNS.items())
        run(
            self.connection,
            f"CREATE TABLE IF NOT EXISTS {self.name.replace('%%', '%')} "
            f"({body}, PRIMARY KEY (id), KEY unfinished (finished_at)) "
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        )

    def entries(self, *, unfinished: bool = False) -> list[Entry]:
        """All entries, the oldest first; none when there is no journal yet."""
        where = "WHERE finished_at IS NULL" if unfinished else ""
        columns = ", ".join(quoted(column) for column in COLUMNS)
        try:
            found = rows(
                self.connection,
                f"SELECT {columns} FROM {self.name.replace('%%', '%')} {where} ORDER BY id",
            )
        except MySQLError as error:
            if errno(error) == Errno.NO_SUCH_TABLE:
                return []
            raise
        return [_entry(dict(zip(COLUMNS, values, strict=True))) for values in found]

    def unfinished(self) -> Entry | None:
        """The revision that is half applied."""
        return next(iter(self.entries(unfinished=True)), None)

    def look(self, objects: Sequence[Object]) -> tuple[str | None, ...]:
        """How objects look now: their SHOW CREATE without AUTO_INCREMENT; None for an absent one."""
        return tuple(self._look(one) for one in objects)

    def _look(self, one: Object) -> str | None:
        name = f"{quoted(one.schema or self.database)}.{quoted(one.name)}"
        if one.kind == "DATABASE":
            name = quoted(one.name)
        try:
            (row,) = rows(self.connection, f"SHOW CREATE {one.kind} {name}")
        except MySQLError as error:
            if errno(error) in _ABSENT:
                return None
            raise
        text = next((v for v in row[1:] if isinstance(v, str) and v.startswith(_CREATES)), "")
        return re.sub(r" AUTO_INCREMENT=\d+", "", text)

    def server(self) -> str:
        return str(scalar(self.connection, "SELECT @@version"))

    def verdict(self, pending: Pending) -> Verdict:
        """Whether `pending` happened, by looking."""
        return decide(pending, self.look(pending.objects or ()), self.server())

    def write(
        self, id: int, values: Mapping[str, object], *, append: str = "", finished: bool = False
    ) -> bool:
        """Changes an entry, in the open transaction; False when it is not there.

        Args:
            append: goes to the end of its `statements`.
            finished: the revision is done, and nothing of it in doubt.
        """
        assignments = [f"{quoted(column)} = %s" for column in values]
        assignments.append("statements = CONCAT(COALESCE(statements, ''), %s)")
        if finished:
            assignments.append(
                "pending = NULL, pending_objects = NULL, finished_at = UTC_TIMESTAMP(6)"
            )
        sql = f"UPDATE {self.name} SET {', '.join(assignments)} WHERE id = %s"
        return bool(run(self.connection, sql, *values.values(), append, id))

    def add(self, **values: object) -> int:
        """A new entry, in the open transaction; its id."""
        columns = ", ".join(quoted(column) for column in values)
        marks = ", ".join(["%s"] * len(values))
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {self.name} ({columns}, started_at) "
                f"VALUES ({marks}, UTC_TIMESTAMP(6))",
                tuple(values.values()),
            )
            return int(cursor.lastrowid)

    def resolve(self, entry: Entry, holder: Holder, *, applied: bool) -> None:
        """A person's word on the statement in doubt: it is in, or it is not. Commits."""
        assert entry.pending is not None
        word = "applied" if applied else "not applied"
        values: dict[str, object] = {"pending": None, "pending_objects": None}
        values["note"] = f"statement {entry.position + 1} resolved as {word} by {holder}"
        if applied:
            values["position"] = entry.position + 1
            values["digest"] = fold(entry.digest or "", entry.pending.sql)
        self.write(entry.id, values)
        self.connection.commit()

    def note(self, kind: str, holder: Holder, note: str) -> None:
        """A line of history that is no revision (a cleared lock), if there is a journal. Commits."""
        try:
            id = self.add(kind=kind, **_who(holder), note=note)
            self.write(id, {}, finished=True)
            self.connection.commit()
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_TABLE:
                raise


_CREATES = ("CREATE", "/*")


@dataclass
class Recorder:
    """One revision on its way: which statements to skip, and the position after each.

    `entry` is the unfinished row of an earlier run, or None. Call `run` for every statement of the
    migration, then `finish` in the transaction that moves the version.
    """

    journal: Journal
    revision: Revision
    kind: str
    holder: Holder
    entry: Entry | None = None
    index: int = 0  # statements that the migration has issued in this run
    digest: str = ""
    began: float = field(default_factory=time.monotonic)
    server: str = ""
    texts: list[str] = field(default_factory=list)  # of the statements so far, for people
    temporary: set[str] = field(default_factory=set)  # tables that live in this session alone
    told: int = 0  # how many of them are in the journal
    fresh: bool = True  # nothing was written in this run yet

    def __post_init__(self) -> None:
        self.id = self.entry.id if self.entry else None
        self.resumed = self.entry
        if self.entry is not None and self.entry.pending is None and self.entry.position == 0:
            self.resumed = None

    def run(self, kind: Kind, text: str, execute: Callable[[], None]) -> bool:
        """Runs a statement once in the life of the database; False when it is in already.

        Args:
            text: the statement with its values, as digested and shown.
            execute: does it.

        Raises:
            RevisionChanged: what an earlier run applied is not what the file says now.
            InDoubt: whether it happened in an earlier run cannot be told.
        """
        if self._is_temporary(text) or kind in (Kind.READ, Kind.SESSION):
            execute()
            return True
        if self.resumed is not None and self._is_in(self.resumed, text):
            return False
        if kind is Kind.DATA:
            self._run_data(text, execute)
        else:
            self._run_definition(kind, text, execute)
        return True

    def finish(self) -> None:
        """The revision is done; commits with the version."""
        if self.resumed is not None:
            self._end_early(self.resumed)
        values: dict[str, object] = {
            "position": self.index,
            "digest": self.digest,
            "checksum": self.revision.checksum,
            "seconds": time.monotonic() - self.began + ((self.entry and self.entry.seconds) or 0.0),
            "note": None,
        }
        self._write(values, finished=True)

    # What an earlier run did

    def _is_in(self, entry: Entry, text: str) -> bool:
        """Is the migration's next statement one that an earlier run applied?"""
        if self.index < entry.position:
            self._pass(text)
            if self.index == entry.position:
                if self.digest != entry.digest:
                    self._refuse(entry, "its first statements are not those that are in")
                if entry.pending is None:
                    self.resumed = None
            return True
        self.resumed = None
        if not self._happened(entry):
            return False
        assert entry.pending is not None
        if text != entry.pending.sql:
            self._refuse(entry, f"statement {entry.position + 1} is in, and is not in the file now")
        self._pass(text)
        return True

    def _happened(self, entry: Entry) -> bool:
        """Did the statement in doubt happen? Raises `InDoubt` when that cannot be told."""
        assert entry.pending is not None
        verdict = self.journal.verdict(entry.pending)
        if verdict is Verdict.UNKNOWN:
            raise in_doubt(self.journal.tenant, entry)
        return verdict is Verdict.HAPPENED

    def _end_early(self, entry: Entry) -> None:
        """The revision issued no more statements than were in: fine only if that is all of them."""
        if self.index < entry.position or self._happened(entry):
            self._refuse(entry, "it issues fewer statements than are in")

    def _is_temporary(self, text: str) -> bool:
        """Does a statement make, or write to, a table of this session alone? Such a table is gone
        when a revision is resumed, so it is made and filled again."""
        made = re.match(r"\s*CREATE TEMPORARY TABLE (?:IF NOT EXISTS )?`?([\w$]+)", text, re.I)
        if made:
            self.temporary.add(made[1].lower())
        written = re.match(
            r"\s*(?:INSERT (?:IGNORE )?INTO|REPLACE INTO|UPDATE|DELETE FROM) `?([\w$]+)", text, re.I
        )
        return bool(written and written[1].lower() in self.temporary)

    def _pass(self, text: str) -> None:
        self.digest = fold(self.digest, text)
        self.index += 1
        self._log(text)

    def _log(self, text: str) -> None:
        """Keeps a statement for people to read; a long revision's later ones are left out."""
        self.texts.append(text[:2000] if sum(map(len, self.texts)) < _LOGGED else "…")

    def _refuse(self, entry: Entry, why: str) -> None:
        listed = "\n".join(f"    {' '.join(sql.split())[:200]}" for sql in entry.statements)
        edited = entry.checksum != self.revision.checksum
        cause = (
            "The file was changed after it was half applied"
            if edited
            else "Its statements differ from run to run (time, random values, data read before)"
        )
        raise RevisionChanged(
            f"{self.journal.tenant}: revision {self.revision.id} is half applied, and {why}. "
            f"{cause}.",
            f"It was applied up to here:\n{listed}\n  Nothing more was changed.",
            f"Put these back at the top of {self.revision.path.name} (only what follows may be "
            f"mended), then: ebhook upgrade {self.journal.tenant}",
        )

    # What this run does

    def _run_data(self, text: str, execute: Callable[[], None]) -> None:
        connection = self.journal.connection
        alone = bool(connection.get_autocommit())
        if alone:
            connection.begin()
        try:
            try:
                execute()
            finally:
                self._pass(text)  # a migration may catch the error and go on: it was issued
            self._record(pending=None, pending_objects=None)
            if alone:
                connection.commit()
        except BaseException:
            if alone:
                connection.rollback()
            raise

    def _run_definition(self, kind: Kind, text: str, execute: Callable[[], None]) -> None:
        known = touched(text) if kind is Kind.DEFINITION else None
        self._record(pending=text, pending_objects=_dumped(self._pending(text, known)))
        if kind is Kind.OPAQUE:
            self.journal.connection.commit()  # nobody knows whether it commits by itself
        try:
            execute()
        finally:
            self._pass(text)
        if kind is Kind.OPAQUE:
            self._record(pending=None, pending_objects=None)

    def _pending(self, text: str, known: Touched | None) -> Pending:
        if not self.server:
            self.server = self.journal.server()
        if known is None:
            return Pending(text, None, server=self.server)
        return Pending(
            text,
            known.objects,
            self.journal.look(known.objects),
            known.shows,
            known.repeatable,
            known.fills,
            self.server,
        )

    def _record(self, **values: object) -> None:
        """Writes how far the revision is, in the open transaction."""
        values |= {
            "position": self.index,
            "digest": self.digest,
            "checksum": self.revision.checksum,
        }
        self._write(values)

    def _write(self, values: dict[str, object], *, finished: bool = False) -> None:
        if self.fresh and self.id is not None:
            values["statements"] = ""  # an earlier run's; those that are in are issued again
        untold = "".join(text + _BETWEEN for text in self.texts[self.told :])
        if self.id is None or not self.journal.write(
            self.id, values, append=untold, finished=finished
        ):
            # New, or undone together with a transaction that the migration rolled back.
            everything = "".join(text + _BETWEEN for text in self.texts)
            self.id = self._add(**values | {"statements": everything})
            if finished:
                self.journal.write(self.id, {}, finished=True)
        self.fresh, self.told = False, len(self.texts)

    def _add(self, **values: object) -> int:
        return self.journal.add(
            kind=self.kind,
            revision=self.revision.id,
            down_revision=",".join(self.revision.parents) or None,
            **_who(self.holder),
            **values,
        )


def in_doubt(tenant: str, entry: Entry) -> InDoubt:
    """The question that only a person can answer."""
    sql = " ".join(entry.pending.sql.split())[:300] if entry.pending else ""
    return InDoubt(
        f"{tenant}: revision {entry.revision} stopped at statement {entry.position + 1}, and "
        f"whether that happened cannot be told: {sql}",
        f"{entry.position} statements of it are in. Nothing more was changed.",
        f"Look at the database, then say it: ebhook resolve {tenant} --applied | --not-applied",
    )


def _who(holder: Holder) -> dict[str, object]:
    return {
        "holder": str(holder),
        "environment": holder.environment,
        "version_label": holder.version_label,
        "command": holder.command,
    }


def _dumped(pending: Pending) -> str:
    return json.dumps(
        {
            "objects": None
            if pending.objects is None
            else [[one.kind, one.schema, one.name] for one in pending.objects],
            "before": pending.before,
            "shows": pending.shows,
            "repeatable": pending.repeatable,
            "fills": pending.fills,
            "server": pending.server,
        }
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    pending = None
    if row["pending"] is not None:
        facts = json.loads(row["pending_objects"] or "{}")
        objects = facts.get("objects")
        pending = Pending(
            sql=row["pending"],
            objects=None if objects is None else tuple(Object(*one) for one in objects),
            before=tuple(facts.get("before", ())),
            shows=facts.get("shows", True),
            repeatable=facts.get("repeatable", False),
            fills=facts.get("fills", False),
            server=facts.get("server", ""),
        )
    statements = tuple(part for part in (row["statements"] or "").split(_BETWEEN) if part)
    known = {name: value for name, value in row.items() if name != "pending_objects"}
    known |= {"pending": pending, "statements": statements[: row["position"]]}
    return Entry(**known)
