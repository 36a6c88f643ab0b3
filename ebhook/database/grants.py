"""What SHOW GRANTS tells of a login: its privileges in one database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, rollback, rows, scalar

# What ALL PRIVILEGES on a database means, of what ebhook asks about.
ALL = frozenset(
    {
        "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX", "REFERENCES", "DROP",
        "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "TRIGGER", "EVENT",
    }
)  # fmt: skip
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?:TABLE )?(?P<where>\S+|`.*`\.\*) TO ", re.I)


def granted(connection: Connection, database: str) -> set[str]:
    """The privileges that SHOW GRANTS tells for a whole database, roles included."""
    return granted_by(grants(connection), database)


def granted_by(lines: Iterable[str], database: str) -> set[str]:
    """The privileges that `lines` of SHOW GRANTS give on all of `database`."""
    found: set[str] = set()
    for grant in lines:
        match = _GRANT.match(grant)
        if match is None or not _covers(match["where"], database):
            continue
        what = {word.strip().upper() for word in match["what"].split(",")}
        if what & {"ALL", "ALL PRIVILEGES"}:
            return set(ALL)
        found |= what
    return found


def grants(connection: Connection) -> list[str]:
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
