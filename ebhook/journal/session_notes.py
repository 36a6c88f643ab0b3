"""What statements did to their session, kept so that a run that resumes can do the same, or say what
it cannot.

One note for each statement that changes something, at ``(index, 0)``, and for each of the session's own
(SET, temporary tables) that changed something or failed, at ``(index, -1)``, ``(index, -2)``, …: `index`
statements that change something came before. A statement without a note was run by a release that
kept none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from ebhook.database.session_tracking import NOTHING, SessionChange
from ebhook.journal.replies import Place


@dataclass(frozen=True)
class Note:
    """`asked` is a hash of the text of a statement of the session's own; `error` is how it failed."""

    change: SessionChange = NOTHING
    asked: str = ""
    error: tuple[str, int, str] | None = None


def dumped(notes: Iterable[tuple[Place, Note]]) -> str:
    """Lines for `loaded`: one JSON array each. Statements that did nothing to it share a line."""
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in _lines(notes))


def size(place: Place, note: Note) -> int:
    """How many bytes it takes."""
    return len(msgspec.json.encode(_line(place, 1, note)))


def loaded(text: str) -> dict[Place, Note]:
    """What `dumped` wrote, in one or several parts."""
    found: dict[Place, Note] = {}
    for line in filter(None, text.split("\n")):
        (index, ordinal), number, asked, variables, schema, state, error = msgspec.json.decode(line)
        change = SessionChange(tuple((name, value) for name, value in variables), schema, state)
        note = Note(change, asked, None if error is None else tuple(error))
        found |= {(index + further, ordinal): note for further in range(number)}
    return found


def _lines(notes: Iterable[tuple[Place, Note]]) -> Iterator[list[Any]]:
    first, number = (0, 0), 0  # of statements that did nothing
    for place, note in notes:
        if note == Note() and place[1] == 0:
            if number and place == (first[0] + number, 0):
                number += 1
                continue
            if number:
                yield _line(first, number, Note())
            first, number = place, 1
            continue
        if number:
            yield _line(first, number, Note())
            number = 0
        yield _line(place, 1, note)
    if number:
        yield _line(first, number, Note())


def _line(place: Place, number: int, note: Note) -> list[Any]:
    change = note.change
    return [
        place, number, note.asked, change.variables, change.schema, change.state, note.error
    ]  # fmt: skip
