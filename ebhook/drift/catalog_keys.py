"""Keys and constraints from information_schema, as SHOW CREATE TABLE writes them."""

from __future__ import annotations

from collections.abc import Collection

from ebhook.database.connection import quoted
from ebhook.drift.catalog_query import CatalogQuery, Draft


def read_indexes(
    query: CatalogQuery, drafts: dict[str, Draft], only: Collection[str] | None
) -> None:
    ours = "NULL, ignored" if query.is_mariadb else "expression, is_visible"
    found: dict[tuple[int, str, str], tuple[Draft, list[str], str, str]] = {}
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
    ) in query.each(
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
            if seen == ("NO" if query.is_mariadb else "YES")
            else (" IGNORED" if query.is_mariadb else " INVISIBLE")
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


def read_foreign_keys(
    query: CatalogQuery, drafts: dict[str, Draft], only: Collection[str] | None
) -> None:
    rules = {
        (id(draft), table, name): (changed, gone)
        for draft, table, name, changed, gone in query.each(
            drafts,
            "table_name AS tab, constraint_name, update_rule, delete_rule",
            "information_schema.referential_constraints",
            schema="constraint_schema",
            only=only,
        )
    }
    if not rules:
        return
    found: dict[tuple[int, str, str], tuple[Draft, list[str], list[str], str]] = {}
    for draft, table, name, _, column, same, schema, to, other in query.each(
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


def read_checks(
    query: CatalogQuery, drafts: dict[str, Draft], only: Collection[str] | None
) -> None:
    if query.is_mariadb:
        found = query.each(
            drafts,
            "table_name, constraint_name, check_clause, 'YES'",
            "information_schema.check_constraints",
            schema="constraint_schema",
            only=only,
        )
    else:
        found = query.each(
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


def read_partitions(query: CatalogQuery, drafts: dict[str, Draft]) -> None:
    some = {
        schema: draft
        for schema, draft in drafts.items()
        if any("partitioned" in one.get("OPTIONS", "") for one in draft.tables.values())
    }
    if not some:
        return
    for draft, table, _, name, method, expression, value in query.each(
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
