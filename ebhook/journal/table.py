"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

MySQL commits every DDL statement by itself. So the position is written *before* a DDL statement, in
the open transaction: the DDL's own implicit commit makes it durable just before the DDL begins. After
a statement that changes rows, the position is written in the transaction of those rows. The last
position is written in the transaction that moves ``alembic_version``, which the next revision's first
position may join.

`ebhook.journal.recorder` writes it while a revision runs, and `ebhook.journal.in_doubt` decides about the statement that
a crash left at the position; the reasoning is in docs/protocol.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, in_transaction, quoted, rows, run, text_of
from ebhook.database.errno import Errno
from ebhook.errors import JournalForeign
from ebhook.holder import Holder
from ebhook.journal import replies, session_notes
from ebhook.journal.in_doubt import ObjectInspector, Pending
from ebhook.journal.replies import Place, Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.session_variables import SessionVariables
from ebhook.next_command import ebhook, then

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
    "answers": "LONGTEXT NULL",
    "holder": "VARCHAR(190) NULL",
    "environment": "VARCHAR(190) NULL",
    "version_label": "VARCHAR(190) NULL",
    "command": "VARCHAR(190) NULL",
    "started_at": "DATETIME(6) NULL",
    "finished_at": "DATETIME(6) NULL",
    "seconds": "DOUBLE NULL",
    "note": "TEXT NULL",
    "session": "LONGTEXT NULL",
    "origin": "VARCHAR(190) NULL",
    "shape": "SMALLINT UNSIGNED NULL",
}
# Of the table, in its comment, and of each row. Every release works with the rows and columns of the
# releases before it, and leaves alone what it does not know: columns are only added, with NULL.
SHAPE = 2
_COMMENT = f"COMMENT='ebhook: the journal, shape {SHAPE}'"
SINCE_SHAPE_2 = ("session", "origin", "shape")
WIDTH = 190  # characters of a short column
LONGEST = 2000  # characters of a statement that are kept for people
BETWEEN = "\n;\n"
_SERVER_SAID = "; the server had said: "
_NOW = "UTC_TIMESTAMP(6)"
# Which server and database an entry was written in; a restored or copied one came from another.
_ORIGIN = "LEFT(CONCAT(@@hostname, ':', @@port, '/', %s), 190)"
_ADDED_AND_CHANGED = 1 + 2  # rows, as the server counts them with ON DUPLICATE KEY UPDATE


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
    answers: Mapping[Place, Reply]
    holder: str | None
    environment: str | None
    version_label: str | None
    command: str | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    note: str | None
    session: Mapping[Place, Note] = field(default_factory=dict)
    origin: str | None = None
    shape: int | None = None
    copied_from: str | None = None  # another server or database, as server:port/database

    @property
    def shown(self) -> str:
        """The statements that are in, for people: a line each."""
        return "\n".join(f"    {' '.join(sql.split())[:200]}" for sql in self.statements)


def fold(digest: str, sql: str) -> str:
    """The rolling digest after one more statement."""
    return hashlib.sha256(f"{digest}\0{sql}".encode("utf-8", "surrogatepass")).hexdigest()


def _after(entry: Entry) -> str:
    """The rolling digest after an entry's statement in doubt."""
    assert entry.pending is not None
    return entry.pending.digest or fold(entry.digest or "", entry.pending.sql)


@dataclass
class Ending:
    """A revision's end. The next revision's first definition may write it and commit it."""

    id: int
    kind: str
    changes: Mapping[str, object]  # as for `Journal.write`
    row: Callable[[], Mapping[str, object]]  # for `Journal.add`, should somebody have deleted it
    is_due: bool = False  # its commit was asked for
    is_written: bool = False


@dataclass
class Journal:
    """The journal of the database that `connection` is in."""

    connection: Connection
    tenant: str
    database: str
    table: str
    inspector: ObjectInspector = field(init=False)
    variables: SessionVariables = field(init=False)
    ending: Ending | None = None
    _is_older: bool = False  # the table has the shape of an older release

    def __post_init__(self) -> None:
        self.inspector = ObjectInspector(self.connection, self.database)
        self.variables = SessionVariables(self.connection)

    @property
    def name(self) -> str:
        """The table, qualified: a migration may USE another database. ``%`` is doubled, as for
        statements with values."""
        return f"{quoted(self.database)}.{quoted(self.table)}".replace("%", "%%")

    def end(self) -> None:
        """Does what is left of an `Ending`, before anything but the definition that it waits for."""
        ending, self.ending = self.ending, None
        if ending is None:
            return
        if not (ending.is_written or self.write(ending.id, ending.changes, finished=True)):
            self.add(ending.kind, ending.row(), finished=True)
        if ending.is_due:
            self.connection.commit()

    def stands(self) -> bool:
        """After an error of a statement of ours: is the transaction of a waiting `Ending` still open?
        The server undoes it on a deadlock, and the version is where it was."""
        if self.ending is None:
            return True
        try:
            run(self.connection, "DO 0")  # an error says nothing of the transaction
        except MySQLError:
            self.ending = None
        else:
            if not in_transaction(self.connection):
                self.ending = None
        return self.ending is not None

    def commit(self) -> None:
        """Commits, but for an `Ending`, which waits for a definition that commits by itself."""
        if self.ending is not None and not self.ending.is_due:
            self.ending.is_due = True
        else:
            self.end()
            self.connection.commit()

    def rollback(self) -> None:
        """Undoes what is open, but for an `Ending` whose commit was asked for."""
        if self.ending is not None and not self.ending.is_due:
            self.ending = None
        try:
            self.end()
        finally:
            self.connection.rollback()

    def make(self) -> None:
        """Creates the table. Commits."""
        body = ", ".join(f"{quoted(column)} {kind}" for column, kind in COLUMNS.items())
        run(
            self.connection,
            f"CREATE TABLE IF NOT EXISTS {self.name.replace('%%', '%')} "
            f"({body}, PRIMARY KEY (id), KEY unfinished (finished_at)) "
            f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 {_COMMENT}",
        )

    def _adopt(self) -> None:
        """Adds the columns that an older release's table lacks. Commits."""
        add = ", ".join(f"ADD COLUMN {quoted(name)} {COLUMNS[name]}" for name in SINCE_SHAPE_2)
        run(self.connection, f"ALTER TABLE {self.name.replace('%%', '%')} {add}, {_COMMENT}")

    def opened(self) -> Entry | None:
        """`unfinished`, of a journal that is made if there is none yet, and brought to this release's
        shape if an older one made it; both commit.

        Raises:
            JournalForeign: the table is not ebhook's, or the entry was begun by a newer release.
        """
        found = self._entries(unfinished=True)
        if found is None:
            self.make()
        elif self._is_older:
            self._adopt()
        entry = next(iter(found or ()), None)
        if entry is not None and (entry.shape or 0) > SHAPE:
            raise JournalForeign(
                f"{self.tenant}: revision {entry.revision} is half applied by a newer release of "
                f"ebhook (shape {entry.shape} of the journal; this one knows {SHAPE}).",
                "Nothing was changed.",
                then("Deploy a bundle with that release; then: ", ebhook("upgrade", self.tenant)),
            )
        return entry

    def entries(self) -> list[Entry]:
        """All entries, the oldest first, without their answers; none when there is no journal yet.

        Raises:
            JournalForeign: the table has another shape.
        """
        return self._entries(unfinished=False) or []

    def unfinished(self) -> Entry | None:
        """The revision that is half applied, with its answers.

        Raises:
            JournalForeign: the table has another shape.
        """
        return next(iter(self._entries(unfinished=True) or ()), None)

    def _entries(self, *, unfinished: bool) -> list[Entry] | None:
        try:
            try:
                return self._read(unfinished=unfinished)
            except MySQLError as error:
                if errno(error) != Errno.BAD_FIELD:
                    raise
            found = self._read(unfinished=unfinished, without=SINCE_SHAPE_2)
            self._is_older = True
            return found
        except MySQLError as error:
            if errno(error) == Errno.NO_SUCH_TABLE:
                return None
            if errno(error) == Errno.BAD_FIELD:
                raise foreign(self.tenant, self.table, error) from None
            raise

    def _read(self, *, unfinished: bool, without: Sequence[str] = ()) -> list[Entry]:
        where = "WHERE finished_at IS NULL" if unfinished else ""
        unread = {*without, *(() if unfinished else ("answers", "session"))}
        columns = ", ".join("NULL" if name in unread else quoted(name) for name in COLUMNS)
        found = rows(
            self.connection,
            f"SELECT {_ORIGIN}, {columns} FROM {self.name} {where} ORDER BY id",
            self.database,
        )
        return [
            _entry(dict(zip(COLUMNS, values, strict=True)), self.database, here=here)
            for here, *values in found
        ]

    def write(self, id: int, values: Mapping[str, object], *, finished: bool = False) -> bool:
        """Changes an entry, in the open transaction; False when it is not there.

        Args:
            values: column → its new value; ``"+statements"`` is what goes to the end of that text.
            finished: the revision is done, and nothing of it in doubt.
        """
        sql = f"UPDATE {self.name} SET {_assignments(values, finished=finished)} WHERE id = %s"
        return bool(run(self.connection, sql, *values.values(), id))

    def add(self, kind: str, values: Mapping[str, object], *, finished: bool = False) -> int:
        """A new entry, in the open transaction; its id. An `Ending` is written with it."""
        ending = self.ending if self.ending and not self.ending.is_written else None
        known = {name: value for name, value in values.items() if value is not None}
        columns = "".join(f", {quoted(name)}" for name in known)
        marks = ", %s" * len(known)
        if "shape" in known:
            columns, marks = f"{columns}, origin", f"{marks}, {_ORIGIN}"
        sql = (
            f"INSERT INTO {self.name} (id, started_at, finished_at, kind{columns}) VALUES "
            f"(NULL, {_NOW}, {_NOW if finished else 'NULL'}, %s{marks})"
        )
        given = [kind, *known.values(), *([self.database] if "shape" in known else [])]
        if ending is not None:
            changes = _assignments(ending.changes, finished=True)
            nothing = ", DEFAULT" * columns.count(",")
            sql += f", (%s, NULL, NULL, %s{nothing}) ON DUPLICATE KEY UPDATE {changes}"
            given += [ending.id, ending.kind, *ending.changes.values()]
        with self.connection.cursor() as cursor:
            touched = cursor.execute(sql, given)
            id = int(cursor.lastrowid)  # of the first row
        if ending is not None:
            ending.is_written = True
            if touched != _ADDED_AND_CHANGED:
                self.write(ending.id, ending.row(), finished=True)
        return id

    def resolve(self, entry: Entry, holder: Holder, *, applied: bool) -> None:
        """A person's word on the statement in doubt: it is in, or it is not. Commits."""
        assert entry.pending is not None
        word = "applied" if applied else "not applied"
        values: dict[str, object] = {"pending": None, "pending_objects": None, "note": None}
        if applied:
            values["position"] = entry.position + 1
            values["digest"] = _after(entry)
            values["+answers"] = replies.dumped([((entry.position, 0), Reply())])
            values["+statements"] = entry.pending.sql[:LONGEST] + BETWEEN
        self.write(entry.id, values)
        # What the entry was, so that the word can be taken back.
        was = {
            "revision": entry.revision,
            "position": entry.position,
            "digest": entry.digest,
            "pending": entry.pending.sql,
            "pending_objects": entry.pending.dumped(),
        }
        said = f"statement {entry.position + 1} of {entry.revision} counts as {word}"
        said += f"{_SERVER_SAID}{entry.note}" if entry.note else ""
        self.add("resolve", {**who(holder), **was, "note": said}, finished=True)
        self.connection.commit()

    def take_back(self, holder: Holder) -> Entry | None:
        """Undoes the last `resolve`, unless an upgrade has gone on from it. Commits.

        Returns:
            The entry as it was before, with its statement in doubt; None: there is no such word.
        """
        entry = self.unfinished()
        words = [one for one in self.entries() if one.kind in ("resolve", "resolve_undone")]
        word = words[-1] if words else None
        if entry is None or entry.pending is not None or word is None or word.pending is None:
            return None
        after, digest = word.position, word.digest
        said, _, server_said = (word.note or "").partition(_SERVER_SAID)
        if not said.endswith("not applied"):
            after, digest = word.position + 1, _after(word)
        if (entry.revision, entry.position, entry.digest) != (word.revision, after, digest):
            return None
        values: dict[str, object] = {
            "pending": word.pending.sql,
            "pending_objects": word.pending.dumped(),
            "position": word.position,
            "digest": word.digest,
            "note": server_said or None,
        }
        self.write(entry.id, values)
        note = f"statement {word.position + 1} of {word.revision} is in doubt again"
        self.add("resolve_undone", {**who(holder), "note": note}, finished=True)
        self.connection.commit()
        return self.unfinished()

    def note(self, kind: str, holder: Holder, note: str) -> None:
        """A line of history that is no revision (a cleared lock), if there is a journal. Commits."""
        try:
            self.add(kind, {**who(holder), "note": note}, finished=True)
            self.connection.commit()
        except MySQLError as error:
            if errno(error) != Errno.NO_SUCH_TABLE:
                raise


def _assignments(values: Mapping[str, object], *, finished: bool) -> str:
    found = [
        f"{name[1:]} = CONCAT(COALESCE({name[1:]}, ''), %s)"
        if name.startswith("+")
        else f"{quoted(name)} = %s"
        for name in values
    ]
    if finished:
        found.append(
            f"pending = NULL, pending_objects = NULL, answers = NULL, session = NULL, finished_at = {_NOW}"
        )
    return ", ".join(found)


def foreign(tenant: str, table: str, error: MySQLError) -> JournalForeign:
    """The error for a table of our name that lacks one of our columns."""
    return JournalForeign(
        f"{tenant}: the table {table} is not ebhook's: {text_of(error)}.",
        next='Choose another name: [journal] table = "…" (EBHOOK_JOURNAL_TABLE)',
    )


def who(holder: Holder) -> dict[str, object]:
    """The columns that say whose entry it is, each cut to what its column holds."""
    given = {
        "holder": str(holder),
        "environment": holder.environment,
        "version_label": holder.version_label,
        "command": holder.command,
    }
    return {name: value and value[:WIDTH] for name, value in given.items()}


def _entry(row: Mapping[str, Any], database: str, *, here: str) -> Entry:
    sql = row["pending"]
    pending = Pending.loaded(sql, row["pending_objects"]) if sql is not None else None
    if pending is not None and row["shape"] is None:
        pending = pending.of_database(database)
    statements = tuple(part for part in (row["statements"] or "").split(BETWEEN) if part)
    known = {name: value for name, value in row.items() if name != "pending_objects"}
    known |= {"pending": pending, "statements": statements[: row["position"]]}
    known["answers"] = replies.loaded(row["answers"] or "")
    known["session"] = session_notes.loaded(row["session"] or "")
    known["copied_from"] = row["origin"] if row["origin"] not in (None, here) else None
    return Entry(**known)
