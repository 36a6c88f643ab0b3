"""The row of the journal that belongs to one run of a revision, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ebhook.chain.revision import Revision
from ebhook.database.connection import run, scalar
from ebhook.holder import Holder
from ebhook.journal.entry_content import EntryContent
from ebhook.journal.table import SHAPE, Ending, Entry, Journal, who


@dataclass
class EntryWriter:
    """`entry` is what an earlier run left of it, or None: then it comes with the first `write`."""

    journal: Journal
    revision: Revision
    kind: str
    holder: Holder
    entry: Entry | None
    content: EntryContent = field(init=False)

    def __post_init__(self) -> None:
        self.content = EntryContent(self.journal.inspector.packet)
        self.id = self.entry.id if self.entry else None

    def write(self, position: int, digest: str, values: Mapping[str, object]) -> None:
        """How far the revision is, what is new of its content, and `values`; in the open transaction."""
        self._write(self._changes(position, digest, values))

    def finish(self, position: int, digest: str, seconds: float, *, with_next: bool) -> None:
        """The revision is done; in the transaction that moves the version.

        Args:
            with_next: leave it to the next revision's first definition, if the journal can.
        """
        changes = self._changes(position, digest, {"seconds": seconds}, finished=True)
        if with_next and self.id is not None:
            self.journal.ending = Ending(
                self.id, self.kind, changes, lambda: self._all(changes, finished=True)
            )
        else:
            self._write(changes, finished=True)

    def _changes(
        self, position: int, digest: str, values: Mapping[str, object], *, finished: bool = False
    ) -> dict[str, object]:
        content = self.content.changes(finished=finished)
        changes = {"position": position, "digest": digest, **content, **values}
        if self.entry is not None:  # of an earlier run: ours now
            changes |= self._facts()
        return changes

    def _facts(self) -> dict[str, object]:
        """Columns that are the same throughout a run."""
        return {"checksum": self.revision.checksum, "note": None, **who(self.holder)}

    def _all(self, changes: Mapping[str, object], *, finished: bool) -> dict[str, object]:
        """All columns, after `changes`."""
        return {
            "revision": self.revision.id,
            "down_revision": ",".join(self.revision.parents) or None,
            **self._facts(),
            "shape": SHAPE,
            **self.content.columns(finished=finished),
            **{name: value for name, value in changes.items() if not name.startswith("+")},
        }

    def _write(self, changes: Mapping[str, object], *, finished: bool = False) -> None:
        if self.id is None or not self.journal.write(self.id, changes, finished=finished):
            # New, or undone together with a transaction that the migration rolled back.
            self._add(changes, finished=finished)
        self.content.is_written()

    def _add(self, changes: Mapping[str, object], *, finished: bool) -> None:
        connection = self.journal.connection
        # A migration may ask for the id that its own last INSERT made.
        last = scalar(connection, "SELECT LAST_INSERT_ID()") if changes["position"] else 0
        values = self._all(changes, finished=finished)
        self.id = self.journal.add(self.kind, values, finished=finished)
        if last:
            run(connection, "DO LAST_INSERT_ID(%s)", last)
