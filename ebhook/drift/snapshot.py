"""A database's schema as values: what SHOW CREATE says, cut into columns, keys and options."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ebhook.database.connection import Connection, quoted, rows

_PART = re.compile(r"  (?:(CONSTRAINT|(?:[A-Z]+ )?KEY|PRIMARY KEY|PERIOD)? ?)(?:`((?:[^`]|``)+)`)?")
_OPTION = re.compile(r"([A-Z][A-Z_ ]*?)=('(?:[^']|'')*'|\S+)")


@dataclass(frozen=True)
class TableSnapshot:
    """A base table. `columns` are in order; `keys` holds constraints, too; all by name."""

    columns: Mapping[str, str]
    keys: Mapping[str, str]
    options: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """`others` are views, triggers, routines and events: ``{"view active_cases": "CREATE …"}``."""

    tables: Mapping[str, TableSnapshot]
    others: Mapping[str, str]
    options: Mapping[str, str]  # of the database itself

    def changed(self, other: Snapshot) -> frozenset[str]:
        """The tables that are in both or in one, and not the same; with a trigger that changed."""
        names = self.tables.keys() | other.tables.keys()
        tables = {name for name in names if self.tables.get(name) != other.tables.get(name)}
        for name in self.others.keys() | other.others.keys():
            if self.others.get(name) != other.others.get(name):
                text = self.others.get(name) or other.others[name]
                on = re.search(r" ON `((?:[^`]|``)+)` ", text)
                if name.startswith("trigger ") and on:
                    tables.add(on[1].replace("``", "`"))
        return frozenset(tables)


def take(connection: Connection, database: str, ignore: Collection[str]) -> Snapshot:
    """Reads the schema of `database`, less the tables in `ignore`. Ends the transaction."""
    tables, others = {}, {}
    for name, kind in rows(
        connection,
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s",
        database,
    ):
        if name in ignore:
            continue
        where = f"{quoted(database)}.{quoted(name)}"
        if kind == "VIEW":
            text = str(rows(connection, f"SHOW CREATE VIEW {where}")[0][1])
            # Who made it, and in which database, says nothing of what it is.
            text = re.sub(r" DEFINER=\S+", "", text).replace(f"{quoted(database)}.", "")
            others[f"view {name}"] = text
        else:
            tables[str(name)] = parse(str(rows(connection, f"SHOW CREATE TABLE {where}")[0][1]))
    others.update(_routines(connection, database, ignore))
    (options,) = rows(
        connection,
        "SELECT default_character_set_name, default_collation_name "
        "FROM information_schema.schemata WHERE schema_name = %s",
        database,
    )
    connection.rollback()
    charset, collation = map(str, options)
    return Snapshot(tables, others, {"DEFAULT CHARSET": charset, "COLLATE": collation})


def _routines(
    connection: Connection, database: str, ignore: Collection[str]
) -> Iterator[tuple[str, str]]:
    for name, timing, event, table, body in rows(
        connection,
        "SELECT trigger_name, action_timing, event_manipulation, event_object_table, "
        "action_statement FROM information_schema.triggers WHERE trigger_schema = %s",
        database,
    ):
        if table not in ignore:
            yield f"trigger {name}", f"{timing} {event} ON {quoted(str(table))} {body}"
    for name, kind, body in rows(
        connection,
        "SELECT routine_name, routine_type, routine_definition FROM information_schema.routines "
        "WHERE routine_schema = %s",
        database,
    ):
        yield f"{str(kind).lower()} {name}", str(body)
    for name, body in rows(
        connection,
        "SELECT event_name, event_definition FROM information_schema.events "
        "WHERE event_schema = %s",
        database,
    ):
        yield f"event {name}", str(body)


def parse(text: str) -> TableSnapshot:
    """What SHOW CREATE TABLE says: one part a line, then the options."""
    columns: dict[str, str] = {}
    keys: dict[str, str] = {}
    lines = text.splitlines()
    end = next((n for n, line in enumerate(lines) if line.startswith(")")), len(lines))
    for line in lines[1:end]:
        found = _PART.match(line)
        part = line.strip().removesuffix(",")
        if found is None or not (found[1] or found[2]):
            keys[part] = part
        elif found[1]:
            keys[found[2] or found[1]] = part
        else:
            columns[found[2].replace("``", "`")] = part
    rest = " ".join(lines[end:]).removeprefix(")").strip()
    options = {name.strip(): value for name, value in _OPTION.findall(rest)}
    options.pop("AUTO_INCREMENT", None)
    partitions = re.search(r"(?:/\*!\d+ )?PARTITION BY .*", rest)
    if partitions:
        options["PARTITION BY"] = partitions[0]
    return TableSnapshot(columns, keys, options)
