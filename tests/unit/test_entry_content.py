"""What goes into an entry of the journal, and how much of it fits."""

from __future__ import annotations

from ebhook.database.session_tracking import SessionChange
from ebhook.holder import Holder
from ebhook.journal import replies, session_notes
from ebhook.journal.entry_content import EntryContent
from ebhook.journal.replies import Reply
from ebhook.journal.session_notes import Note
from ebhook.journal.table import WIDTH, who

MEGABYTE = 2**20


def test_all_of_it_fits_into_one_statement() -> None:
    """With each byte written as two, whatever a revision gives back."""
    content = EntryContent(lambda: MEGABYTE)
    for index in range(4_000):
        content.add_statement(f"UPDATE clients SET name = '{'é' * 40}' WHERE id = {index}")
        content.add_reply((index, 0), Reply(index % 7))
        content.add_reply((index, 1), Reply(1, 0, (("a",),), (('"' * 100,),), asked="x"))
        content.add_note((index, 0), Note(SessionChange((("sql_mode", "A" * 50),), None, True)))

    columns = content.columns()

    assert sum(2 * len(str(text).encode()) for text in columns.values()) < MEGABYTE * 3 / 4


def test_what_does_not_fit_is_missing_and_not_empty() -> None:
    """Who asks for it learns that it was not kept."""
    content = EntryContent(lambda: MEGABYTE)
    content.add_reply((0, 0), Reply(1, 0, (("a",),), (("x" * MEGABYTE,),)))
    content.add_reply((0, 1), Reply(1, 0, (("a",),), (("x" * MEGABYTE,),), asked="x"))

    assert content.answers == {(0, 0): replies.FORGOTTEN}


def test_a_long_run_of_the_same_takes_no_room() -> None:
    """Twenty thousand inserts are one line each of replies and notes."""
    content = EntryContent(lambda: MEGABYTE)
    for index in range(20_000):
        content.add_reply((index, 0), Reply(1, index + 5))
        content.add_note((index, 0), Note())

    columns = content.columns()

    assert len(replies.loaded(str(columns["answers"]))) == 20_000
    assert len(session_notes.loaded(str(columns["session"]))) == 20_000
    assert len(str(columns["answers"])) + len(str(columns["session"])) < 200


def test_notes_come_back_as_they_were() -> None:
    """Values that are a default, errors, and places of the session's own statements."""
    notes = {
        (0, 0): Note(),
        (1, 0): Note(),
        (1, -1): Note(SessionChange((("timestamp", None), ("sql_mode", "")), "x", True), "abc"),
        (2, -1): Note(asked="abc", error=("OperationalError", 1050, "exists")),
        (2, 0): Note(),
    }
    assert session_notes.loaded(session_notes.dumped(notes.items())) == notes


def test_a_holders_name_fits_its_column() -> None:
    """Cut, where it is longer."""
    holder = Holder("i" * 300, 1, "e" * 300, None, "boot", "")
    assert {len(str(value)) for value in who(holder).values()} <= {WIDTH, 4}
