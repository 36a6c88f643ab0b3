"""What a revision tells the journal: its statements, for people, and what they gave back, for a later
run. All of it, or what is new since the row was last written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ebhook import answers
from ebhook.answers import Answer, Place
from ebhook.journal import BETWEEN, LONGEST

_LOGGED = 100_000  # characters of statement texts that are kept per revision
# What is kept for people has no use for a user's password.
_PASSWORDS = re.compile(
    r"(\bIDENTIFIED (?:WITH \S+ )?(?:BY|AS) (?:PASSWORD )?|\bPASSWORD ?(?:\( ?|= ?|FOR [^=]*= ?))"
    r"(?:'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")",
    re.I | re.S,
)


@dataclass
class Told:
    """Texts by number, answers by place."""

    texts: list[str] = field(default_factory=list)
    answers: dict[Place, Answer] = field(default_factory=dict)
    logged: int = 0  # characters of texts
    kept: int = 0  # characters of rows
    written: tuple[int, int] = (0, 0)  # how many texts and answers are in the row
    unsure: bool = True  # whether the row has just those

    def say(self, text: str) -> None:
        """One more statement."""
        shown = _PASSWORDS.sub(r"\1'***'", text)
        self.texts.append(shown[:LONGEST] if self.logged < _LOGGED else "")
        self.logged += len(self.texts[-1])

    def keep(self, place: Place, answer: Answer) -> None:
        """What a statement or a read gave back."""
        size = answers.size(answer)
        if self.kept + size <= answers.LARGEST:
            self.kept += size
            self.answers[place] = answer
        elif place[1] == 0:  # rows from INSERT … RETURNING: unlike a read, it cannot be asked again
            self.answers[place] = answers.FORGOTTEN

    def all(self, position: int | None = None) -> dict[str, object]:
        """Columns of the row, for the statements before `position`."""
        known = ((p, a) for p, a in self.answers.items() if position is None or p[0] < position)
        return {"statements": _joined(self.texts[:position]), "answers": answers.dumped(known)}

    def news(self) -> dict[str, object]:
        """Columns of the row, or what goes to their ends (``+``)."""
        if self.unsure:
            return self.all()
        texts, known = self.written
        new = list(self.answers.items())[known:]
        return {"+statements": _joined(self.texts[texts:]), "+answers": answers.dumped(new)}

    def is_written(self) -> None:
        self.written = (len(self.texts), len(self.answers))
        self.unsure = False

    def undone(self) -> None:
        """What was written may have been rolled back."""
        self.unsure = True


def _joined(parts: list[str]) -> str:
    return "".join(text + BETWEEN for text in parts if text)
