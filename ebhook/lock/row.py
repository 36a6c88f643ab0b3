"""Who holds a tenant's lock: one row of `migration_lock`, with what the named lock says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ebhook.database.connection import quoted
from ebhook.errors import one_line

# Column → its definition. `id` first: its primary key makes a second row impossible.
COLUMNS = {
    "id": "TINYINT UNSIGNED NOT NULL DEFAULT 1",
    "token": "CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL",
    "holder": "VARCHAR(190) CHARACTER SET utf8mb4 NULL",
    "pid": "INT UNSIGNED NULL",
    "connection_id": "BIGINT UNSIGNED NULL",
    "environment": "VARCHAR(190) CHARACTER SET utf8mb4 NULL",
    "version_label": "VARCHAR(190) CHARACTER SET utf8mb4 NULL",
    "command": "VARCHAR(190) CHARACTER SET utf8mb4 NULL",
    "acquired_at": "DATETIME(6) NULL DEFAULT CURRENT_TIMESTAMP(6)",
}


@dataclass(frozen=True, kw_only=True)
class LockRow:
    """What is known of a tenant's lock.

    `alive`: a session owns the named lock. `token` identifies one acquisition; None: a person made
    the row (a freeze), or there is no row. `since` is by the server's clock (UTC). `has_row` False:
    the named lock is taken, and the table has no row.
    """

    alive: bool
    holder: str | None = None
    pid: int | None = None
    since: datetime | None = None
    token: str | None = None
    connection_id: int | None = None
    environment: str | None = None
    version_label: str | None = None
    command: str | None = None
    has_row: bool = True

    @classmethod
    def of_columns(cls, values: Sequence[object], owner: int | None) -> LockRow:
        """From the values that `select_row` asked for.

        An older deployment's columns may have the same names and hold anything.

        Args:
            owner: the connection id that has the named lock.
        """
        token, holder, pid, connection_id, environment, label, command, since = values
        return cls(
            alive=owner is not None,
            holder=_text(holder),
            pid=_number(pid),
            since=since if isinstance(since, datetime) else None,
            token=_text(token) or None,
            connection_id=_number(connection_id) or owner,
            environment=_text(environment),
            version_label=_text(label),
            command=_text(command),
        )

    @classmethod
    def without_row(cls, owner: int) -> LockRow:
        """Session `owner` has the named lock, and its row was deleted by hand (or already)."""
        return cls(alive=True, connection_id=owner, has_row=False)

    @classmethod
    def unreadable(cls, owner: int | None) -> LockRow:
        """Somebody has locked the table: the row cannot be read now."""
        return cls(
            alive=owner is not None,
            holder="somebody who has locked the table",
            connection_id=owner,
        )

    @property
    def frozen(self) -> bool:
        """Made by hand: no session stands behind it, and none is expected to."""
        return self.has_row and self.token is None

    def __str__(self) -> str:
        if not self.has_row:
            return f"MySQL connection {self.connection_id} (finishing, or its row was deleted)"
        if self.frozen:
            said = one_line(self.holder or "")
            return f"{said} (by hand)" if said else "a row that was made by hand"
        name = f"{self.holder}:{self.pid}" if self.pid else f"{self.holder}"
        return one_line(f"{name} ({self.version_label})" if self.version_label else name)


def select_row(place: str, columns: set[str], first: str = "") -> str:
    """The query for one `LockRow` from a lock table that has `columns` (a foreign one has fewer).

    A person's row comes before ours: an adopted table, or another id, has room for both.

    Args:
        place: the quoted table.
        first: what to select before the columns of the row.
    """
    wanted = list(COLUMNS)[1:]
    listed = ", ".join(quoted(name) if name in columns else "NULL" for name in wanted)
    order = " ORDER BY COALESCE(token, '') <> ''" if "token" in columns else ""
    return f"SELECT {first}{listed} FROM {place}{order} LIMIT 1"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None
