"""One revision on its way through the journal: each statement once, and where the revision is then.

What an earlier run did is `ebhook.journal.replay`; this is what the present run does.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

from pymysql.err import MySQLError

from ebhook.chain.revision import Revision
from ebhook.database.connection import errno, in_transaction, scalar
from ebhook.database.errno import LOST, Errno
from ebhook.errors import InDoubt, RevisionChanged
from ebhook.holder import Holder
from ebhook.journal import replies
from ebhook.journal.entry_content import ROOM_UNASKED
from ebhook.journal.entry_writer import EntryWriter
from ebhook.journal.in_doubt import Pending, hashed, shortened
from ebhook.journal.replay import Replay
from ebhook.journal.replies import Place, Reply
from ebhook.journal.revision_session import Execute, RevisionSession
from ebhook.journal.table import Entry, Journal, fold
from ebhook.sql.masking import masked
from ebhook.sql.statement import Kind, Object, Touched, bare, may_commit, plain, touched

# A read whose answer belongs to the session, which a later run must have for itself.
_SESSIONS_OWN = re.compile(r"\bGET_LOCK\b|\bCONNECTION_ID\b", re.I)
_LOCKS_ROWS = re.compile(r"\bFOR (?:UPDATE|SHARE)\b|\bLOCK IN SHARE MODE\b", re.I)
_DROPS = re.compile(r"DROP ", re.I)
_UNSEEN = "not known"  # no object looks so
# Tables appear by names that are not looked at.
_NAMES_OTHERS = re.compile(r"\b(?:RENAME|CONVERT|EXCHANGE)\b", re.I)
_RUNS_OTHERS = re.compile(r"\s*(CALL|EXECUTE|BEGIN|/\*)", re.I)


@dataclass(frozen=True)
class Position:
    """How many statements that change something were issued, and a rolling digest of their texts."""

    index: int = 0
    digest: str = ""

    def after(self, text: str) -> Position:
        return Position(self.index + 1, fold(self.digest, text))


class Recorder:
    """One revision on its way: runs each statement that is not in, and writes the position after it.

    Call `run` for every statement of the migration, `leave` and `undone` around the transaction's
    ends, then `finish` in the transaction that moves the version, or `settle` when something failed.
    """

    def __init__(
        self,
        journal: Journal,
        revision: Revision,
        kind: str,
        holder: Holder,
        entry: Entry | None = None,
    ) -> None:
        """`kind`: "upgrade" or "downgrade". `entry`: the unfinished row of an earlier run, or None."""
        self.journal = journal
        self.replay = Replay(journal, revision, entry)
        self.writer = EntryWriter(journal, revision, kind, holder, entry)
        self.session = RevisionSession(journal, self.replay, self.writer.content)
        self.began = time.monotonic()
        self.position = Position()  # after what the migration has issued in this run
        self.reads = 0  # since the last statement that changes something
        self.owns = 0  # statements of the session's own, since then
        self.text = ""  # of the last statement
        self.refusal: InDoubt | RevisionChanged | MySQLError | None = None
        self.entry_is_stale = False  # the row's position is not `position`
        # After the last definition that is known to be in, whatever else the transaction comes to.
        self.last_confirmed: Position | None = None
        self.failed_at: int | None = None  # the index of a statement that the server refused
        self.effect_shows = False  # the objects of the last statement show that it is in

    @property
    def revision(self) -> Revision:
        return self.replay.revision

    @property
    def index(self) -> int:
        return self.position.index

    def run(self, kind: Kind, text: str, execute: Execute) -> Reply | None:
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
        text = _writable(text)
        self.text = text
        own = self.session.state.owns(kind, text)
        if own or kind is not Kind.DEFINITION:  # which commits by itself
            self._end_the_last()
        try:
            if own or kind is Kind.READ:
                was_open = in_transaction(self.journal.connection)
                answer = (self._run_own if own else self._read)(kind, text, execute)
                self._follow_commit(text, was_open=was_open)
                return answer
            reply = self.replay.reply(self.index, kind, text, self.position.after(text).digest)
            if reply is not None:
                self._pass_over(kind, text, reply, execute)
                return reply
            self.session.need(kind, text)
            if kind is Kind.DATA and not self._writes_at_once(text):
                self._run_data(text, execute)
            else:
                self._run_definition(kind, text, execute)
        except (InDoubt, RevisionChanged) as refusal:
            self.refusal = refusal
            raise
        return None

    def leave(self) -> None:
        """The transaction is about to be committed by the migration."""
        if self.entry_is_stale and not self.replay.is_active and self.refusal is None:
            self._record(pending=None, pending_objects=None)

    def undone(self) -> None:
        """The transaction, or a part of it, was rolled back: what was told in it is not there."""
        self.writer.content.may_be_rolled_back()
        self.entry_is_stale = self.index > 0

    def set_by_driver(self) -> None:
        """The driver has changed the session by itself, as it will on resume: no statement has."""
        self.session.set_by_driver()

    def moved(self) -> None:
        """The session may be in another database now."""
        self.session.state.database = str(scalar(self.journal.connection, "SELECT DATABASE()"))

    def end_session(self) -> None:
        """The revision's own code has ended: puts the session back to what it was before.

        Raises MySQLError.
        """
        self.session.end()

    def abandon_session(self) -> None:
        """The revision has failed: puts back what ebhook's own statements depend on."""
        self.session.abandon()

    def finish(self, *, with_next: bool = False) -> None:
        """The revision is done; commits with the version.

        Args:
            with_next: the journal may leave it to the next revision's first definition.
        """
        if self.refusal is not None:
            raise self.refusal
        self.replay.end(self.index)
        entry = self.replay.entry
        took = time.monotonic() - self.began + ((entry and entry.seconds) or 0.0)
        with_next = with_next and self.effect_shows
        self.writer.finish(self.index, self.position.digest, took, with_next=with_next)

    def settle(self, note: str) -> int:
        """After a failure, and a rollback: what is certain of the statement in doubt, and why it
        stopped. Commits. The number of statements that are in."""
        entry = self.journal.unfinished()
        if entry is None:
            return 0
        position = entry.position
        values: dict[str, object] = {"note": note[:1000]}
        if entry.id == self.writer.id and entry.pending is not None:
            known = self.last_confirmed
            if known is not None and known.index == position + 1:
                position = known.index
                values |= {"position": position, "digest": known.digest}
                values |= {"pending": None, "pending_objects": None}
                values |= self.writer.content.columns(position)
            elif self.failed_at == position:
                values["pending_objects"] = replace(entry.pending, failed=True).dumped()
        self.journal.write(entry.id, values)
        self.journal.connection.commit()
        return position

    def _read(self, kind: Kind, text: str, execute: Execute) -> Reply | None:
        """What was read in an earlier run, before a statement that is in, is read from the journal:
        what the migration does next may follow from it."""
        self.reads += 1
        place = (self.index, self.reads)
        question = replies.asked(text)
        has_more = self.replay.has_more(self.index)
        known = self.replay.read(place, question) if has_more else None
        assigns = has_more and self.session.state.varies(Kind.READ, text)
        if known is None and assigns and " INTO " in bare(text).upper():
            known = Reply(1, asked=question)  # it gives no rows, and may give others now
        if known is not None:
            self.session.skip_read(text, place)
            if _LOCKS_ROWS.search(bare(text)):
                self._lock_rows(text, execute, place)
            self.writer.content.add_reply(place, known)
            return known
        self.session.need(Kind.READ, text)
        try:
            answer = self.session.perform(Kind.READ, text, execute, place)
        except MySQLError as error:
            if errno(error) not in LOST:
                self.writer.content.add_reply(place, replace(replies.failed(error), asked=question))
            raise
        if (
            answer is not None
            and answer.columns is not None
            and not _SESSIONS_OWN.search(bare(text))
        ):
            self.writer.content.add_reply(place, replace(answer, asked=question))
        return None

    def _lock_rows(self, text: str, execute: Execute, place: Place) -> None:
        try:
            self.session.perform(Kind.READ, text, execute, place)
        except MySQLError as error:
            if errno(error) in LOST:
                raise

    def _run_own(self, kind: Kind, text: str, execute: Execute) -> Reply | None:
        """What is the session's own is done again in each run, unless it would come out otherwise."""
        word = plain(text).partition(" ")[0].upper()
        if kind is Kind.DEFINITION or (kind is Kind.SESSION and may_commit(text)):
            self.leave()
        self.owns += 1
        place, has_more = (self.index, -self.owns), self.replay.has_more(self.index)
        reply = self.session.run_own(kind, text, execute, place, has_more=has_more)
        if word == "ROLLBACK":
            self.undone()
        elif word == "USE":
            self.moved()
        return reply

    def _follow_commit(self, text: str, *, was_open: bool) -> None:
        """A statement that looked as if it would not commit has done so: the rows before it are in."""
        connection = self.journal.connection
        ended = was_open and not in_transaction(connection)
        if ended and self.entry_is_stale and not plain(text).upper().startswith("ROLLBACK"):
            self.leave()
            self._commit()

    def _writes_at_once(self, text: str) -> bool:
        with self.journal.variables.own():
            return self.journal.inspector.writes_at_once(text)

    def _run_data(self, text: str, execute: Execute) -> None:
        """The position goes into the rows' own transaction, at its end: see `leave`."""
        connection = self.journal.connection
        alone = bool(connection.get_autocommit()) and not in_transaction(connection)
        if alone:
            connection.begin()
        try:
            self._execute(Kind.DATA, text, execute)
            if alone:
                self._record(pending=None, pending_objects=None)
                self._commit()
        except BaseException:
            if alone:
                connection.rollback()
            self.undone()
            raise

    def _run_definition(self, kind: Kind, text: str, execute: Execute) -> None:
        connection, place = self.journal.connection, self.index
        known = touched(text) if kind is Kind.DEFINITION else None
        try:
            with self.journal.variables.own():
                pending = self._pending(text, known)
                self._record(**self._fitting(pending))
        except MySQLError as error:
            if not self.journal.stands():
                self.refusal = error
            raise
        if kind is not Kind.DEFINITION:  # nobody knows whether it commits by itself
            self._commit()
        try:
            self._execute(kind, text, execute)
        except MySQLError as error:
            unread = errno(error) == Errno.PARSE_ERROR and not _RUNS_OTHERS.match(text)
            if errno(error) not in LOST and (kind is Kind.DEFINITION or unread):
                self.failed_at = place
                self._refused(pending)
            raise
        if not in_transaction(connection):
            self.journal.ending = None
        if kind is not Kind.DEFINITION:
            self._record(pending=None, pending_objects=None)
            self._commit()
        if in_transaction(connection):  # CREATE TABLE … START TRANSACTION
            return
        self.last_confirmed = self.position
        can_tell = pending.tells and self.journal.inspector.innodb
        self.effect_shows = kind is Kind.DEFINITION and can_tell

    def _commit(self) -> None:
        with self.journal.variables.own():  # completion_type
            self.journal.connection.commit()

    def _end_the_last(self) -> None:
        """What the revision before has left to do."""
        try:
            with self.journal.variables.own():
                self.journal.end()
        except MySQLError as error:
            self.refusal = error
            raise

    def _refused(self, pending: Pending) -> None:
        """The end of the revision before may still be open (a slip of the pen commits nothing). It is
        kept, and what was refused is in no doubt with it."""
        if self.journal.ending is not None and self.writer.id is not None:
            failed = replace(pending, failed=True)
            self.journal.write(self.writer.id, {"pending_objects": failed.dumped()})
            self.journal.end()

    def _execute(self, kind: Kind, text: str, execute: Execute) -> None:
        """Runs it. A migration may catch an error and go on: it was issued all the same."""
        answer: Reply | None = None
        try:
            answer = self.session.perform(kind, text, execute, (self.index, 0))
        except MySQLError as error:
            answer = replies.failed(error)
            raise
        finally:
            self._pass(text, answer or Reply())
            self.entry_is_stale = True
            self.effect_shows = False

    def _pass(self, text: str, answer: Reply) -> None:
        self.writer.content.add_reply((self.index, 0), answer)
        self.writer.content.add_statement(text)
        self.position = self.position.after(text)
        self.reads = self.owns = 0

    def _pass_over(self, kind: Kind, text: str, reply: Reply, execute: Execute) -> None:
        """An earlier run did that statement."""
        self.session.skip(kind, text, self.index, reply, execute)
        self._pass(text, reply)
        entry = self.replay.entry
        if entry is not None and self.index > entry.position:  # it was in doubt
            self.entry_is_stale = True

    def _pending(self, text: str, known: Touched | None) -> Pending:
        inspector = self.journal.inspector
        inspector.forget_engines(text)
        if known is None or _NAMES_OTHERS.search(text):
            inspector.forget_names()
        if known is None:
            return Pending(text, None, server=inspector.server())
        objects = tuple(self._as_the_server_reads(one) for one in known.objects)
        before = inspector.look(objects)
        shows = known.shows
        if known.vanishes or (
            None in before and not known.repeatable and _DROPS.match(plain(text))
        ):
            # Absent afterwards says nothing: it may be gone by itself, or was never seen.
            before, shows = (_UNSEEN,) * len(objects), False
        return Pending(
            text, objects, before, shows, known.repeatable, known.fills, inspector.server()
        )

    def _fitting(self, pending: Pending) -> dict[str, object]:
        """The columns of `pending`: without passwords, and so short that the statement which writes
        them is not too long."""
        text, objects = masked(pending.sql), pending.dumped()
        if text != pending.sql:  # the digest recognises it
            text = shortened(text, self.position.after(pending.sql).digest)
        if len(text) + len(objects) > ROOM_UNASKED:
            room = self.journal.inspector.packet() // 16  # each byte may take two
            if len(text.encode()) > room:
                text = shortened(text, self.position.after(pending.sql).digest)
            if len(objects.encode()) > room:
                before = tuple(look and hashed(look) for look in pending.before)
                objects = replace(pending, before=before).dumped()
        return {"pending": text, "pending_objects": objects}

    def _as_the_server_reads(self, one: Object) -> Object:
        """The object with its schema, unless that is the tenant's own, and with the name that the
        server reads in the session's character set."""
        variables = self.journal.variables
        database = self.session.state.database
        schema = one.schema or (database if database != self.journal.database else None)
        return Object(one.kind, schema and variables.as_read(schema), variables.as_read(one.name))

    # Into the journal

    def _record(self, **values: object) -> None:
        """Writes how far the revision is, in the open transaction."""
        with self.journal.variables.own():
            self.writer.write(self.index, self.position.digest, values)
        self.entry_is_stale = False


def _writable(text: str) -> str:
    """What is no text in a statement (bytes, as PyMySQL 1.1 sends them) in escapes: it goes into columns."""
    return text.encode("utf-8", "backslashreplace").decode()
