"""What goes into an entry beside its position: the statements, for people, and what they gave back, for
a later run. As all of a column, or as what is to be appended to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ebhook.journal import replies, session_notes
from ebhook.journal.replies import Place, Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.table import BETWEEN, LONGEST

_LOGGED = 100_000  # characters of statement texts that are kept per revision
# What is kept for people has no use for a user's password.
_PASSWORDS = re.compile(
    r"(\bIDENTIFIED (?:WITH \S+ )?(?:BY|AS) (?:PASSWORD )?|\bPASSWORD ?(?:\( ?|= ?|FOR [^=]*= ?))"
    r"(?:'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")",
    re.I | re.S,
)


@dataclass
class EntryContent:
    """Texts in order, replies and notes of the session by place, and how much of both the row has already."""

    texts: list[str] = field(default_factory=list)
    answers: dict[Place, Reply] = field(default_factory=dict)
    notes: dict[Place, Note] = field(default_factory=dict)
    logged: int = 0  # characters of texts
    kept: int = 0  # characters of rows
    written: tuple[int, int, int] = (0, 0, 0)  # how many texts, answers and notes are in the row
    unsure: bool = True  # whether the row has just those

    def add_statement(self, text: str) -> None:
        """One more statement."""
        shown = _PASSWORDS.sub(r"\1'***'", text)
        self.texts.append(shown[:LONGEST] if self.logged < _LOGGED else "")
        self.logged += len(self.texts[-1])

    def add_reply(self, place: Place, answer: Reply) -> None:
        """What a statement or a read gave back."""
        size = replies.size(answer)
        if self.kept + size <= replies.LARGEST:
            self.kept += size
            self.answers[place] = answer
        elif place[1] == 0:  # rows from INSERT … RETURNING: unlike a read, it cannot be asked again
            self.answers[place] = replies.FORGOTTEN

    def add_note(self, place: Place, note: Note) -> None:
        """What a statement did to its session."""
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
        if self.unsure:
            return self.columns(finished=finished)
        texts, known, notes = self.written
        found: dict[str, object] = {"+statements": _joined(self.texts[texts:])}
        if not finished:
            found["+answers"] = replies.dumped(list(self.answers.items())[known:])
            found["+session"] = session_notes.dumped(list(self.notes.items())[notes:])
        return found

    def is_written(self) -> None:
        self.written = (len(self.texts), len(self.answers), len(self.notes))
        self.unsure = False

    def may_be_rolled_back(self) -> None:
        """What was written may have been rolled back."""
        self.unsure = True


def _joined(parts: list[str]) -> str:
    return "".join(text + BETWEEN for text in parts if text)
