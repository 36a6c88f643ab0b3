"""What goes into an entry beside its position: the statements, for people, and what they gave back, for
a later run. As all of a column, or as what is to be appended to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ebhook.journal import replies, session_notes
from ebhook.journal.replies import Place, Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.table import BETWEEN, LONGEST
from ebhook.sql.masking import masked

_LOGGED = 100_000  # characters of statement texts that are kept per revision
# So many bytes any server takes in one statement; only for more is its limit asked for.
UNASKED = 512 * 1024
ROOM_UNASKED = UNASKED // 16  # for one part of it


@dataclass
class EntryContent:
    """Texts in order, replies and notes of the session by place, and how much of all the row has.

    `packet` asks for the bytes of the longest statement that the server takes. All of the content has
    to fit into one, beside the statement in doubt, with each byte written as two.
    """

    packet: Callable[[], int]
    texts: list[str] = field(default_factory=list)
    answers: dict[Place, Reply] = field(default_factory=dict)
    notes: dict[Place, Note] = field(default_factory=dict)
    last: tuple[tuple[Place, Reply], ...] = ()  # the last replies, if they share a line: one or two
    logged: int = 0  # bytes of texts
    kept: int = 0  # bytes of replies and notes
    written: tuple[int, int, int] = (0, 0, 0)  # how many texts, answers and notes are in the row
    appended: int = 0  # bytes that were added to the ends of its columns
    unsure: bool = True  # whether the row has just those

    def add_statement(self, text: str) -> None:
        """One more statement."""
        shown = masked(text)[:LONGEST]
        size = len(shown.encode()) + len(BETWEEN)
        total = self.logged + size
        fits = total <= min(_LOGGED, self._room(total, 16))
        self.texts.append(shown if fits else "")
        self.logged += size if fits else 0

    def add_reply(self, place: Place, answer: Reply) -> None:
        """What a statement or a read gave back."""
        continues = replies.continues(self.last, (place, answer))
        if continues or self._takes(replies.size(answer)):
            self.answers[place] = answer
            self.last = (*(self.last if continues else ()), (place, answer))[-2:]
        elif place[1] == 0 and answer.columns is not None and self._takes(200):
            # Rows from INSERT … RETURNING: unlike a read, it cannot be asked again.
            self.answers[place] = replies.FORGOTTEN

    def _takes(self, size: int) -> bool:
        total = self.kept + size
        if total > min(replies.LARGEST, self._room(total, 4)):
            return False
        self.kept = total
        return True

    def _room(self, wanted: int, share: int) -> int:
        """How many bytes one of so many shares has; as good as asked for where `wanted` fits anyway."""
        return (UNASKED if wanted * share <= UNASKED else self.packet()) // share

    def add_note(self, place: Place, note: Note) -> None:
        """What a statement did to its session."""
        if note == Note() or self._takes(session_notes.size(place, note)):
            self.notes[place] = note

    def columns(self, position: int | None = None, *, finished: bool = False) -> dict[str, object]:
        """Columns of the row, for the statements before `position`; less the answers if `finished`."""
        found: dict[str, object] = {"statements": _joined(self.texts[:position]) or None}
        if not finished:
            known = ((p, a) for p, a in self.answers.items() if position is None or p[0] < position)
            notes = ((p, n) for p, n in self.notes.items() if position is None or p[0] < position)
            found["answers"] = replies.dumped(known) or None
            found["session"] = session_notes.dumped(notes) or None
        return found

    def changes(self, *, finished: bool = False) -> dict[str, object]:
        """As `columns`, or what goes to the ends of these columns (``+``)."""
        if self.unsure or self.appended > ROOM_UNASKED:  # all at once takes less
            return self.columns(finished=finished)
        texts, known, notes = self.written
        found: dict[str, object] = {"+statements": _joined(self.texts[texts:])}
        if not finished:
            found["+answers"] = replies.dumped(list(self.answers.items())[known:])
            found["+session"] = session_notes.dumped(list(self.notes.items())[notes:])
        self.appended += sum(len(str(part)) for part in found.values())
        return found

    def is_written(self) -> None:
        if self.unsure or self.appended > ROOM_UNASKED:
            self.appended = 0
        self.written = (len(self.texts), len(self.answers), len(self.notes))
        self.unsure = False

    def may_be_rolled_back(self) -> None:
        """What was written may have been rolled back."""
        self.unsure = True


def _joined(parts: list[str]) -> str:
    return "".join(text + BETWEEN for text in parts if text)
