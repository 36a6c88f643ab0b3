"""What a login may do in a tenant's database, by trying it where that is safe; else `ebhook.database.grants` tells."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rollback, run
from ebhook.database.errno import DENIED

# What a boot itself does in a tenant's database, and what its migrations may.
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX")
OFTEN = ("REFERENCES", "DROP")


def tried(connection: Connection, database: str) -> set[str]:
    """What was refused of `NEEDED` and `OFTEN` on a scratch table, which is gone afterwards.

    Only for a login that may DROP: else the table would stay.
    """
    table = f"{quoted(database)}.{quoted('ebhook_doctor_' + secrets.token_hex(4))}"
    missing: set[str] = set()
    if _refused(connection, f"DROP TABLE IF EXISTS {table}"):
        return {"DROP"}
    if _refused(connection, f"CREATE TABLE {table} (id INT PRIMARY KEY, parent INT) ENGINE=InnoDB"):
        return {"CREATE"}
    try:
        for privilege, statement in (
            ("ALTER", f"ALTER TABLE {table} ADD COLUMN note INT"),
            ("REFERENCES", f"ALTER TABLE {table} ADD FOREIGN KEY (parent) REFERENCES {table} (id)"),
            ("INDEX", f"CREATE INDEX by_parent ON {table} (parent)"),
            ("INSERT", f"INSERT INTO {table} (id) VALUES (1)"),
            ("UPDATE", f"UPDATE {table} SET parent = NULL"),
            ("SELECT", f"SELECT id FROM {table}"),
            ("DELETE", f"DELETE FROM {table}"),
        ):
            # A foreign key is added by an ALTER: without that, nothing is learned from trying it.
            if not (privilege == "REFERENCES" and missing) and _refused(connection, statement):
                missing.add(privilege)
        connection.commit()
    finally:
        run(connection, f"DROP TABLE IF EXISTS {table}")
    return missing


def _refused(connection: Connection, statement: str) -> bool:
    try:
        run(connection, statement)
    except MySQLError as error:
        if errno(error) not in DENIED:
            raise
        rollback(connection)
        return True
    return False


def lacking(privileges: Iterable[str]) -> tuple[list[str], list[str]]:
    """What a boot needs and what its migrations often do, of what is not there."""
    gone = set(privileges)
    return [p for p in NEEDED if p in gone], [p for p in OFTEN if p in gone]
