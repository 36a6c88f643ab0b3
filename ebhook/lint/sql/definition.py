"""A column's definition: its type, its default, and what else stands behind its name."""

from __future__ import annotations

from typing import Any

from ebhook.lint.schema.schema import Column, Default, ForeignKey, Type
from ebhook.sql.tokens import TokenCursor, text_of_string

# Other names for MySQL's own types.
_SAME = {
    "integer": "int", "int4": "int", "int1": "tinyint", "int2": "smallint", "int3": "mediumint",
    "middleint": "mediumint", "int8": "bigint", "dec": "decimal", "numeric": "decimal",
    "fixed": "decimal", "real": "double", "float4": "float", "float8": "double",
    "character": "char", "nchar": "char", "nvarchar": "varchar", "varcharacter": "varchar",
    "long": "mediumtext", "geomcollection": "geometrycollection",
}  # fmt: skip
_NOW = ("CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP")


def column(cursor: TokenCursor) -> Column:
    """The column whose name is next, up to the comma or bracket behind it."""
    start = cursor.at
    name = cursor.name()
    values: dict[str, Any] = {}
    values["type"] = _type(cursor, values)
    while not cursor.ended and cursor.word not in (",", ")", ";"):
        _attribute(cursor, values)
    if values.get("key") == "primary" or values.pop("serial", False):
        values["nullable"] = False
    charset, collation = values.pop("charset", None), values.pop("collation", None)
    told = values.get("default")
    if told is not None and told.kind == "null" and values.get("nullable", True):
        del values["default"]  # as without the word
    kind: Type = values.pop("type")
    if charset or collation:
        kind = Type(kind.name, kind.arguments, kind.unsigned, charset, collation)
    return Column(name, kind, text=cursor.since(start), **values)


def references(cursor: TokenCursor, name: str, columns: tuple[str, ...]) -> ForeignKey:
    """What follows REFERENCES: the table, its columns, and what becomes of the rows."""
    other = cursor.qualified()
    referred = cursor.names() if cursor.word == "(" else ()
    if cursor.accept("MATCH"):
        cursor.next()
    actions = {"DELETE": "", "UPDATE": ""}
    while cursor.word == "ON" and cursor.ahead(1) in actions:
        cursor.at += 1
        event = cursor.next().word
        action = cursor.next().word
        actions[event] = f"{action} {cursor.next().word}" if action in ("SET", "NO") else action
    return ForeignKey(
        name, columns, other, referred, actions["DELETE"], actions["UPDATE"], unnamed=not name
    )


def default(cursor: TokenCursor) -> Default:
    """What follows DEFAULT."""
    start, token = cursor.at, cursor.next()
    if token.word == "(":
        cursor.at = start
        expression(cursor)
        return Default(cursor.since(start), "expression")
    if token.word in _NOW:
        if cursor.word == "(":
            cursor.skip_group()
        return Default(cursor.since(start).upper(), "now")
    if token.word == "NULL":
        return Default("NULL", "null")
    if token.word in ("-", "+"):
        cursor.next()
    if token.kind == "word" and cursor.word == "(":  # MariaDB: a function without brackets
        cursor.skip_group()
        return Default(cursor.since(start), "expression")
    while token.kind == "string" and cursor.token is not None and cursor.token.kind == "string":
        cursor.next()
    if token.kind == "word" and cursor.token is not None and cursor.token.kind == "string":
        cursor.next()  # DATE '2020-01-01'
    return Default(cursor.since(start), "literal")


def expression(cursor: TokenCursor) -> None:
    """Steps over an expression in brackets."""
    if cursor.word != "(":
        raise cursor.unexpected()
    cursor.skip_group()


def _type(cursor: TokenCursor, values: dict[str, Any]) -> Type:
    word = cursor.next()
    if word.kind != "word":
        cursor.at -= 1
        raise cursor.unexpected()
    name = word.text.lower()
    if name == "national":
        name = cursor.next().text.lower()
    if name == "double":
        cursor.accept("PRECISION")
    if name in ("char", "character", "nchar") and cursor.accept("VARYING"):
        name = "varchar"
    if name == "long":
        if cursor.accept("VARBINARY"):
            name = "mediumblob"
        else:
            cursor.accept("VARCHAR")
    if name == "serial":
        values |= {"auto_increment": True, "key": "unique", "serial": True}
        return Type("bigint", unsigned=True)
    if name in ("bool", "boolean"):
        return Type("tinyint", ("1",))
    name = _SAME.get(name, name)
    arguments: tuple[str, ...] = ()
    if cursor.accept("("):
        found = []
        while not cursor.accept(")"):
            token = cursor.next()
            if token.word != ",":
                found.append(token.text)
        arguments = tuple(found)
    marks = set()
    while mark := cursor.accept_any("UNSIGNED", "SIGNED", "ZEROFILL", "BINARY", "ASCII", "UNICODE"):
        marks.add(mark)
    if "ZEROFILL" not in marks:  # which shows as many digits as are said
        name, arguments = _as_kept(name, arguments)
    return Type(name, arguments, bool(marks & {"UNSIGNED", "ZEROFILL"}))


def _as_kept(name: str, arguments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """A type as the server keeps it, so that the same one, said in two ways, is the same."""
    match name:
        case "int" | "bigint" | "smallint" | "mediumint" | "tinyint" | "year":
            return name, arguments if (name, arguments) == ("tinyint", ("1",)) else ()
        case "float" if len(arguments) == 1 and arguments[0].isdigit():
            return "double" if int(arguments[0]) > 24 else "float", ()
        case "decimal":
            return name, (*(arguments or ("10",)), "0")[:2]
        case "char" | "binary" | "bit" if not arguments:
            return name, ("1",)
        case "datetime" | "timestamp" | "time" if arguments == ("0",):
            return name, ()
    return name, arguments


def _attribute(cursor: TokenCursor, values: dict[str, Any]) -> None:
    """One word or two behind the type."""
    if cursor.accept("NOT", "NULL"):
        values["nullable"] = False
    elif cursor.accept("NULL"):
        values["nullable"] = True
    elif cursor.accept("DEFAULT"):
        values["default"] = default(cursor)
    elif cursor.accept("ON", "UPDATE"):
        start = cursor.at
        default(cursor)
        values["on_update"] = cursor.since(start).upper()
    elif cursor.accept("AUTO_INCREMENT"):
        values["auto_increment"] = True
    elif cursor.accept("PRIMARY"):
        cursor.accept("KEY")
        values["key"] = "primary"
    elif cursor.accept("UNIQUE"):
        cursor.accept("KEY")
        values["key"] = "unique"
    elif cursor.accept("KEY"):
        values["key"] = "primary"
    elif cursor.accept("COMMENT"):
        values["comment"] = text_of_string(cursor.next())
    elif cursor.accept("CHARACTER", "SET") or cursor.accept("CHARSET"):
        values["charset"] = cursor.next().text.strip("'\"`").lower()
    elif cursor.accept("COLLATE"):
        cursor.accept("=")
        values["collation"] = cursor.next().text.strip("'\"`").lower()
    elif cursor.accept("GENERATED", "ALWAYS") or cursor.word == "AS":
        cursor.expect("AS")
        if cursor.accept("ROW"):  # MariaDB: from when, or until when, a row holds
            cursor.next()
            values["generated"] = "stored"
            return
        if cursor.accept("IDENTITY"):
            values["auto_increment"] = True
            return
        expression(cursor)
        stored = cursor.accept_any("VIRTUAL", "STORED", "PERSISTENT") in ("STORED", "PERSISTENT")
        values["generated"] = "stored" if stored else "virtual"
    elif cursor.accept("REFERENCES"):
        values["references"] = references(cursor, "", ())
    elif cursor.word == "CHECK" or (cursor.word == "CONSTRAINT"):
        if cursor.accept("CONSTRAINT") and cursor.word != "CHECK":
            cursor.name()
        cursor.expect("CHECK")
        expression(cursor)
        if not cursor.accept("NOT", "ENFORCED"):
            cursor.accept("ENFORCED")
        values["check"] = True
    elif cursor.accept("FIRST"):
        values["place"] = "first"
    elif cursor.accept("AFTER"):
        values["place"] = cursor.name()
    elif cursor.accept_any("COLUMN_FORMAT", "STORAGE", "ENGINE_ATTRIBUTE", "SRID", "REF_SYSTEM_ID"):
        cursor.accept("=")
        cursor.next()
    elif cursor.accept("WITHOUT", "SYSTEM") or cursor.accept("WITH", "SYSTEM"):
        cursor.expect("VERSIONING")
    elif cursor.accept("COMPRESSED"):
        if cursor.word == "=":
            cursor.at += 2
    elif not cursor.accept_any("VISIBLE", "INVISIBLE", "BINARY"):
        raise cursor.unexpected()
