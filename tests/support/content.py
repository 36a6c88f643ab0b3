"""What a database holds, comparable between databases: the schema in full, and every row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pymysql.err import MySQLError

from ebhook.database.connection import errno, quoted
from tests.conftest import AnyServer

# How a view of information_schema says to which database a row belongs; the first one that it has.
OWNERS = (
    "TABLE_SCHEMA",
    "CONSTRAINT_SCHEMA",
    "TRIGGER_SCHEMA",
    "ROUTINE_SCHEMA",
    "SPECIFIC_SCHEMA",
    "EVENT_SCHEMA",
    "VIEW_SCHEMA",
    "SEQUENCE_SCHEMA",
    "LIBRARY_SCHEMA",
    "F_TABLE_SCHEMA",
    "SCHEMA_NAME",
)
# How often tables were used, not what they are (MariaDB).
USAGE = {"index_statistics", "table_statistics"}
# Statistics and times, counters that a transaction which was undone has moved, and who we were.
MOVING = {
    "auto_increment", "avg_row_length", "cardinality", "check_time", "checksum", "create_time",
    "created", "data_free", "data_length", "definer", "index_length", "last_altered", "last_executed",
    "max_data_length", "max_index_length", "table_rows", "update_time",
}  # fmt: skip
# ebhook's own: their rows differ from run to run.
OWN = ("migration_lock", "migration_journal")

# View or kind of object → its rows; `rows of …` → those of a table.
Content = dict[str, list[tuple[Any, ...]]]


def contents(
    server: AnyServer,
    databases: Iterable[str],
    hidden: Iterable[tuple[str, str]] = (),
    *,
    brief: bool = False,
) -> dict[str, Content]:
    """Database → information_schema's rows, how each object is made, and every row of its tables.

    The database's own name is taken out of all of it.

    Args:
        hidden: columns, as (table, column), whose values are not compared.
        brief: without information_schema's rows, of which nearly all are in SHOW CREATE, too.
    """
    found: dict[str, Content] = {}
    with server.connect() as connection, connection.cursor() as cursor:
        views = [] if brief else _views(cursor)
        for database in databases:
            content: Content = {}
            for view, owner in views:
                cursor.execute(
                    f"SELECT * FROM information_schema.{view} WHERE {owner} = %s", (database,)
                )
                content[view] = _rows(cursor, database, MOVING)
            for kind, name in _objects(cursor, database):
                without = {column for of, column in hidden if of == name}
                content |= _content_of(cursor, database, kind, name, without)
            found[database] = content
    return found


def _content_of(
    cursor: Any, database: str, kind: str, name: str, without: Iterable[str]
) -> Content:
    """How one object is made, and its rows; in their place the server's number, if it cannot tell."""
    content: Content = {}
    try:
        cursor.execute(f"SHOW CREATE {kind} {quoted(database)}.{quoted(name)}")
        content[f"SHOW CREATE {kind} {name}"] = [_made(cursor, database)]
        if kind == "TABLE" and name not in OWN:
            cursor.execute(f"SELECT * FROM {quoted(database)}.{quoted(name)}")
            content[f"rows of {name}"] = _rows(cursor, database, without)
    except MySQLError as error:
        content[f"{kind} {name}"] = [(errno(error),)]
    return content


def differences(one: Content, other: Content) -> list[str]:
    """What is in one of two contents and not in the other."""
    return [
        f"{sign} {part}: {row}"
        for part in sorted(one.keys() | other.keys())
        for sign, rows, against in (
            ("-", one.get(part, []), other.get(part, [])),
            ("+", other.get(part, []), one.get(part, [])),
        )
        for row in rows
        if row not in against or rows.count(row) > against.count(row)
    ]


def _views(cursor: Any) -> list[tuple[str, str]]:
    """Every view of information_schema that tells of single databases, with its column of OWNERS.

    Asked of the server, so that no kind of object is forgotten that one of them has.
    """
    cursor.execute(
        "SELECT LOWER(table_name), UPPER(column_name) FROM information_schema.columns"
        " WHERE table_schema = 'information_schema'"
    )
    columns: dict[str, set[str]] = {}
    for view, column in cursor.fetchall():
        columns.setdefault(view, set()).add(column)
    return [
        (view, next(owner for owner in OWNERS if owner in has))
        for view, has in sorted(columns.items())
        if has.intersection(OWNERS) and view not in USAGE
    ]


def _objects(cursor: Any, database: str) -> list[tuple[str, str]]:
    """What SHOW CREATE can be asked for: (kind, name)."""
    cursor.execute(
        "SELECT IF(table_type LIKE '%%VIEW', 'VIEW', 'TABLE'), table_name"
        " FROM information_schema.tables WHERE table_schema = %s"
        " UNION ALL SELECT 'TRIGGER', trigger_name"
        " FROM information_schema.triggers WHERE trigger_schema = %s"
        " UNION ALL SELECT routine_type, routine_name"
        " FROM information_schema.routines WHERE routine_schema = %s"
        " UNION ALL SELECT 'EVENT', event_name"
        " FROM information_schema.events WHERE event_schema = %s",
        [database] * 4,
    )
    return list(cursor.fetchall())


def _made(cursor: Any, database: str) -> tuple[str, ...]:
    """The answer to SHOW CREATE, less counters, times and who we were."""
    (row,) = cursor.fetchall()
    named = zip((column[0].lower() for column in cursor.description), row, strict=True)
    texts = [str(value) for name, value in named if name not in MOVING]
    return tuple(re.sub(_MOVES, "", text).replace(database, "DATABASE") for text in texts)


_MOVES = re.compile(r" AUTO_INCREMENT=\d+|DEFINER=\S+ ")


def _rows(cursor: Any, database: str, without: Iterable[str]) -> list[tuple[Any, ...]]:
    kept = [i for i, column in enumerate(cursor.description) if column[0].lower() not in without]
    rows = [
        tuple(
            row[i].replace(database, "DATABASE") if isinstance(row[i], str) else row[i]
            for i in kept
        )
        for row in cursor.fetchall()
    ]
    return sorted(rows, key=repr)
