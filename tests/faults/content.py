"""What a database holds, comparable between databases: the schema in full, and every row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ebhook.database import quoted
from tests.conftest import AnyServer

# View → the column that says to which database a row belongs.
VIEWS = {
    "schemata": "schema_name",
    "tables": "table_schema",
    "columns": "table_schema",
    "statistics": "table_schema",
    "table_constraints": "constraint_schema",
    "key_column_usage": "constraint_schema",
    "referential_constraints": "constraint_schema",
    "check_constraints": "constraint_schema",
    "views": "table_schema",
    "triggers": "trigger_schema",
    "routines": "routine_schema",
    "parameters": "specific_schema",
    "events": "event_schema",
    "partitions": "table_schema",
}
# Statistics and times, counters that a transaction which was undone has moved, and who we were.
MOVING = {
    "auto_increment", "avg_row_length", "cardinality", "check_time", "checksum", "create_time",
    "created", "data_free", "data_length", "definer", "index_length", "last_altered", "last_executed",
    "max_data_length", "table_rows", "update_time",
}  # fmt: skip
# ebhook's own: their rows differ from run to run.
OWN = ("migration_lock", "migration_journal")

Content = dict[str, list[tuple[Any, ...]]]


def contents(
    server: AnyServer, databases: Iterable[str], hidden: Iterable[tuple[str, str]] = ()
) -> dict[str, Content]:
    """Database → information_schema's rows and every row of its tables, with its name taken out.

    Args:
        hidden: columns, as (table, column), whose values are not compared.
    """
    found: dict[str, Content] = {}
    with server.connect() as connection, connection.cursor() as cursor:
        for database in databases:
            content: Content = {}
            for view, owner in VIEWS.items():
                cursor.execute(
                    f"SELECT * FROM information_schema.{view} WHERE {owner} = %s", (database,)
                )
                content[view] = _rows(cursor, database, MOVING)
            cursor.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
                " AND table_type = 'BASE TABLE'",
                (database,),
            )
            for (table,) in cursor.fetchall():
                if table not in OWN:
                    cursor.execute(f"SELECT * FROM {quoted(database)}.{quoted(table)}")
                    without = {column for of, column in hidden if of == table}
                    content[f"rows of {table}"] = _rows(cursor, database, without)
            found[database] = content
    return found


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
