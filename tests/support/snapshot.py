"""All that a database holds, to see that a run changed nothing, or what it changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ebhook.database.connection import quoted
from tests.conftest import AnyServer

# What is fixed in them: their other columns are statistics, which move by themselves.
CATALOGUE = {
    "schemata": "schema_name, default_character_set_name, default_collation_name",
    "tables": "table_name, table_type, engine, table_collation, create_options, table_comment",
    "columns": "table_name, ordinal_position, column_name, column_default, is_nullable, "
    "column_type, character_set_name, collation_name, column_key, extra, column_comment, "
    "generation_expression",
    "statistics": "table_name, index_name, seq_in_index, column_name, non_unique, sub_part",
    "table_constraints": "table_name, constraint_name, constraint_type",
    "key_column_usage": "table_name, constraint_name, column_name, referenced_table_name",
    "routines": "routine_name, routine_type, routine_definition",
    "triggers": "trigger_name, event_object_table, action_statement",
    "events": "event_name, event_definition",
}
# Where a row of each says to which database it belongs.
OWNER = {
    "schemata": "schema_name",
    "routines": "routine_schema",
    "triggers": "trigger_schema",
    "events": "event_schema",
    "table_constraints": "constraint_schema",
    "key_column_usage": "constraint_schema",
}

Snapshot = dict[tuple[str, str], list[tuple[Any, ...]]]


def snapshot(server: AnyServer, databases: Iterable[str]) -> Snapshot:
    """information_schema's rows of some databases, and every row in every table of theirs."""
    found: Snapshot = {}
    with server.connect() as connection, connection.cursor() as cursor:
        for database in databases:
            for view, columns in CATALOGUE.items():
                cursor.execute(
                    f"SELECT {columns} FROM information_schema.{view} "
                    f"WHERE {OWNER.get(view, 'table_schema')} = %s",
                    (database,),
                )
                found[database, view] = sorted(cursor.fetchall(), key=repr)
            for table, *_ in found[database, "tables"]:
                cursor.execute(f"SELECT * FROM {quoted(database)}.{quoted(table)}")
                found[database, f"rows of {table}"] = sorted(cursor.fetchall(), key=repr)
    return found
