"""What a login may do in a tenant's database: by trying it where that is safe, else by SHOW GRANTS."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rollback, rows, run, scalar
from ebhook.database.errno import DENIED

# What a boot itself does in a tenant's database, and what its migrations may.
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX")
OFTEN = ("REFERENCES", "DROP")

_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?:TABLE )?(?P<where>\S+|`.*`\.\*) TO ", re.I)


def granted(connection: Connection, database: str) -> set[str]:
    """The privileges that SHOW GRANTS tells for a whole database, roles included."""
    found: set[str] = set()
    for grant in _grants(connection):
        match = _GRANT.match(grant)
        if match is None or not _covers(match["where"], database):
            continue
        what = {word.strip().upper() for word in match["what"].split(",")}
        if what & {"ALL", "ALL PRIVILEGES"}:
            return {*NEEDED, *OFTEN}
        found |= what
    return found


def _grants(connection: Connection) -> list[str]:
    """The lines of SHOW GRANTS, with those of active roles, which neither server tells by itself."""
    found = [row[0] for row in rows(connection, "SHOW GRANTS FOR CURRENT_USER()")]
    try:
        roles = scalar(connection, "SELECT CURRENT_ROLE()")
        if roles and str(roles) != "NONE":
            version = str(scalar(connection, "SELECT VERSION()")).lower()
            whose = "CURRENT_ROLE" if "mariadb" in version else f"CURRENT_USER() USING {roles}"
            found += [row[0] for row in rows(connection, f"SHOW GRANTS FOR {whose}")]
    except MySQLError:
        rollback(connection)  # a server without roles
    return [str(line) for line in found]


def _covers(where: str, database: str) -> bool:
    """Is a grant's place (``*.*``, ``db.*``, `` `ag\\_%`.* ``) about `database`?"""
    schema, _, table = where.rpartition(".")
    if table != "*":
        return False
    schema = schema.strip("`").replace("``", "`")
    if schema == "*" or schema == database:
        return True
    pattern = re.sub(r"[\[\]*?]", lambda m: f"[{m[0]}]", schema)
    pattern = re.sub(r"\\[_%]|[_%]", lambda m: {"_": "?", "%": "*"}.get(m[0], m[0][-1]), pattern)
    return fnmatchcase(database, pattern)


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
