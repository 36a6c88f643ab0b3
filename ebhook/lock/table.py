"""The table `migration_lock`: one row that says who, made or adopted in each tenant's database.

A row without a token was made by a person, or by an older deployment: it is a freeze.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows, run, scalar, text_of
from ebhook.database.errno import DENIED, LOST, READ_ONLY, Errno
from ebhook.errors import LockTableForeign

# Column → its definition. `id` first: with its primary key it makes a second row impossible.
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

# What the server says of a column with our name that cannot take our value.
UNFIT = {
    Errno.BAD_NULL,
    Errno.OUT_OF_RANGE,
    Errno.DATA_TRUNCATED,
    Errno.WRONG_VALUE,
    Errno.WRONG_VALUE_FOR_FIELD,
    Errno.NO_DEFAULT,
    Errno.DATA_TOO_LONG,
}


@dataclass(frozen=True)
class LockRow:
    """What is known of a tenant's lock. `token` None: a person's freeze, or no row at all.

    `alive` is whether a session owns the named lock; `since` is in the server's clock (UTC).
    """

    holder: str | None
    pid: int | None
    since: datetime | None
    alive: bool
    token: str | None
    connection_id: int | None
    environment: str | None = None
    version_label: str | None = None
    command: str | None = None
    has_row: bool = True

    @property
    def frozen(self) -> bool:
        """Made by hand: nobody's session stands behind it, and none is expected to."""
        return self.has_row and self.token is None

    def __str__(self) -> str:
        if not self.has_row:
            return f"MySQL connection {self.connection_id} (finishing, or its row was deleted)"
        if self.frozen:
            return f"{self.holder} (by hand)" if self.holder else "a row that was made by hand"
        name = f"{self.holder}:{self.pid}" if self.pid else f"{self.holder}"
        return f"{name} ({self.version_label})" if self.version_label else name


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


def row_from(values: tuple[object, ...], owner: int | None) -> LockRow:
    """A `LockRow` from what `select_row` asked for and the named lock's owner.

    An older deployment's columns may have our names and hold anything.
    """
    token, holder, pid, connection_id, environment, label, command, since = values
    return LockRow(
        holder=str(holder) if holder is not None else None,
        pid=int(str(pid)) if str(pid).isdecimal() else None,
        since=since if isinstance(since, datetime) else None,
        alive=owner is not None,
        token=str(token) if token else None,
        connection_id=int(str(connection_id)) if str(connection_id).isdecimal() else owner,
        environment=str(environment) if environment is not None else None,
        version_label=str(label) if label is not None else None,
        command=str(command) if command is not None else None,
    )


@dataclass(frozen=True)
class LockTable:
    """The lock table of the database that `connection` is in."""

    connection: Connection
    tenant: str
    name: str

    @property
    def quoted(self) -> str:
        return quoted(self.name)

    def columns(self) -> set[str]:
        """Their names in lower case; none when there is no table."""
        found = rows(
            self.connection,
            "SELECT LOWER(column_name) FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s",
            self.name,
        )
        return {str(row[0]) for row in found}

    def adopt(self) -> bool:
        """Creates the table, or adds what an older deployment's table lacks. Commits.

        False, and no change, where that one has a row: a held lock until it is gone.
        """
        columns, table = self.columns(), self.quoted
        if not columns:
            body = ", ".join(f"{quoted(name)} {kind}" for name, kind in COLUMNS.items())
            run(
                self.connection,
                f"CREATE TABLE IF NOT EXISTS {table} ({body}, PRIMARY KEY (id)) "
                "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            )
            return True
        if scalar(self.connection, f"SELECT COUNT(*) FROM {table}"):
            self.connection.rollback()
            return False
        own = rows(
            self.connection,
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = %s AND is_nullable = 'NO' "
            "AND column_default IS NULL AND extra NOT LIKE '%%auto_increment%%'",
            self.name,
        )
        needed = sorted({str(row[0]).lower() for row in own} - set(COLUMNS))
        if needed:
            raise self.foreign(f"it wants a value for {', '.join(needed)}")
        add = [f"ADD COLUMN {quoted(n)} {kind}" for n, kind in COLUMNS.items() if n not in columns]
        if "id" not in columns:
            add.append("ADD UNIQUE KEY ebhook_one_row (id)")
        try:
            run(self.connection, f"ALTER TABLE {table} {', '.join(add)}")
        except MySQLError as error:
            if errno(error) in (Errno.LOCK_WAIT_TIMEOUT, *LOST, *READ_ONLY, *DENIED):
                raise
            raise self.foreign(text_of(error)) from None
        return True

    def foreign(self, why: str) -> LockTableForeign:
        """The error for a table that ebhook cannot use."""
        return LockTableForeign(
            f"{self.tenant}: the table {self.name} is not ebhook's and cannot be made so: {why}.",
            next='Choose another name: [lock] table = "…" in ebhook.toml (EBHOOK_LOCK_TABLE)',
        )
