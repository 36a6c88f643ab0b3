"""What an earlier run of a revision did: which statements to pass over, and what they gave back.

A resumed migration issues its statements again from the top. Those before the entry's position are in:
they are passed over once they are proved to be the same (a rolling digest). The statement *at* the
position is in doubt: see `ebhook.journal.in_doubt`.
"""

from __future__ import annotations

from ebhook.chain.revision import Revision
from ebhook.database.session_tracking import NOTHING, UNKNOWN, SessionChange
from ebhook.errors import InDoubt, RevisionChanged
from ebhook.journal.in_doubt import Verdict
from ebhook.journal.replies import Place, Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.table import Entry, Journal
from ebhook.next_command import ebhook, then
from ebhook.sql.statement import Kind


class Replay:
    """One revision, up to where an earlier run left it.

    `entry` is the unfinished row of that run, or None. `is_active` until the migration has come to
    where that run ended.
    """

    def __init__(self, journal: Journal, revision: Revision, entry: Entry | None) -> None:
        self.journal = journal
        self.revision = revision
        self.entry = entry
        nothing_is_in = entry is None or (entry.pending is None and entry.position == 0)
        self._entry = None if nothing_is_in else entry
        self._verdict: Verdict | None = None  # on the statement in doubt

    @property
    def is_active(self) -> bool:
        return self._entry is not None

    def has_more(self, index: int) -> bool:
        """Is a statement in that the migration issues after its first `index` ones?

        Raises:
            InDoubt: that cannot be told.
        """
        return self._entry is not None and self._is_in(self._entry, index)

    def reply(self, index: int, kind: Kind, text: str, digest: str) -> Reply | None:
        """What statement `index` gave back in the earlier run; None: it is still to be run.

        Args:
            text: the statement that the migration issues now.
            digest: the rolling digest, with this statement.

        Raises:
            RevisionChanged: what is in is not what the file says now.
            InDoubt: whether it is in cannot be told.
        """
        entry = self._entry
        if entry is None:
            return None
        if index < entry.position:
            if index + 1 == entry.position:
                if digest != entry.digest:
                    self._refuse(entry, "its first statements are not those that are in")
                if entry.pending is None:
                    self._entry = None
            known = entry.answers.get((index, 0))
            if (
                known is None and kind is not Kind.DEFINITION
            ):  # which gives nothing but that it is in
                self._refuse(entry, f"what its statement {index + 1} gave back was not kept")
            return known or Reply()
        happened = self._happened(entry)
        self._entry = None
        assert entry.pending is not None
        if not entry.pending.is_of(text, digest) and self._verdict is not Verdict.NOT:
            may = "is" if happened else "may be"
            self._refuse(
                entry, f"statement {entry.position + 1} {may} in, and is not in the file now"
            )
        return Reply() if happened else None

    def read(self, place: Place, question: str) -> Reply | None:
        """What a read at `place` gave in the earlier run, if it asked the same `question`."""
        known = self._entry.answers.get(place) if self._entry is not None else None
        return known if known is not None and known.asked == question else None

    def change(self, index: int, kind: Kind) -> SessionChange:
        """What statement `index`, which is in, did to its session."""
        entry = self.entry
        note = entry.session.get((index, 0)) if entry is not None else None
        if note is not None:
            return note.change
        return NOTHING if kind is Kind.DEFINITION else UNKNOWN

    def note(self, place: Place, asked: str) -> Note | None:
        """What is kept of a statement of the session's own, if the earlier run issued that one."""
        known = self.entry.session.get(place) if self.entry is not None else None
        return known if known is not None and known.asked == asked else None

    def end(self, index: int) -> None:
        """The migration has ended after `index` statements.

        Raises:
            RevisionChanged: it issued fewer statements than are in.
        """
        if self._entry is not None and self._is_in(self._entry, index):
            self._refuse(self._entry, "it issues fewer statements than are in")

    def refuse_without(self, lost: str) -> None:
        """Raises `RevisionChanged`: what still has to run builds on something that an earlier session
        took along."""
        entry = self.entry
        assert entry is not None
        raise RevisionChanged(
            f"{self.journal.tenant}: revision {self.revision.id} is half applied, and the rest of it "
            f"builds on {lost}, which was gone with the session.",
            f"These are in:\n{entry.shown}\n  Nothing more was changed.",
            "Do the rest of it by hand and move the version. Or undo these by hand, and then: "
            f"DELETE FROM {self.journal.table} WHERE id = {entry.id};",
        )

    def _is_in(self, entry: Entry, index: int) -> bool:
        return index < entry.position or self._happened(entry)

    def _happened(self, entry: Entry) -> bool:
        """Did the statement in doubt happen? Raises `InDoubt` when that cannot be told."""
        if entry.pending is None:
            return False
        if self._verdict is None:
            with self.journal.variables.own():
                self._verdict = self.journal.inspector.verdict(entry.pending)
        if self._verdict is Verdict.UNKNOWN:
            raise in_doubt(self.journal.tenant, entry)
        return self._verdict is Verdict.HAPPENED

    def _refuse(self, entry: Entry, why: str) -> None:
        edited = entry.checksum != self.revision.checksum
        cause = "Its statements differ from run to run (time, random values)"
        back = then("Do the rest of it by hand and move the version")
        if edited:
            cause = "The file was changed after it was half applied"
            back = then(
                f"Put these back at the top of {self.revision.path.name} (only what follows may be "
                "mended), then: ",
                ebhook("upgrade", self.journal.tenant),
            )
        raise RevisionChanged(
            f"{self.journal.tenant}: revision {self.revision.id} is half applied, and {why}. "
            f"{cause}.",
            f"It was applied up to here:\n{entry.shown}\n  Nothing more was changed.",
            back.then(
                ". Or undo these by hand, and then: "
                f"DELETE FROM {self.journal.table} WHERE id = {entry.id};"
            ),
        )


def in_doubt(tenant: str, entry: Entry) -> InDoubt:
    """The question that only a person can answer."""
    sql = " ".join(entry.pending.sql.split())[:300] if entry.pending else ""
    return InDoubt(
        f"{tenant}: revision {entry.revision} stopped at statement {entry.position + 1}, and "
        f"whether that happened cannot be told: {sql}",
        f"{entry.position} statements of it are in. Nothing more was changed."
        + (f" This journal was written in {entry.copied_from}." if entry.copied_from else ""),
        then("Look at the database, then say it: ", ebhook("resolve", tenant)),
    )
