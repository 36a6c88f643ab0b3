"""The schemas of several databases from information_schema: one query for each kind of thing.

The parts are written as SHOW CREATE writes them, in one spelling for all versions of a server, so that tenants
on different servers can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ebhook.database.connection import Connection, quoted
from ebhook.drift.catalog_code import read_events, read_routines, read_triggers, read_views
from ebhook.drift.catalog_keys import (
    read_checks,
    read_foreign_keys,
    read_indexes,
    read_partitions,
)
from ebhook.drift.catalog_query import CatalogQuery, Draft, charset_of, collation_of, type_of
from ebhook.drift.snapshot import Snapshot, TableSnapshot

# The privileges of which one is needed to see a kind of thing; without it the server leaves it out.
_SEEN_WITH = {
    "views": {"SHOW VIEW"},
    "triggers": {"TRIGGER"},
    "events": {"EVENT"},
    "routines": {"EXECUTE", "ALTER ROUTINE", "CREATE ROUTINE", "SHOW_ROUTINE"},
}
_NO_TABLE = ("VIEW", "SYSTEM VIEW")


def unseen_by(privileges: Collection[str]) -> frozenset[str]:
    """The kinds of things that a login with these privileges is not shown."""
    return frozenset(kind for kind, any_of in _SEEN_WITH.items() if any_of.isdisjoint(privileges))


@dataclass(frozen=True)
class CatalogReader:
    """Reads schemas through one connection."""

    query: CatalogQuery

    @staticmethod
    def of(connection: Connection) -> CatalogReader:
        return CatalogReader(CatalogQuery.of(connection))

    def read(
        self,
        schemas: Sequence[str],
        *,
        ignore: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> dict[str, Snapshot]:
        """Schema → what it has.

        Args:
            schemas: as the server spells them.
            ignore: tables to leave out.
            only: these tables, with their triggers, and nothing else.
        """
        drafts = {schema: Draft() for schema in schemas}
        if not schemas or (only is not None and not only):
            return {schema: Snapshot({}, {}, {}) for schema in schemas}
        self._tables(drafts, ignore, only)
        self._columns(drafts, only)
        read_indexes(self.query, drafts, only)
        read_foreign_keys(self.query, drafts, only)
        read_checks(self.query, drafts, only)
        if only is None:
            read_partitions(self.query, drafts)
            self._database(drafts)
            read_views(self.query, drafts)
            read_routines(self.query, drafts)
            read_events(self.query, drafts)
        read_triggers(self.query, drafts, ignore, only)
        return {schema: _finished(draft) for schema, draft in drafts.items()}

    def _tables(
        self, drafts: dict[str, Draft], ignore: Collection[str], only: Collection[str] | None
    ) -> None:
        for draft, name, kind, engine, collation, options, comment in self.query.each(
            drafts,
            "table_name AS name, table_type, engine, table_collation, create_options, table_comment",
            "information_schema.tables",
            only=only,
        ):
            if name in ignore or kind in _NO_TABLE:
                continue
            given = {"ENGINE": engine, "COLLATE": collation_of(collation), "OPTIONS": options}
            given |= {"COMMENT": comment} if comment else {}
            given |= {} if kind == "BASE TABLE" else {"TYPE": kind}
            draft.tables[name] = {key: str(value) for key, value in given.items() if value}
            draft.collations[name] = collation_of(collation)

    def _columns(self, drafts: dict[str, Draft], only: Collection[str] | None) -> None:
        for draft, table, name, _, *cells in self.query.each(
            drafts,
            "table_name AS tab, column_name, ordinal_position AS nth, column_type, collation_name, "
            "is_nullable, column_default, extra, generation_expression, column_comment"
            + ("" if self.query.is_mariadb else ", srs_id"),
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
        parts = [quoted(name), type_of(type)]
        if collation and collation_of(collation) != of_table:
            parts.append(f"COLLATE {collation_of(collation)}")
        if generated:
            parts.append(f"GENERATED ALWAYS AS ({generated})")
        if nullable == "NO":
            parts.append("NOT NULL")
        if default is not None and not generated:
            made = self.query.is_mariadb or "DEFAULT_GENERATED" in extra
            text = default if made else "'" + default.replace("'", "''") + "'"
            parts.append(f"DEFAULT {text}")
        parts.append(extra.replace("DEFAULT_GENERATED", "").strip())
        if srid is not None:
            parts.append(f"SRID {srid}")
        if comment:
            parts.append("COMMENT '" + comment.replace("'", "''") + "'")
        return " ".join(part for part in parts if part)

    def _database(self, drafts: dict[str, Draft]) -> None:
        for draft, charset, collation in self.query.each(
            drafts,
            "default_character_set_name, default_collation_name",
            "information_schema.schemata",
            schema="schema_name",
        ):
            draft.options["DEFAULT CHARSET"] = charset_of(charset)
            draft.options["COLLATE"] = collation_of(collation)


def _finished(draft: Draft) -> Snapshot:
    tables = {
        name: TableSnapshot(draft.columns.get(name, {}), draft.keys.get(name, {}), options)
        for name, options in sorted(draft.tables.items())
    }
    return Snapshot(tables, draft.others, draft.options)
