"""One revision on its way through the journal: what to skip, what to run, where it is then.

After a crash, the statements before the position are in, and are skipped once they are proved to be
the same (a rolling digest); what they gave back is given again. The statement *at* the position is in
doubt: see `ebhook.journal.in_doubt`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pymysql.err import MySQLError

from ebhook.chain.revision import Revision
from ebhook.database.connection import errno, in_transaction, scalar
from ebhook.database.errno import LOST, Errno
from ebhook.errors import InDoubt, RevisionChanged
from ebhook.holder import Holder
from ebhook.journal import replies
from ebhook.journal.entry_writer import Row
from ebhook.journal.in_doubt import Pending, Verdict
from ebhook.journal.replies import Reply
from ebhook.journal.session_state import SessionState
from ebhook.journal.table import Entry, Journal, fold
from ebhook.sql.statement import Kind, Touched, bare, plain, touched

# A read whose answer belongs to the session, which a later run must have for itself.
_SESSIONS_OWN = re.compile(r"\bGET_LOCK\b|\bCONNECTION_ID\b", re.I)
_LOCKS_ROWS = re.compile(r"\bFOR (?:UPDATE|SHARE)\b|\bLOCK IN SHARE MODE\b", re.I)
_COMMITS = ("COMMIT", "BEGIN", "START", "LOCK", "UNLOCK", "FLUSH")
_RUNS_OTHERS = re.compile(r"\s*(CALL|EXECUTE|BEGIN|/\*)", re.I)


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
        self.row = Row(self.journal, self.revision, self.kind, self.holder, self.entry)
        self.resumed = self.entry  # until the migration is where that run ended
        if self.entry is not None and self.entry.pending is None and self.entry.position == 0:
            self.resumed = None
        self.text = ""  # of the last statement
        self.verdict: Verdict | None = None  # on the statement in doubt
        self.refusal: InDoubt | RevisionChanged | MySQLError | None = None
        self.session = SessionState(self.journal.database)
        self.opaque = False  # has run something of which nobody knows what it does
        self.reads = 0  # since the last statement that changes something
        self.told = self.row.told
        self.behind = False  # the row's position is not `index`
        # What is certain of the last definition, whatever else the transaction comes to.
        self.certain: tuple[int, str] | None = None
        self.failed: int | None = None
        self.tells = False  # the objects of the last statement tell for themselves that it is in

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
            if self.resumed is not None:
                answer = self._is_in(self.resumed, text)
                if answer is not None:
                    self.session.skips(text)
                    return answer
            self._refuse_without(self.session.missing(text))
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
        self.told.undone()
        self.behind = self.index > 0

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
        if self.resumed is not None:
            self._end_early(self.resumed)
        took = time.monotonic() - self.began + ((self.entry and self.entry.seconds) or 0.0)
        self.row.finish(self.index, self.digest, took, with_next=with_next and self.tells)

    def settle(self, note: str) -> int:
        """After a failure, and a rollback: what is certain of the statement in doubt, and why it
        stopped. Commits. The number of statements that are in."""
        entry = self.journal.unfinished()
        if entry is None:
            return 0
        position = entry.position
        values: dict[str, object] = {"note": note[:1000]}
        if entry.id == self.row.id and entry.pending is not None:
            if self.certain is not None and self.certain[0] == position + 1:
                position, digest = self.certain
                values |= {"position": position, "digest": digest}
                values |= {"pending": None, "pending_objects": None}
                values |= self.told.all(position)
            elif self.failed == position:
                values["pending_objects"] = replace(entry.pending, failed=True).dumped()
        self.journal.write(entry.id, values)
        self.journal.connection.commit()
        return position

    # What an earlier run did

    def _past(self) -> bool:
        """Is a statement in that the migration issues after this point?"""
        entry = self.resumed
        return entry is not None and (self.index < entry.position or self._happened(entry))

    def _is_in(self, entry: Entry, text: str) -> Reply | None:
        """What the migration's next statement gave in an earlier run; None: it is still to be run."""
        if self.index < entry.position:
            answer = entry.answers.get((self.index, 0), Reply())
            self._pass(text, answer)
            if self.index == entry.position:
                if self.digest != entry.digest:
                    self._refuse(entry, "its first statements are not those that are in")
                if entry.pending is None:
                    self.resumed = None
            return answer
        happened = self._happened(entry)
        self.resumed = None
        assert entry.pending is not None
        if text != entry.pending.sql and self.verdict is not Verdict.NOT:
            may = "is" if happened else "may be"
            self._refuse(
                entry, f"statement {entry.position + 1} {may} in, and is not in the file now"
            )
        if not happened:
            return None
        self._pass(text, Reply())
        self.behind = True
        return Reply()

    def _happened(self, entry: Entry) -> bool:
        """Did the statement in doubt happen? Raises `InDoubt` when that cannot be told."""
        assert entry.pending is not None
        if self.verdict is None:
            self.verdict = self.journal.witness.verdict(entry.pending)
        if self.verdict is Verdict.UNKNOWN:
            raise in_doubt(self.journal.tenant, entry)
        return self.verdict is Verdict.HAPPENED

    def _end_early(self, entry: Entry) -> None:
        """The revision issued no more statements than were in: fine only if that is all of them."""
        if self.index < entry.position or self._happened(entry):
            self._refuse(entry, "it issues fewer statements than are in")

    def _refuse(self, entry: Entry, why: str) -> None:
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
            f"It was applied up to here:\n{entry.shown}\n  Nothing more was changed.",
            f"{back}. Or undo these by hand, and then: "
            f"DELETE FROM {self.journal.table} WHERE id = {entry.id};",
        )

    def _refuse_without(self, lost: str | None) -> None:
        """What still has to run cannot be run: an earlier session took along what it builds on."""
        if lost is None:
            return
        entry = self.entry
        assert entry is not None
        raise RevisionChanged(
            f"{self.journal.tenant}: revision {self.revision.id} is half applied, and the rest of it "
            f"builds on {lost}, which was gone with the session.",
            f"These are in:\n{entry.shown}\n  Nothing more was changed.",
            "Do the rest of it by hand and move the version. Or undo these by hand, and then: "
            f"DELETE FROM {self.journal.table} WHERE id = {entry.id};",
        )

    def _read(self, text: str, execute: Callable[[], Reply | None]) -> Reply | None:
        """What was read in an earlier run, before a statement that is in, is read from the journal:
        what the migration does next may follow from it."""
        self.reads += 1
        place = (self.index, self.reads)
        question = replies.asked(text)
        if self._past():
            assert self.resumed is not None
            self.session.lost |= self.session.at_stake(Kind.READ, text)
            known = self.resumed.answers.get(place)
            if known is not None and known.asked == question:
                if _LOCKS_ROWS.search(bare(text)):
                    self._lock_rows(execute)
                self.told.keep(place, known)
                return known
        self._refuse_without(self.session.missing(text))
        try:
            answer = execute()
        except MySQLError as error:
            if errno(error) not in LOST:
                self.told.keep(place, replace(replies.failed(error), asked=question))
            raise
        if (
            answer is not None
            and answer.columns is not None
            and not _SESSIONS_OWN.search(bare(text))
        ):
            self.told.keep(place, replace(answer, asked=question))
        return None

    def _lock_rows(self, execute: Callable[[], Reply | None]) -> None:
        try:
            execute()
        except MySQLError as error:
            if errno(error) in LOST:
                raise

    # What this run does

    def _run_own(self, kind: Kind, text: str, execute: Callable[[], Reply | None]) -> Reply | None:
        """What is the session's own is done again in each run, unless it would come out otherwise."""
        if self.session.drops(text):
            return Reply()
        stake = self.session.at_stake(kind, text)
        if stake and self._past():
            self.session.lost |= stake
            return Reply()
        self._refuse_without(self.session.makes_again(kind, text))
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
                self.failed = place
                self._refused(pending)
            raise
        if not in_transaction(connection):
            self.journal.ending = None
        if kind is Kind.OPAQUE:
            self._record(pending=None, pending_objects=None)
            connection.commit()
        self.certain = (self.index, self.digest)
        can_tell = pending.tells and self.journal.witness.innodb
        self.tells = kind is Kind.DEFINITION and can_tell

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
        if self.journal.ending is not None and self.row.id is not None:
            failed = replace(pending, failed=True)
            self.journal.write(self.row.id, {"pending_objects": failed.dumped()})
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
            self.behind = True
            self.tells = False

    def _pass(self, text: str, answer: Reply) -> None:
        self.told.keep((self.index, 0), answer)
        self.told.say(text)
        self.digest = fold(self.digest, text)
        self.index += 1
        self.reads = 0

    def _pending(self, text: str, known: Touched | None) -> Pending:
        witness = self.journal.witness
        if known is None or "RENAME" in text.upper():
            witness.unsure()
        if known is None:
            return Pending(text, None, server=witness.server())
        here = self.session.database
        objects = tuple(replace(one, schema=one.schema or here) for one in known.objects)
        return Pending(
            text,
            objects,
            witness.look(objects),
            known.shows,
            known.repeatable,
            known.fills,
            witness.server(),
        )

    # Into the journal

    def _record(self, **values: object) -> None:
        """Writes how far the revision is, in the open transaction."""
        self.row.write(self.index, self.digest, values)
        self.behind = False


def _writable(text: str) -> str:
    """What is no text in a statement (bytes, as PyMySQL 1.1 sends them) in escapes: it goes into columns."""
    return text.encode("utf-8", "backslashreplace").decode()


def in_doubt(tenant: str, entry: Entry) -> InDoubt:
    """The question that only a person can answer."""
    sql = " ".join(entry.pending.sql.split())[:300] if entry.pending else ""
    return InDoubt(
        f"{tenant}: revision {entry.revision} stopped at statement {entry.position + 1}, and "
        f"whether that happened cannot be told: {sql}",
        f"{entry.position} statements of it are in. Nothing more was changed.",
        f"Look at the database, then say it: ebhook resolve {tenant} --applied | --not-applied",
    )
