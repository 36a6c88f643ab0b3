"""One query of information_schema for several databases, and what its rows become."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from pymysql.err import OperationalError

from ebhook.database.connection import Connection, rows, scalar
from ebhook.database.errno import Errno

_WIDTH = re.compile(r"^(tinyint|smallint|mediumint|int|bigint)\((\d+)\)(?!.*zerofill)")


@dataclass
class Draft:
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
class CatalogQuery:
    """Asks through one connection."""

    connection: Connection
    is_mariadb: bool

    @staticmethod
    def of(connection: Connection) -> CatalogQuery:
        version = str(scalar(connection, "SELECT @@version"))
        return CatalogQuery(connection, "mariadb" in version.lower())

    def each(
        self,
        drafts: dict[str, Draft],
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


def _condition(
    base: str, values: list[str], table: str, only: Collection[str] | None, where: str
) -> tuple[str, list[str]]:
    if only is not None:
        base += f" AND {table} IN ({', '.join(['%s'] * len(only))})"
        values = [*values, *only]
    return (f"{base} AND {where}" if where else base), values


# One spelling for all versions


def type_of(text: str) -> str:
    """MySQL shows no width of integers since 8.0.19, but for tinyint(1)."""
    return _WIDTH.sub(lambda m: m[0] if m[0] == "tinyint(1)" else m[1], text)


def charset_of(text: object) -> str:
    return "utf8mb3" if text == "utf8" else str(text)


def collation_of(text: object) -> str:
    return re.sub(r"^utf8_", "utf8mb3_", str(text)) if text else ""
