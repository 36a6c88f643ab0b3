"""One revision on its way through the journal: each statement once, and where the revision is then.

What an earlier run did is `ebhook.journal.replay`; this is what the present run does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from pymysql.err import MySQLError

from ebhook.chain.revision import Revision
from ebhook.database.connection import errno, in_transaction, scalar
from ebhook.database.errno import LOST, Errno
from ebhook.errors import InDoubt, RevisionChanged
from ebhook.holder import Holder
from ebhook.journal import replies
from ebhook.journal.entry_writer import EntryWriter
from ebhook.journal.in_doubt import Pending
from ebhook.journal.replay import Replay
from ebhook.journal.replies import Reply
from ebhook.journal.session_state import SessionState
from ebhook.journal.table import Entry, Journal, fold
from ebhook.sql.statement import Kind, Touched, bare, plain, touched

# A read whose answer belongs to the session, which a later run must have for itself.
_SESSIONS_OWN = re.compile(r"\bGET_LOCK\b|\bCONNECTION_ID\b", re.I)
_LOCKS_ROWS = re.compile(r"\bFOR (?:UPDATE|SHARE)\b|\bLOCK IN SHARE MODE\b", re.I)
_COMMITS = ("COMMIT", "BEGIN", "START", "LOCK", "UNLOCK", "FLUSH")
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
        self.session = SessionState(journal.database)
        self.began = time.monotonic()
        self.position = Position()  # after what the migration has issued in this run
        self.reads = 0  # since the last statement that changes something
        self.text = ""  # of the last statement
        self.refusal: InDoubt | RevisionChanged | MySQLError | None = None
        self.opaque = False  # has run something of which nobody knows what it does
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

    def run(self, kind: Kind, text: str, execute: Callable[[], Reply | None]) -> Reply | None:
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
        own = self.session.owns(kind, text)
        if own or kind is not Kind.DEFINITION:  # which commits by itself
            self._end_the_last()
        try:
            if own:
                return self._run_own(kind, text, execute)
            if kind is Kind.READ:
                return self._read(text, execute)
            reply = self.replay.reply(self.index, text, self.position.after(text).digest)
            if reply is not None:
                self._pass_over(text, reply)
                return reply
            self._need(self.session.missing(text))
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
        if self.entry_is_stale and not self.replay.is_active and self.refusal is None:
            self._record(pending=None, pending_objects=None)

    def undone(self) -> None:
        """The transaction, or a part of it, was rolled back: what was told in it is not there."""
        self.writer.content.may_be_rolled_back()
        self.entry_is_stale = self.index > 0

    def moved(self) -> None:
        """The session may be in another database now."""
        self.session.database = str(scalar(self.journal.connection, "SELECT DATABASE()"))

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

    def _read(self, text: str, execute: Callable[[], Reply | None]) -> Reply | None:
        """What was read in an earlier run, before a statement that is in, is read from the journal:
        what the migration does next may follow from it."""
        self.reads += 1
        place = (self.index, self.reads)
        question = replies.asked(text)
        if self.replay.has_more(self.index):
            self.session.lost |= self.session.at_stake(Kind.READ, text)
            known = self.replay.read(place, question)
            if known is not None:
                if _LOCKS_ROWS.search(bare(text)):
                    self._lock_rows(execute)
                self.writer.content.add_reply(place, known)
                return known
        self._need(self.session.missing(text))
        try:
            answer = execute()
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

    def _need(self, lost: str | None) -> None:
        if lost is not None:
            self.replay.refuse_without(lost)

    def _lock_rows(self, execute: Callable[[], Reply | None]) -> None:
        try:
            execute()
        except MySQLError as error:
            if errno(error) in LOST:
                raise

    def _run_own(self, kind: Kind, text: str, execute: Callable[[], Reply | None]) -> Reply | None:
        """What is the session's own is done again in each run, unless it would come out otherwise."""
        if self.session.drops(text):
            return Reply()
        stake = self.session.at_stake(kind, text)
        if stake and self.replay.has_more(self.index):
            self.session.lost |= stake
            return Reply()
        self._need(self.session.makes_again(kind, text))
        words = plain(text).upper()
        word = words.partition(" ")[0]
        commits = word in _COMMITS or words.startswith("SET PASSWORD") or "AUTOCOMMIT" in words
        if commits or kind is Kind.DEFINITION:  # ALTER TABLE does, for any table
            self.leave()
        execute()
        if word == "ROLLBACK":
            self.undone()
        elif word == "USE":
            self.moved()
        return None

    def _run_data(self, text: str, execute: Callable[[], Reply | None]) -> None:
        """The position goes into the rows' own transaction, at its end: see `leave`."""
        connection = self.journal.connection
        alone = bool(connection.get_autocommit()) and not in_transaction(connection)
        if alone:
            connection.begin()
        try:
            self._execute(text, execute)
            if alone:
                self._record(pending=None, pending_objects=None)
                connection.commit()
        except BaseException:
            if alone:
                connection.rollback()
            self.undone()
            raise

    def _run_definition(self, kind: Kind, text: str, execute: Callable[[], Reply | None]) -> None:
        connection, place = self.journal.connection, self.index
        known = touched(text) if kind is Kind.DEFINITION else None
        try:
            pending = self._pending(text, known)
            self._record(pending=text, pending_objects=pending.dumped())
        except MySQLError as error:
            if not self.journal.stands():
                self.refusal = error
            raise
        if kind is Kind.OPAQUE:
            self.opaque = True
            connection.commit()  # nobody knows whether it commits by itself
        try:
            self._execute(text, execute)
        except MySQLError as error:
            unread = errno(error) == Errno.PARSE_ERROR and not _RUNS_OTHERS.match(text)
            if errno(error) not in LOST and (kind is Kind.DEFINITION or unread):
                self.failed_at = place
                self._refused(pending)
            raise
        if not in_transaction(connection):
            self.journal.ending = None
        if kind is Kind.OPAQUE:
            self._record(pending=None, pending_objects=None)
            connection.commit()
        self.last_confirmed = self.position
        can_tell = pending.tells and self.journal.inspector.innodb
        self.effect_shows = kind is Kind.DEFINITION and can_tell

    def _end_the_last(self) -> None:
        """What the revision before has left to do."""
        try:
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

    def _execute(self, text: str, execute: Callable[[], Reply | None]) -> None:
        """Runs it. A migration may catch an error and go on: it was issued all the same."""
        answer: Reply | None = None
        try:
            answer = execute()
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
        self.reads = 0

    def _pass_over(self, text: str, reply: Reply) -> None:
        """An earlier run did that statement."""
        self._pass(text, reply)
        entry = self.replay.entry
        if entry is not None and self.index > entry.position:  # it was in doubt
            self.entry_is_stale = True
        self.session.skips(text)

    def _pending(self, text: str, known: Touched | None) -> Pending:
        inspector = self.journal.inspector
        if known is None or "RENAME" in text.upper():
            inspector.forget_names()
        if known is None:
            return Pending(text, None, server=inspector.server())
        here = self.session.database
        objects = tuple(replace(one, schema=one.schema or here) for one in known.objects)
        return Pending(
            text,
            objects,
            inspector.look(objects),
            known.shows,
            known.repeatable,
            known.fills,
            inspector.server(),
        )

    # Into the journal

    def _record(self, **values: object) -> None:
        """Writes how far the revision is, in the open transaction."""
        self.writer.write(self.index, self.position.digest, values)
        self.entry_is_stale = False


def _writable(text: str) -> str:
    """What is no text in a statement (bytes, as PyMySQL 1.1 sends them) in escapes: it goes into columns."""
    return text.encode("utf-8", "backslashreplace").decode()
