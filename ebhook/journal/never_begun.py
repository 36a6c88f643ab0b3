"""A revision of which nothing is in: it was never begun, and stands in nobody's way."""

from __future__ import annotations

from ebhook.journal.in_doubt import Verdict
from ebhook.journal.table import Entry, Journal


def has_begun(journal: Journal, entry: Entry) -> bool:
    """May a statement of this unfinished revision be in? Looks at what the pending one touches."""
    if entry.position > 0:
        return True
    pending = entry.pending
    return pending is not None and journal.inspector.verdict(pending) is not Verdict.NOT


def set_aside(journal: Journal, entry: Entry) -> None:
    """Closes the entry of a revision that was never begun; the history keeps it. Commits."""
    note = f"{entry.kind}: nothing of it was in" + (f"; {entry.note}" if entry.note else "")
    journal.write(entry.id, {"kind": "set_aside", "note": note[:1000]}, finished=True)
    journal.connection.commit()
