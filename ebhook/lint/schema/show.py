"""A table as the server shows it: what SQLAlchemy's reflection asks for."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.schema.schema import Column, ForeignKey, Index, Part, Table


def create_table(table: Table) -> str:
    """SHOW CREATE TABLE, in the server's own layout."""
    lines = [f"  {column(one)}" for one in table.columns]
    if table.primary:
        lines.append(f"  PRIMARY KEY ({','.join(map(_quoted, table.primary))})")
    lines.extend(f"  {index(one)}" for one in table.indexes)
    lines.extend(f"  {foreign_key(one)}" for one in table.foreign_keys)
    lines.extend(f"  CONSTRAINT {_quoted(one.name)} {one.text}" for one in table.checks)
    body = ",\n".join(lines)
    return f"CREATE TABLE {_quoted(table.name)} (\n{body}\n) {' '.join(_options(table))}"


def describe(table: Table) -> list[tuple[object, ...]]:
    """DESCRIBE: Field, Type, Null, Key, Default, Extra."""
    return [
        (
            one.name,
            _type(one),
            "YES" if one.nullable else "NO",
            _key(table, one),
            one.default.text.strip("'") if one.default else None,
            "auto_increment" if one.auto_increment else "",
        )
        for one in table.columns
    ]


def show_index(table: Table) -> list[tuple[object, ...]]:
    """SHOW INDEX: Table, Non_unique, Key_name, Seq_in_index, Column_name, …"""
    primary = Index("PRIMARY", tuple(Part(name) for name in table.primary), unique=True)
    return [
        (table.name, int(not one.unique), one.name, at, part.name, "A", 0, part.length, None)
        for one in ((primary, *table.indexes) if table.primary else table.indexes)
        for at, part in enumerate(one.parts, start=1)
    ]


def column(one: Column) -> str:
    """A column's definition."""
    if one.generated:
        return one.text  # as it was written
    parts = [_quoted(one.name), _type(one)]
    if one.type.charset:
        parts.append(f"CHARACTER SET {one.type.charset}")
    if one.type.collation:
        parts.append(f"COLLATE {one.type.collation}")
    if not one.nullable:
        parts.append("NOT NULL")
    if one.default is not None:
        text = one.default.text
        plain = one.default.kind == "literal" and not text.startswith(("'", '"', "("))
        parts.append(f"DEFAULT '{text}'" if plain else f"DEFAULT {text}")
    elif one.nullable and not one.auto_increment:
        parts.append("DEFAULT NULL")
    if one.auto_increment:
        parts.append("AUTO_INCREMENT")
    if one.on_update:
        parts.append(f"ON UPDATE {one.on_update}")
    if one.comment:
        quoted = one.comment.replace("'", "''")
        parts.append(f"COMMENT '{quoted}'")
    return " ".join(parts)


def _type(column: Column) -> str:
    kind = column.type
    text = kind.name
    if kind.arguments:
        text += f"({','.join(kind.arguments)})"
    return f"{text} unsigned" if kind.unsigned else text


def _key(table: Table, column: Column) -> str:
    name = column.name.lower()
    if name in map(str.lower, table.primary):
        return "PRI"
    first = [index for index in table.indexes if index.columns[:1] == (name,)]
    return (
        "UNI" if any(one.unique and len(one.parts) == 1 for one in first) else "MUL" * bool(first)
    )


def index(one: Index) -> str:
    """A key, as CREATE TABLE and ADD have it."""
    parts = ",".join(
        part.name
        if part.expression
        else _quoted(part.name) + (f"({part.length})" * bool(part.length))
        for part in one.parts
    )
    kind = "UNIQUE" if one.unique else one.kind.upper()
    return f"{kind} KEY {_quoted(one.name)} ({parts})".lstrip()


def foreign_key(key: ForeignKey) -> str:
    """A foreign key, as CREATE TABLE and ADD have it."""
    text = (
        f"CONSTRAINT {_quoted(key.name)} FOREIGN KEY ({_names(key.columns)}) "
        f"REFERENCES {_quoted(key.table)} ({_names(key.referred)})"
    )
    text += f" ON DELETE {key.on_delete}" * bool(key.on_delete)
    return text + f" ON UPDATE {key.on_update}" * bool(key.on_update)


def _options(table: Table) -> Iterator[str]:
    options = {"engine": "InnoDB", "charset": "utf8mb4", **table.options}
    yield f"ENGINE={options['engine']}"
    yield f"DEFAULT CHARSET={options['charset']}"
    if "collate" in options:
        yield f"COLLATE={options['collate']}"
    if options.get("comment"):
        quoted = options["comment"].replace("'", "''")
        yield f"COMMENT='{quoted}'"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
