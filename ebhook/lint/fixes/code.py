"""Alembic code for a change: what a correction puts where there is nothing of the user's to reuse."""

from __future__ import annotations

from ebhook.lint.schema.schema import Column, Default, Type

_PLAIN = {
    "int": "Integer", "bigint": "BigInteger", "smallint": "SmallInteger", "text": "Text",
    "date": "Date", "json": "JSON",
}  # fmt: skip
_TIMES = {"datetime": "DateTime", "time": "Time", "timestamp": "TIMESTAMP"}


def quoted(text: str, like: str = '"') -> str:
    """`text` as a Python string, with the quotes of `like`."""
    if like.startswith("'"):
        return repr(text)
    if "\n" in text and '"""' not in text:
        return '"""' + text.replace("\\", "\\\\") + '"""'
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def type_code(kind: Type) -> str:
    """``sa.String(20)``; MySQL's own types from ``sqlalchemy.dialects.mysql``."""
    arguments = ", ".join(kind.arguments)
    own = kind.unsigned or kind.charset or kind.collation
    if kind.name == "tinyint" and kind.arguments == ("1",):
        return "sa.Boolean()"
    if not own:
        if kind.name in _PLAIN and not arguments:
            return f"sa.{_PLAIN[kind.name]}()"
        if kind.name in _TIMES and not arguments:
            return f"sa.{_TIMES[kind.name]}()"
        if kind.name == "varchar" and arguments:
            return f"sa.String({arguments})"
        if kind.name == "decimal":
            return f"sa.Numeric({arguments})"
        if kind.name == "enum":
            return f"sa.Enum({', '.join(quoted(one[1:-1]) for one in kind.arguments)})"
    more = [arguments] if arguments else []
    if kind.name in ("int", "bigint", "smallint", "mediumint", "tinyint") and arguments:
        more = [f"display_width={arguments}"]
    if kind.name in ("datetime", "time", "timestamp") and arguments:
        more = [f"fsp={arguments}"]
    if kind.unsigned:
        more.append("unsigned=True")
    if kind.charset:
        more.append(f"charset={quoted(kind.charset)}")
    if kind.collation:
        more.append(f"collation={quoted(kind.collation)}")
    name = {"int": "INTEGER"}.get(kind.name, kind.name.upper())
    return f"mysql.{name}({', '.join(more)})"


def column_code(column: Column, *, name: str | None = None, nullable: bool | None = None) -> str:
    parts = [quoted(name or column.name), type_code(column.type)]
    default = default_code(column.default)
    if default:
        parts.append(f"server_default={default}")
    wanted = column.nullable if nullable is None else nullable
    parts.append(f"nullable={wanted}")
    if column.comment:
        parts.append(f"comment={quoted(column.comment)}")
    return f"sa.Column({', '.join(parts)})"


def default_code(default: Default | None) -> str:
    if default is None or default.kind == "null":
        return ""
    if default.kind == "literal" and default.text.startswith("'"):
        return quoted(default.text[1:-1].replace("''", "'"))
    return f"sa.text({quoted(default.text)})"


def harmless_default(kind: Type) -> str:
    """A server default for a new column of this type; empty when there can be none."""
    match kind.name:
        case "varchar" | "char":
            return '""'
        case "datetime" | "timestamp":
            fraction = f"({kind.arguments[0]})" if kind.arguments else ""
            return f'sa.text("CURRENT_TIMESTAMP{fraction}")'
        case "date":
            return '"1970-01-01"'
        case "enum" if kind.arguments:
            return quoted(kind.arguments[0][1:-1])
        case (
            "int" | "bigint" | "smallint" | "mediumint" | "tinyint" | "decimal" | "float" | "double"
        ):
            return 'sa.text("0")'
        case "bit":
            return "sa.text(\"b'0'\")"
        case "time":
            return '"00:00:00"'
    return ""


def add_column_code(table: str, column: str) -> str:
    return f"op.add_column({quoted(table)}, {column})"


def drop_column_code(table: str, name: str) -> str:
    return f"op.drop_column({quoted(table)}, {quoted(name)})"
