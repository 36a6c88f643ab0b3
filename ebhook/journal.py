"""The journal: what was applied to a tenant, and how far, so that each statement happens once.

MySQL commits every DDL statement by itself. So the position is written *before* a DDL statement, in
the open transaction: the DDL's own implicit commit makes it durable just before the DDL begins. After
a statement that changes rows, the position is written in the transaction of those rows. The last
position is written in the transaction that moves ``alembic_version``.

After a crash, the statements before the position are in, and are skipped once they are proved to be
the same (a rolling digest); what they gave back is given again. The statement *at* the position is in
doubt: DDL is atomic (MySQL 8.0, MariaDB 10.6), so its objects look as they did before (it did not
happen) or they do not (it did). Where that cannot be told, a person is asked; see docs/protocol.md.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from pymysql.err import MySQLError

from ebhook import answers
from ebhook.answers import Answer, Place
from ebhook.beanstalk import Holder
from ebhook.chain import Revision
from ebhook.database import LOST, Connection, Errno, errno, quoted, rows, run, scalar
from ebhook.errors import InDoubt, JournalForeign, RevisionChanged
from ebhook.sql import Kind, Object, Touched, plain, temporary, touched, written

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
}
_ABSENT = {1146, 1305, 1347, 1360, 1539, 1049, 1051}
_GROWN = {"answers"}  # added since the first release: an older table is given them
_LOGGED = 100_000  # characters of statement texts that are kept per revision, for people
_LONGEST = 2000  # characters of each
_BETWEEN = "\n;\n"


class Verdict(Enum):
    """Whether the statement in doubt happened."""

    HAPPENED = "happened"
    NOT = "did not happen"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Pending:
    """A statement whose end was not seen, with its objects as they looked before it.

    `failed`: its end was seen, and the server said that it did not happen.
    """

    sql: str
    objects: tuple[Object, ...] | None
    before: tuple[str | None, ...] = ()
    shows: bool = True
    repeatable: bool = False
    fills: bool = False
    server: str = ""
    failed: bool = False


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
    answers: Mapping[Place, Answer]
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
    same = [then == look for then, look in zip(pending.before, now, strict=True)]
    if pending.failed:
        # MariaDB drops those of several tables that are there, and complains of the others.
        several_or_unknown = len(pending.objects or ()) > 1 or (
            pending.objects is None and not atomic_ddl(pending.server)
        )
        return Verdict.UNKNOWN if several_or_unknown and not (same and all(same)) else Verdict.NOT
    if pending.repeatable and not pending.fills:
        return Verdict.NOT  # running it once more is as good
    if pending.objects is None or not pending.shows or pending.server != server:
        return Verdict.UNKNOWN
    if not atomic_ddl(server) or not all(map(_transactional, [*pending.before, *now])):
        return Verdict.UNKNOWN
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
        missing = [column for column in COLUMNS if column not in columns]
        if not missing:
            return
        table = self.name.replace("%%", "%")
        if columns and not _GROWN.issuperset(missing):
            raise JournalForeign(
                f"{self.tenant}: the table {self.table} is not ebhook's: it has no "
                f"{', '.join(sorted(missing))}.",
                next='Choose another name: [journal] table = "…" (EBHOOK_JOURNAL_TABLE)',
            )
        if columns:
            added = ", ".join(f"ADD COLUMN {quoted(name)} {COLUMNS[name]}" for name in missing)
            run(self.connection, f"ALTER TABLE {table} {added}")
            return
        body = ", ".join(f"{quoted(column)} {kind}" for column, kind in COLUMNS.items())
        run(
            self.connection,
            f"CREATE TABLE IF NOT EXISTS {table} "
            f"({body}, PRIMARY KEY (id), KEY unfinished (finished_at)) "
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        )

    def entries(self, *, unfinished: bool = False) -> list[Entry]:
        """All entries, the oldest first; none when there is no journal yet."""
        where = "WHERE finished_at IS NULL" if unfinished else ""
        columns = ", ".join(
            "NULL" if column in _GROWN and not unfinished else quoted(column) for column in COLUMNS
        )
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
        """What decides how things look: the version, and the settings that SHOW CREATE obeys."""
        found = rows(self.connection, "SELECT @@version, @@sql_mode, @@sql_quote_show_create")
        return " ".join(str(value) for value in found[0])

    def verdict(self, pending: Pending) -> Verdict:
        """Whether `pending` happened, by looking."""
        return decide(pending, self.look(pending.objects or ()), self.server())

    def write(self, id: int, values: Mapping[str, object], *, finished: bool = False) -> bool:
        """Changes an entry, in the open transaction; False when it is not there.

        Args:
            values: column → its new value; ``"+statements"`` is what goes to the end of that text.
            finished: the revision is done, and nothing of it in doubt.
        """
        assignments = [
            f"{name[1:]} = CONCAT(COALESCE({name[1:]}, ''), %s)"
            if name.startswith("+")
            else f"{quoted(name)} = %s"
            for name in values
        ]
        if finished:
            assignments.append(
                "pending = NULL, pending_objects = NULL, answers = NULL, "
                "finished_at = UTC_TIMESTAMP(6)"
            )
        sql = f"UPDATE {self.name} SET {', '.join(assignments)} WHERE id = %s"
        return bool(run(self.connection, sql, *values.values(), id))

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
        values: dict[str, object] = {"pending": None, "pending_objects": None, "note": None}
        if applied:
            values["position"] = entry.position + 1
            values["digest"] = fold(entry.digest or "", entry.pending.sql)
            values["+statements"] = entry.pending.sql[:_LONGEST] + _BETWEEN
        self.write(entry.id, values)
        said = f"statement {entry.position + 1} of {entry.revision} counts as {word}"
        self.write(self.add(kind="resolve", **_who(holder), note=said), {}, finished=True)
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
    migration, `leave` and `undone` around the transaction's ends, then `finish` in the transaction
    that moves the version, or `settle` when something failed.
    """

    journal: Journal
    revision: Revision
    kind: str
    holder: Holder
    entry: Entry | None = None
    index: int = 0  # statements that the migration has issued in this run
    digest: str = ""
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.id = self.entry.id if self.entry else None
        self.resumed = self.entry  # until the migration is where that run ended
        if self.entry is not None and self.entry.pending is None and self.entry.position == 0:
            self.resumed = None
        self.text = ""  # of the last statement
        self.verdict: Verdict | None = None  # on the statement in doubt
        self.refusal: InDoubt | RevisionChanged | None = None
        self.server = ""  # as Journal.server
        self.schema: str | None = None  # where the migration has gone by USE
        self.temporary: set[str] = set()  # tables that live in this session alone
        self.reads = 0  # since the last statement that changes something
        # What is told to the journal for people and for a later run: all of it, and what is new.
        self.texts: list[str] = []
        self.answers: dict[Place, Answer] = {}
        self.logged = self.kept = 0  # characters of texts, and of rows
        self.told = (0, 0)  # how many texts and answers are in the row
        self.fresh = True  # the row may have others
        self.behind = False  # the row's position is not `index`
        # What is certain of the last definition, whatever else the transaction comes to.
        self.certain: tuple[int, str] | None = None
        self.failed: int | None = None

    def run(self, kind: Kind, text: str, execute: Callable[[], Answer | None]) -> Answer | None:
        """Runs a statement once in the life of the database.

        Args:
            text: the statement with its values, as digested and shown.
            execute: does it; None: its answer cannot be kept.

        Returns: None when it was run; what it gave the first time when it is in already.

        Raises:
            RevisionChanged: what an earlier run applied is not what the file says now.
            InDoubt: whether it happened in an earlier run cannot be told.
        """
        if self.refusal is not None:  # the migration has caught it, and goes on
            raise self.refusal
        self.text = text
        try:
            if self._is_temporary(text):
                if kind is Kind.DEFINITION:
                    self.leave()  # ALTER TABLE commits for any table
                execute()
                return None
            if kind is Kind.SESSION:
                self._run_session(text, execute)
                return None
            if kind is Kind.READ:
                return self._read(text, execute)
            if self.resumed is not None:
                answer = self._is_in(self.resumed, text)
                if answer is not None:
                    return answer
        except (InDoubt, RevisionChanged) as refusal:
            self.refusal = refusal
            raise
        if kind is Kind.DATA:
            self._run_data(text, execute)
        else:
            self._run_definition(kind, text, execute)
        return None

    def leave(self) -> None:
        """The transaction is about to be committed by the migration."""
        if self.behind and self.resumed is None and self.refusal is None:
            self._record(pending=None, pending_objects=None)

    def undone(self) -> None:
        """The transaction, or a part of it, was rolled back: what was told in it is not there."""
        self.fresh = True
        self.behind = self.index > 0

    def finish(self) -> None:
        """The revision is done; commits with the version."""
        if self.refusal is not None:
            raise self.refusal
        if self.resumed is not None:
            self._end_early(self.resumed)
        values: dict[str, object] = {
            "position": self.index,
            "digest": self.digest,
            "checksum": self.revision.checksum,
            "seconds": time.monotonic() - self.began + ((self.entry and self.entry.seconds) or 0.0),
            "note": None,
            **_who(self.holder),
        }
        self._write(values, finished=True)

    def settle(self, note: str) -> int:
        """After a failure, and a rollback: what is certain of the statement in doubt, and why it
        stopped. Commits. The number of statements that are in."""
        entry = self.journal.unfinished()
        if entry is None:
            return 0
        position = entry.position
        values: dict[str, object] = {"note": note[:1000]}
        if entry.id == self.id and entry.pending is not None:
            if self.certain is not None and self.certain[0] == position + 1:
                position, digest = self.certain
                values |= {"position": position, "digest": digest}
                values |= {"pending": None, "pending_objects": None}
                values |= self._all_told(position)
            elif self.failed == position:
                values["pending_objects"] = _dumped(replace(entry.pending, failed=True))
        self.journal.write(entry.id, values)
        self.journal.connection.commit()
        return position

    # What an earlier run did

    def _is_in(self, entry: Entry, text: str) -> Answer | None:
        """What the migration's next statement gave in an earlier run; None: it is still to be run."""
        if self.index < entry.position:
            answer = entry.answers.get((self.index, 0), Answer())
            self._pass(text, answer)
            if self.index == entry.position:
                if self.digest != entry.digest:
                    self._refuse(entry, "its first statements are not those that are in")
                if entry.pending is None:
                    self.resumed = None
            return answer
        happened = self._happened(entry)
        self.resumed = None
        if not happened:
            return None
        assert entry.pending is not None
        if text != entry.pending.sql:
            self._refuse(entry, f"statement {entry.position + 1} is in, and is not in the file now")
        self._pass(text, Answer())
        self.behind = True
        return Answer()

    def _happened(self, entry: Entry) -> bool:
        """Did the statement in doubt happen? Raises `InDoubt` when that cannot be told."""
        assert entry.pending is not None
        if self.verdict is None:
            self.verdict = self.journal.verdict(entry.pending)
        if self.verdict is Verdict.UNKNOWN:
            raise in_doubt(self.journal.tenant, entry)
        return self.verdict is Verdict.HAPPENED

    def _end_early(self, entry: Entry) -> None:
        """The revision issued no more statements than were in: fine only if that is all of them."""
        if self.index < entry.position or self._happened(entry):
            self._refuse(entry, "it issues fewer statements than are in")

    def _refuse(self, entry: Entry, why: str) -> None:
        listed = "\n".join(f"    {' '.join(sql.split())[:200]}" for sql in entry.statements)
        edited = entry.checksum != self.revision.checksum
        cause, back = (
            "Its statements differ from run to run (time, random values)",
            "Do the rest of it by hand and move the version",
        )
        if edited:
            cause = "The file was changed after it was half applied"
            back = (
                f"Put these back at the top of {self.revision.path.name} (only what follows may be "
                f"mended), then: ebhook upgrade {self.journal.tenant}"
            )
        raise RevisionChanged(
            f"{self.journal.tenant}: revision {self.revision.id} is half applied, and {why}. "
            f"{cause}.",
            f"It was applied up to here:\n{listed}\n  Nothing more was changed.",
            f"{back}. Or undo these by hand, and then: "
            f"DELETE FROM {self.journal.table} WHERE id = {entry.id};",
        )

    def _read(self, text: str, execute: Callable[[], Answer | None]) -> Answer | None:
        """What was read in an earlier run, before a statement that is in, is read from the journal:
        what the migration does next may follow from it."""
        self.reads += 1
        place = (self.index, self.reads)
        question = answers.asked(text)
        entry = self.resumed
        if entry is not None and (self.index < entry.position or self._happened(entry)):
            known = entry.answers.get(place)
            if known is not None and known.asked == question:
                self._keep(place, known)
                return known
        try:
            answer = execute()
        except MySQLError as error:
            if errno(error) not in LOST:
                self._keep(place, replace(answers.failed(error), asked=question))
            raise
        if answer is not None and answer.columns is not None and not _SESSIONS_OWN.search(text):
            self._keep(place, replace(answer, asked=question))
        return None

    # What this run does

    def _run_session(self, text: str, execute: Callable[[], Answer | None]) -> None:
        words = plain(text).upper()
        word = words.partition(" ")[0]
        if word in _COMMITS or "AUTOCOMMIT" in words:
            self.leave()
        execute()
        if word == "ROLLBACK":
            self.undone()
        elif word == "SET":
            self.server = ""  # sql_mode may be another
        elif word == "USE":
            self.schema = str(scalar(self.journal.connection, "SELECT DATABASE()"))

    def _run_data(self, text: str, execute: Callable[[], Answer | None]) -> None:
        connection = self.journal.connection
        alone = bool(connection.get_autocommit()) and not _in_transaction(connection)
        if alone:
            connection.begin()
        try:
            self._execute(text, execute)
            self._record(tell=alone, pending=None, pending_objects=None)
            if alone:
                connection.commit()
        except BaseException:
            if alone:
                connection.rollback()
            self.undone()
            raise

    def _run_definition(self, kind: Kind, text: str, execute: Callable[[], Answer | None]) -> None:
        connection, place = self.journal.connection, self.index
        known = touched(text) if kind is Kind.DEFINITION else None
        self._record(pending=text, pending_objects=_dumped(self._pending(text, known)))
        if kind is Kind.OPAQUE:
            connection.commit()  # nobody knows whether it commits by itself
        try:
            self._execute(text, execute)
        except MySQLError as error:
            unread = errno(error) == Errno.PARSE_ERROR and not _RUNS_OTHERS.match(text)
            if errno(error) not in LOST and (kind is Kind.DEFINITION or unread):
                self.failed = place
            raise
        if kind is Kind.OPAQUE:
            self._record(pending=None, pending_objects=None)
            connection.commit()
        self.certain = (self.index, self.digest)

    def _execute(self, text: str, execute: Callable[[], Answer | None]) -> None:
        """Runs it. A migration may catch an error and go on: it was issued all the same."""
        answer: Answer | None = None
        try:
            answer = execute()
        except MySQLError as error:
            answer = answers.failed(error)
            raise
        finally:
            self._pass(text, answer or Answer())
            self.behind = True

    def _pass(self, text: str, answer: Answer) -> None:
        self._keep((self.index, 0), answer)
        self.digest = fold(self.digest, text)
        self.index += 1
        self.reads = 0
        self.texts.append(text[:_LONGEST] if self.logged < _LOGGED else "")
        self.logged += len(self.texts[-1])

    def _keep(self, place: Place, answer: Answer) -> None:
        size = answers.size(answer)
        if self.kept + size <= answers.LARGEST:
            self.kept += size
            self.answers[place] = answer
        elif place[1] == 0:  # rows from INSERT … RETURNING: unlike a read, it cannot be asked again
            self.answers[place] = answers.FORGOTTEN

    def _is_temporary(self, text: str) -> bool:
        """Does a statement make, change or write to a table of this session alone? Such a table is
        gone when a revision is resumed, so it is made and filled again."""
        made = temporary(text)
        if made is not None:
            names = {name.lower() for name in made[1]}
            self.temporary = (
                self.temporary | names if made[0] == "CREATE" else self.temporary - names
            )
            return True
        name = (written(text) or "").lower() if self.temporary else ""
        if name not in self.temporary:
            return False
        if re.match(r"DROP TABLE\b", plain(text), re.I):
            self.temporary.discard(name)
        return True

    def _pending(self, text: str, known: Touched | None) -> Pending:
        if not self.server:
            self.server = self.journal.server()
        if known is None:
            return Pending(text, None, server=self.server)
        objects = tuple(replace(one, schema=one.schema or self.schema) for one in known.objects)
        return Pending(
            text,
            objects,
            self.journal.look(objects),
            known.shows,
            known.repeatable,
            known.fills,
            self.server,
        )

    # Into the journal

    def _record(self, *, tell: bool = True, **values: object) -> None:
        """Writes how far the revision is, in the open transaction.

        Args:
            tell: with the texts and answers since the last time. A loop of statements that change
                rows does without until it ends: the row would be written at its full length by each.
        """
        values |= {
            "position": self.index,
            "digest": self.digest,
            "checksum": self.revision.checksum,
        }
        self._write(values, tell=tell)

    def _write(
        self, values: dict[str, object], *, tell: bool = True, finished: bool = False
    ) -> None:
        if tell:
            values |= self._all_told() if self.fresh else self._newly_told()
        if finished:
            values = {name: value for name, value in values.items() if "answers" not in name}
        if self.id is None or not self.journal.write(self.id, values, finished=finished):
            # New, or undone together with a transaction that the migration rolled back.
            self._add(values, finished=finished)
            tell = True
        if tell:
            self.fresh = self.behind = False
            self.told = (len(self.texts), len(self.answers))

    def _all_told(self, position: int | None = None) -> dict[str, object]:
        """Texts and answers of the statements before `position`."""
        known = ((p, a) for p, a in self.answers.items() if position is None or p[0] < position)
        return {"statements": _texts(self.texts[:position]), "answers": answers.dumped(known)}

    def _newly_told(self) -> dict[str, object]:
        texts, known = self.told
        new = list(self.answers.items())[known:]
        return {"+statements": _texts(self.texts[texts:]), "+answers": answers.dumped(new)}

    def _add(self, values: Mapping[str, object], *, finished: bool) -> None:
        own = {name: value for name, value in values.items() if not name.startswith("+")}
        own |= self._all_told() | _who(self.holder)
        # A migration may ask for the id that its own last INSERT made.
        last = scalar(self.journal.connection, "SELECT LAST_INSERT_ID()") if self.index else 0
        self.id = self.journal.add(
            kind=self.kind,
            revision=self.revision.id,
            down_revision=",".join(self.revision.parents) or None,
            **own,
        )
        if last:
            run(self.journal.connection, "DO LAST_INSERT_ID(%s)", last)
        if finished:
            self.journal.write(self.id, {}, finished=True)


# A read whose answer belongs to the session, which a later run must have for itself.
_SESSIONS_OWN = re.compile(r"(?<!@)@(?!@)|:=|\bGET_LOCK\b|\bFOR UPDATE\b|\bCONNECTION_ID\b", re.I)
_COMMITS = ("COMMIT", "BEGIN", "START", "LOCK", "UNLOCK", "FLUSH")
_RUNS_OTHERS = re.compile(r"\s*(CALL|EXECUTE|BEGIN|/\*)", re.I)
_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS


def _in_transaction(connection: Connection) -> bool:
    status: int = connection.server_status  # type: ignore[attr-defined]
    return bool(status & _IN_TRANSACTION)


def _texts(parts: Sequence[str]) -> str:
    return "".join(text + _BETWEEN for text in parts if text)


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
            "failed": pending.failed,
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
            failed=facts.get("failed", False),
        )
    statements = tuple(part for part in (row["statements"] or "").split(_BETWEEN) if part)
    known = {name: value for name, value in row.items() if name != "pending_objects"}
    known |= {"pending": pending, "statements": statements[: row["position"]]}
    known["answers"] = answers.loaded(row["answers"] or "")
    return Entry(**known)
