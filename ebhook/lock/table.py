"""The table `migration_lock`: at most one row, which says who holds the tenant's lock."""

from __future__ import annotations

from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows, run, scalar, text_of
from ebhook.database.errno import DENIED, LOST, READ_ONLY, Errno
from ebhook.errors import LockTableForeign
from ebhook.holder import Holder
from ebhook.lock.named_lock import IS_OURS
from ebhook.lock.row import COLUMNS, LockRow, select_row

# What the server says of a column that has our name and cannot take our value.
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
class LockTable:
    """The lock table `name` of `database`. A migration may have said USE: it is always qualified."""

    connection: Connection
    tenant: str
    database: str
    name: str

    @property
    def place(self) -> str:
        """Its qualified name, quoted."""
        return f"{quoted(self.database)}.{quoted(self.name)}"

    def columns(self) -> set[str]:
        """The names of its columns, in lower case; none when there is no table."""
        found = rows(
            self.connection,
            "SELECT LOWER(column_name) FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s",
            self.database,
            self.name,
        )
        return {str(row[0]) for row in found}

    def read(self, owner: int | None) -> LockRow | None:
        """The row as it stands, or None. Ends the transaction.

        Args:
            owner: the connection id that has the named lock.
        """
        columns = self.columns()
        try:
            if columns:
                for values in rows(self.connection, select_row(self.place, columns)):
                    return LockRow.of_columns(values, owner)
        except MySQLError as error:
            if errno(error) != Errno.LOCK_WAIT_TIMEOUT:
                raise
            return LockRow.unreadable(owner)
        return None

    def find_for_update(self) -> LockRow | None:
        """The row, locked in the open transaction, or None where there is none."""
        sql = select_row(self.place, set(COLUMNS), "id, ") + " FOR UPDATE"
        for _, *values in rows(self.connection, sql):
            return LockRow.of_columns(values, None)
        return None

    def insert(self, holder: Holder, name: str | None) -> bool:
        """Inserts the holder's row in the open transaction.

        Args:
            name: of the named lock that this session has. None: the row names no connection, and
                nobody can tell whether its holder is alive.

        Returns: False, and nothing inserted: the session that got this statement does not have the
            named lock.
        """
        connection_id, condition = ("CONNECTION_ID()", IS_OURS) if name else ("NULL", "1 = 1")
        inserted = self._run(
            "INSERT INTO {table} (id, token, holder, pid, connection_id, environment, "
            "version_label, command, acquired_at) "
            f"SELECT 1, %s, %s, %s, {connection_id}, %s, %s, %s, UTC_TIMESTAMP(6) "
            f"FROM DUAL WHERE {condition}",
            holder.token,
            holder.name,
            holder.pid,
            holder.environment,
            holder.version_label,
            holder.command,
            *([name] if name else []),
        )
        return inserted == 1

    def freeze(self, token: str, words: str) -> bool:
        """Makes the row of one acquisition a person's freeze. Commits. False: it was not there."""
        changed = self._run(
            "UPDATE {table} SET token = NULL, holder = %s, pid = NULL, connection_id = NULL "
            "WHERE id = 1 AND token = %s",
            words,
            token,
        )
        self.connection.commit()
        return changed == 1

    def touch(self, name: str) -> bool:
        """Changes nothing. True: there is a row, and the session that got this write has the named
        lock `name`."""
        # By its key: a migration may have set sql_safe_updates.
        return self._run(f"UPDATE {{table}} SET id = 1 WHERE id = 1 AND {IS_OURS}", name) == 1

    def delete(self, token: str, name: str | None = None) -> bool:
        """Deletes the row of one acquisition in the open transaction; a newer one stays.

        Args:
            name: of a named lock, on which it depends as in `insert`.
        """
        # By its key, as above.
        sql = "DELETE FROM {table} WHERE id = 1 AND token = %s"
        if name:
            return self._run(f"{sql} AND {IS_OURS}", token, name) == 1
        return self._run(sql, token) == 1

    def delete_row(self, row: LockRow, name: str | None) -> bool:
        """Deletes exactly `row`, a person's too. Commits. False: it was not there.

        Args:
            name: of a named lock, on which it depends as in `insert`.
        """
        which: dict[str, object] = {}
        if row.token is not None:
            which["token = %s"] = row.token
        elif "token" in self.columns():
            which["COALESCE(token, '') = %s"] = ""
        if row.token is None and row.since is not None:
            which["acquired_at = %s"] = row.since
        if name:
            which[IS_OURS] = name
        where = f" WHERE {' AND '.join(which)}" if which else ""
        gone = self._run(f"DELETE FROM {{table}}{where}", *which.values())
        self.connection.commit()
        return bool(gone)

    def adopt(self) -> bool:
        """Creates the table, or adds the columns that an older deployment's table lacks. Commits.

        False, and no change, where that one has a row: a held lock until it is gone.

        Raises:
            LockTableForeign: it cannot be used.
        """
        columns = self.columns()
        if not columns:
            body = ", ".join(f"{quoted(name)} {kind}" for name, kind in COLUMNS.items())
            run(
                self.connection,
                f"CREATE TABLE IF NOT EXISTS {self.place} ({body}, PRIMARY KEY (id)) "
                "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            )
            return True
        if scalar(self.connection, f"SELECT COUNT(*) FROM {self.place}"):
            self.connection.rollback()
            return False
        own = rows(
            self.connection,
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s AND is_nullable = 'NO' "
            "AND column_default IS NULL AND extra NOT LIKE '%%auto_increment%%'",
            self.database,
            self.name,
        )
        needed = sorted({str(row[0]).lower() for row in own} - set(COLUMNS))
        if needed:
            raise self.foreign(f"it wants a value for {', '.join(needed)}")
        add = [f"ADD COLUMN {quoted(n)} {kind}" for n, kind in COLUMNS.items() if n not in columns]
        if "id" not in columns:
            add.append("ADD UNIQUE KEY ebhook_one_row (id)")
        try:
            run(self.connection, f"ALTER TABLE {self.place} {', '.join(add)}")
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

    def _run(self, sql: str, *values: object) -> int:
        """Runs `sql` with the table's name in place of ``{table}``; the number of rows it touched."""
        place = self.place.replace("%", "%%") if values else self.place
        return run(self.connection, sql.replace("{table}", place), *values)
