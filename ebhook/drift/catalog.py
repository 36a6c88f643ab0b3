"""The schemas of several databases from information_schema: one query for each kind of thing.

The parts are written as SHOW CREATE writes them, in one spelling for all versions of a server, so that tenants
on different servers can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymysql.err import OperationalError

from ebhook.database.connection import Connection, quoted, rows, scalar
from ebhook.database.errno import Errno
from ebhook.drift.snapshot import Snapshot, TableSnapshot

# The privileges of which one is needed to see a kind of thing; without it the server leaves it out.
_SEEN_WITH = {
    "views": {"SHOW VIEW"},
    "triggers": {"TRIGGER"},
    "events": {"EVENT"},
    "routines": {"EXECUTE", "ALTER ROUTINE", "CREATE ROUTINE", "SHOW_ROUTINE"},
}
_WIDTH = re.compile(r"^(tinyint|smallint|mediumint|int|bigint)\((\d+)\)(?!.*zerofill)")
_NO_TABLE = ("VIEW", "SYSTEM VIEW")


def unseen_by(privileges: Collection[str]) -> frozenset[str]:
    """The kinds of things that a login with these privileges is not shown."""
    return frozenset(kind for kind, any_of in _SEEN_WITH.items() if any_of.isdisjoint(privileges))


@dataclass
class _Draft:
    """One database while its rows come in."""

    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, dict[str, str]] = field(default_factory=dict)  # the options of each
    collations: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    def key(self, table: object, name: str, text: str) -> None:
        if table in self.tables:
            self.keys.setdefault(str(table), {})[name] = text


@dataclass(frozen=True)
class CatalogReader:
    """Reads schemas through one connection.

    Args of `read`: `schemas` as the server spells them; `ignore` are tables to leave out; with `only`, these
    tables alone are read, and nothing but tables.
    """

    connection: Connection
    is_mariadb: bool

    @staticmethod
    def of(connection: Connection) -> CatalogReader:
        version = str(scalar(connection, "SELECT @@version"))
        return CatalogReader(connection, "mariadb" in version.lower())

    def read(
        self,
        schemas: Sequence[str],
        *,
        ignore: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> dict[str, Snapshot]:
        """Schema → what it has."""
        drafts = {schema: _Draft() for schema in schemas}
        if only is not None and not only:
            return {schema: Snapshot({}, {}, {}) for schema in schemas}
        self._tables(drafts, ignore, only)
        self._columns(drafts, only)
        self._indexes(drafts, only)
        self._foreign_keys(drafts, only)
        self._checks(drafts, only)
        if only is None:
            self._partitions(drafts)
            self._database(drafts)
            self._views(drafts)
            self._routines(drafts)
            self._events(drafts)
        self._triggers(drafts, ignore, only)
        return {schema: _finished(draft) for schema, draft in drafts.items()}

    def _each(
        self,
        drafts: dict[str, _Draft],
        what: str,
        source: str,
        *,
        schema: str = "table_schema",
        table: str = "table_name",
        only: Collection[str] | None = None,
        where: str = "",
        order: str = "",
    ) -> Iterator[tuple[Any, ...]]:
        """(draft, values…) of each row of a table of information_schema.

        MariaDB looks a schema up only where it is named by ``=``; for a list it would open every table of the
        server. MySQL reads its own tables, and a list is quicker there.
        """
        values: list[str] = []
        if self.is_mariadb:
            parts = []
            for name in drafts:
                condition, more = _condition(f"{schema} = %s", [name], table, only, where)
                parts.append(f"SELECT {schema} AS place, {what} FROM {source} WHERE {condition}")
                values += more
            sql = " UNION ALL ".join(parts)
        else:
            marks = ", ".join(["%s"] * len(drafts))
            condition, values = _condition(
                f"{schema} IN ({marks})", list(drafts), table, only, where
            )
            sql = f"SELECT {schema} AS place, {what} FROM {source} WHERE {condition}"
        found = rows(self.connection, sql + (f" ORDER BY {order}" if order else ""), *values)
        if self.is_mariadb:
            self._check_that_all_was_seen()
        for place, *cells in found:
            if str(place) in drafts:
                yield drafts[str(place)], *cells

    def _check_that_all_was_seen(self) -> None:
        """MariaDB leaves out what it waited for in vain (a table under a running CREATE … SELECT), with a warning.

        Raises:
            OperationalError: 1205, as a query of the table itself would.
        """
        for _, number, words in rows(self.connection, "SHOW WARNINGS"):
            if number == Errno.LOCK_WAIT_TIMEOUT:
                raise OperationalError(number, words)

    def _tables(
        self, drafts: dict[str, _Draft], ignore: Collection[str], only: Collection[str] | None
    ) -> None:
        for draft, name, kind, engine, collation, options, comment in self._each(
            drafts,
            "table_name AS name, table_type, engine, table_collation, create_options, table_comment",
            "information_schema.tables",
            only=only,
        ):
            if name in ignore or kind in _NO_TABLE:
                continue
            given = {"ENGINE": engine, "COLLATE": _collation(collation), "OPTIONS": options}
            given |= {"COMMENT": comment} if comment else {}
            given |= {} if kind == "BASE TABLE" else {"TYPE": kind}
            draft.tables[name] = {key: str(value) for key, value in given.items() if value}
            draft.collations[name] = _collation(collation)

    def _columns(self, drafts: dict[str, _Draft], only: Collection[str] | None) -> None:
        for draft, table, name, _, *cells in self._each(
            drafts,
            "table_name AS tab, column_name, ordinal_position AS nth, column_type, collation_name, "
            "is_nullable, column_default, extra, generation_expression, column_comment"
            + ("" if self.is_mariadb else ", srs_id"),
            "information_schema.columns",
            only=only,
            order="place, tab, nth",
        ):
            if table in draft.tables:
                text = self._column(name, draft.collations[table], *cells)
                draft.columns.setdefault(table, {})[name] = text

    def _column(
        self,
        name: str,
        of_table: str,
        type: str,
        collation: str | None,
        nullable: str,
        default: str | None,
        extra: str,
        generated: str | None,
        comment: str,
        srid: int | None = None,
    ) -> str:
        parts = [quoted(name), _type(type)]
        if collation and _collation(collation) != of_table:
            parts.append(f"COLLATE {_collation(collation)}")
        if generated:
            parts.append(f"GENERATED ALWAYS AS ({generated})")
        if nullable == "NO":
            parts.append("NOT NULL")
        if default is not None and not generated:
            made = self.is_mariadb or "DEFAULT_GENERATED" in extra
            text = default if made else "'" + default.replace("'", "''") + "'"
            parts.append(f"DEFAULT {text}")
        parts.append(extra.replace("DEFAULT_GENERATED", "").strip())
        if srid is not None:
            parts.append(f"SRID {srid}")
        if comment:
            parts.append("COMMENT '" + comment.replace("'", "''") + "'")
        return " ".join(part for part in parts if part)

    def _indexes(self, drafts: dict[str, _Draft], only: Collection[str] | None) -> None:
        ours = "NULL, ignored" if self.is_mariadb else "expression, is_visible"
        found: dict[tuple[int, str, str], tuple[_Draft, list[str], str, str]] = {}
        for (
            draft,
            table,
            name,
            _,
            unique,
            column,
            length,
            order,
            kind,
            comment,
            made,
            seen,
        ) in self._each(
            drafts,
            "table_name AS tab, index_name AS ind, seq_in_index AS nth, non_unique, column_name, "
            f"sub_part, collation, index_type, index_comment, {ours}",
            "information_schema.statistics",
            only=only,
            order="place, tab, ind, nth",
        ):
            part = f"({made})" if made else quoted(column)
            part += (f"({length})" if length else "") + (" DESC" if order == "D" else "")
            hidden = (
                ""
                if seen == ("NO" if self.is_mariadb else "YES")
                else (" IGNORED" if self.is_mariadb else " INVISIBLE")
            )
            rest = ("" if kind in ("BTREE", "FULLTEXT", "SPATIAL") else f" USING {kind}") + hidden
            rest += " COMMENT '" + comment.replace("'", "''") + "'" if comment else ""
            words = "UNIQUE KEY" if not unique else "KEY"
            words = f"{kind} KEY" if kind in ("FULLTEXT", "SPATIAL") else words
            head = "PRIMARY KEY" if name == "PRIMARY" else f"{words} {quoted(name)}"
            place = id(draft), table, name
            found.setdefault(place, (draft, [], head, rest))[1].append(part)
        for (_, table, name), (draft, parts, head, rest) in found.items():
            draft.key(table, name, f"{head} ({', '.join(parts)}){rest}")

    def _foreign_keys(self, drafts: dict[str, _Draft], only: Collection[str] | None) -> None:
        rules = {
            (id(draft), table, name): (changed, gone)
            for draft, table, name, changed, gone in self._each(
                drafts,
                "table_name AS tab, constraint_name, update_rule, delete_rule",
                "information_schema.referential_constraints",
                schema="constraint_schema",
                only=only,
            )
        }
        if not rules:
            return
        found: dict[tuple[int, str, str], tuple[_Draft, list[str], list[str], str]] = {}
        for draft, table, name, _, column, same, schema, to, other in self._each(
            drafts,
            "table_name AS tab, constraint_name AS con, ordinal_position AS nth, column_name, "
            "referenced_table_schema = table_schema, referenced_table_schema, "
            "referenced_table_name, referenced_column_name",
            "information_schema.key_column_usage",
            only=only,
            where="referenced_table_name IS NOT NULL",
            order="place, tab, con, nth",
        ):
            target = quoted(to) if same else f"{quoted(schema)}.{quoted(to)}"
            one = found.setdefault((id(draft), table, name), (draft, [], [], target))
            one[1].append(quoted(column))
            one[2].append(quoted(other))
        for place, (draft, columns, others, target) in found.items():
            changed, gone = rules.get(place, ("", ""))
            actions = "".join(
                f" ON {when} {rule}"
                for when, rule in (("DELETE", gone), ("UPDATE", changed))
                if rule not in ("", "NO ACTION", "RESTRICT")
            )
            draft.key(
                place[1],
                f"foreign key {place[2]}",
                f"CONSTRAINT {quoted(place[2])} FOREIGN KEY ({', '.join(columns)}) "
                f"REFERENCES {target} ({', '.join(others)}){actions}",
            )

    def _checks(self, drafts: dict[str, _Draft], only: Collection[str] | None) -> None:
        if self.is_mariadb:
            found = self._each(
                drafts,
                "table_name, constraint_name, check_clause, 'YES'",
                "information_schema.check_constraints",
                schema="constraint_schema",
                only=only,
            )
        else:
            found = self._each(
                drafts,
                "t.table_name, c.constraint_name, c.check_clause, t.enforced",
                "information_schema.check_constraints AS c JOIN "
                "information_schema.table_constraints AS t "
                "ON t.constraint_schema = c.constraint_schema "
                "AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK'",
                schema="c.constraint_schema",
                table="t.table_name",
                only=only,
            )
        for draft, table, name, clause, enforced in found:
            text = f"CONSTRAINT {quoted(name)} CHECK ({clause})"
            text += "" if enforced == "YES" else " NOT ENFORCED"
            draft.key(table, f"check {name}", text)

    def _partitions(self, drafts: dict[str, _Draft]) -> None:
        some = {
            schema: draft
            for schema, draft in drafts.items()
            if any("partitioned" in one.get("OPTIONS", "") for one in draft.tables.values())
        }
        if not some:
            return
        for draft, table, _, name, method, expression, value in self._each(
            some,
            "table_name AS tab, partition_ordinal_position AS nth, partition_name, "
            "partition_method, partition_expression, partition_description",
            "information_schema.partitions",
            where="partition_name IS NOT NULL",
            order="place, tab, nth",
        ):
            draft.key(
                table,
                f"partition {name}",
                f"PARTITION {quoted(name)} BY {method} ({expression}) VALUES {value}",
            )

    def _database(self, drafts: dict[str, _Draft]) -> None:
        for draft, charset, collation in self._each(
            drafts,
            "default_character_set_name, default_collation_name",
            "information_schema.schemata",
            schema="schema_name",
        ):
            draft.options["DEFAULT CHARSET"] = _charset(charset)
            draft.options["COLLATE"] = _collation(collation)

    def _views(self, drafts: dict[str, _Draft]) -> None:
        names = {id(draft): schema for schema, draft in drafts.items()}
        for draft, name, text, check, security in self._each(
            drafts,
            "table_name, view_definition, check_option, security_type",
            "information_schema.views",
        ):
            own = f"{quoted(names[id(draft)])}."  # which database says nothing of what it is
            more = "" if check == "NONE" else f" WITH {check} CHECK OPTION"
            draft.others[f"view {name}"] = (
                f"SQL SECURITY {security} {(text or '').replace(own, '')}{more}"
            )

    def _triggers(
        self, drafts: dict[str, _Draft], ignore: Collection[str], only: Collection[str] | None
    ) -> None:
        for draft, name, timing, event, table, nth, body in self._each(
            drafts,
            "trigger_name, action_timing, event_manipulation, event_object_table, action_order, "
            "action_statement",
            "information_schema.triggers",
            schema="event_object_schema",  # by which MariaDB can look up; a trigger is where its table is
            table="event_object_table",
            only=only,
        ):
            if table not in ignore:
                draft.others[f"trigger {name}"] = (
                    f"{timing} {event} ON {quoted(table)} ({nth}) {body}"
                )

    def _routines(self, drafts: dict[str, _Draft]) -> None:
        given: dict[tuple[int, str, str], list[str]] = {}
        for draft, kind, name, nth, mode, parameter, type in self._each(
            drafts,
            "routine_type AS kind, specific_name AS name, ordinal_position AS nth, parameter_mode, "
            "parameter_name, dtd_identifier",
            "information_schema.parameters",
            schema="specific_schema",
            table="specific_name",
            order="place, kind, name, nth",
        ):
            parts = (mode or "", quoted(parameter) if parameter else "", _type(str(type)))
            text = " ".join(part for part in parts if part)
            given.setdefault((id(draft), kind, name), []).append(text if nth else f"RETURNS {text}")
        for draft, kind, name, body, sure, access, security in self._each(
            drafts,
            "routine_type, routine_name, routine_definition, is_deterministic, sql_data_access, "
            "security_type",
            "information_schema.routines",
            schema="routine_schema",
            table="routine_name",
        ):
            words = ", ".join(given.get((id(draft), kind, name), ()))
            about = f"{'DETERMINISTIC ' if sure == 'YES' else ''}{access} SQL SECURITY {security}"
            text = "(its body is not shown to this login)" if body is None else body
            draft.others[f"{kind.lower()} {name}"] = f"({words}) {about} {text}"

    def _events(self, drafts: dict[str, _Draft]) -> None:
        for draft, name, kind, at, every, unit, status, body in self._each(
            drafts,
            "event_name, event_type, execute_at, interval_value, interval_field, status, "
            "event_definition",
            "information_schema.events",
            schema="event_schema",
            table="event_name",
        ):
            when = f"EVERY {every} {unit}" if kind == "RECURRING" else f"AT {at}"
            draft.others[f"event {name}"] = f"{when} {status} DO {body}"


def _condition(
    base: str, values: list[str], table: str, only: Collection[str] | None, where: str
) -> tuple[str, list[str]]:
    if only is not None:
        base += f" AND {table} IN ({', '.join(['%s'] * len(only))})"
        values = [*values, *only]
    return (f"{base} AND {where}" if where else base), values


def _finished(draft: _Draft) -> Snapshot:
    tables = {
        name: TableSnapshot(draft.columns.get(name, {}), draft.keys.get(name, {}), options)
        for name, options in sorted(draft.tables.items())
    }
    return Snapshot(tables, draft.others, draft.options)


# One spelling for all versions


def _type(text: str) -> str:
    """MySQL shows no width of integers since 8.0.19, but for tinyint(1)."""
    return _WIDTH.sub(lambda m: m[0] if m[0] == "tinyint(1)" else m[1], text)


def _charset(text: object) -> str:
    return "utf8mb3" if text == "utf8" else str(text)


def _collation(text: object) -> str:
    return re.sub(r"^utf8_", "utf8mb3_", str(text)) if text else ""
