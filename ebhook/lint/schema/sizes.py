"""How many bytes columns, rows and keys may take, and how many the server allows.

From MySQL's manual, "Limits on Table Column Count and Row Size" and "InnoDB Limits".
"""

from __future__ import annotations

from ebhook.lint.schema.schema import Column, Index, Table

MOST_COLUMNS = 1017
MOST_INDEXES = 64
MOST_PARTS = 16
LONGEST_ROW = 65_535

_BYTES = {
    "tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8, "float": 4, "double": 8,
    "date": 3, "time": 3, "datetime": 5, "timestamp": 4, "year": 1,
    "tinyblob": 9, "tinytext": 9, "blob": 10, "text": 10, "mediumblob": 11, "mediumtext": 11,
    "longblob": 12, "longtext": 12, "json": 12, "geometry": 12, "point": 12, "linestring": 12,
    "polygon": 12, "multipoint": 12, "multilinestring": 12, "multipolygon": 12,
    "geometrycollection": 12, "uuid": 16, "inet6": 16, "inet4": 4,
}  # fmt: skip
_ENDLESS = frozenset({
    "tinyblob", "tinytext", "blob", "text", "mediumblob", "mediumtext", "longblob", "longtext",
    "json",
})  # fmt: skip
_WIDTHS = {"latin1": 1, "ascii": 1, "binary": 1, "utf8": 3, "utf8mb3": 3, "ucs2": 2}


def column(one: Column, table: Table) -> int:
    """The bytes of a column in a row; a TEXT's own text is elsewhere."""
    kind = one.type
    length = int(kind.arguments[0]) if kind.arguments and kind.arguments[0].isdigit() else None
    match kind.name:
        case "varchar" | "varbinary":
            size = (length or 0) * (width(one, table) if kind.name == "varchar" else 1)
            return size + (1 if size < 256 else 2)
        case "char":
            return (length or 1) * width(one, table)
        case "binary":
            return length or 1
        case "decimal":
            return _decimal(length or 10, int(kind.arguments[1]) if len(kind.arguments) > 1 else 0)
        case "enum":
            return 1 if len(kind.arguments) < 256 else 2
        case "set":
            return min(8, (len(kind.arguments) + 7) // 8)
        case "bit":
            return ((length or 1) + 7) // 8
        case "datetime" | "timestamp" | "time":
            return _BYTES[kind.name] + ((length or 0) + 1) // 2
    return _BYTES.get(kind.name, 0)


def row(table: Table) -> int:
    """The most bytes that a row can have."""
    nullable = sum(one.nullable for one in table.columns)
    return sum(column(one, table) for one in table.columns) + (nullable + 7) // 8


def key(table: Table, index: Index) -> int:
    """The most bytes that a row's entry in an index can have."""
    return sum(_part(table, index, at) for at in range(len(index.parts)))


def longest_key(table: Table) -> int:
    """The longest entry that an index takes."""
    return 767 if table.options.get("row_format") in ("compact", "redundant") else 3072


def without_length(table: Table, index: Index) -> str | None:
    """A TEXT or BLOB column that is in an index as a whole."""
    if index.kind:
        return None
    for part in index.parts:
        found = table.column(part.name)
        if found is not None and found.type.name in _ENDLESS and part.length is None:
            return found.name
    return None


def _part(table: Table, index: Index, at: int) -> int:
    part = index.parts[at]
    found = table.column(part.name)
    if found is None or index.kind:
        return 0
    if found.type.name in _ENDLESS or part.length is not None:
        wide = width(found, table) if "blob" not in found.type.name else 1
        return (part.length or 0) * wide
    size = column(found, table)
    return size - (1 if size < 257 else 2) if found.type.name.startswith("var") else size


def width(one: Column, table: Table) -> int:
    """The bytes of a character."""
    charset = one.type.charset or (one.type.collation or "").partition("_")[0]
    charset = charset or table.options.get("charset") or ""
    charset = charset or table.options.get("collate", "").partition("_")[0]
    return _WIDTHS.get(charset, 4)


def _decimal(digits: int, after: int) -> int:
    def half(count: int) -> int:
        return count // 9 * 4 + (0, 1, 1, 2, 2, 3, 3, 4, 4)[count % 9]

    return half(max(digits - after, 0)) + half(after)
