"""The columns, keys and options of a table, as CREATE TABLE and ALTER TABLE … ADD have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ebhook.lint.changes.change import Change
from ebhook.lint.changes.columns import AddColumn
from ebhook.lint.changes.keys import AddCheck, AddForeignKey, AddIndex, AddPrimary
from ebhook.lint.schema import show
from ebhook.lint.schema.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    Part,
    Table,
    free_name,
    keyed,
)
from ebhook.lint.sql.definition import column, expression, references
from ebhook.sql.tokens import TokenCursor, Unreadable, text_of_string

_KINDS = {"": "", "FULLTEXT": "fulltext", "SPATIAL": "spatial", "VECTOR": "vector"}
_OPTIONS = frozenset({
    "ENGINE", "TYPE", "AUTO_INCREMENT", "AUTOEXTEND_SIZE", "AVG_ROW_LENGTH", "CHECKSUM", "COLLATE",
    "COMMENT", "COMPRESSION", "CONNECTION", "DELAY_KEY_WRITE", "ENCRYPTION", "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE", "SECONDARY_ENGINE", "INSERT_METHOD", "KEY_BLOCK_SIZE", "MAX_ROWS",
    "MIN_ROWS", "PACK_KEYS", "PASSWORD", "ROW_FORMAT", "STATS_AUTO_RECALC", "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES", "TABLESPACE", "UNION", "STORAGE", "PAGE_CHECKSUM", "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL", "ENCRYPTED", "ENCRYPTION_KEY_ID", "SEQUENCE", "TRANSACTIONAL",
    "WITH_SYSTEM_VERSIONING",
})  # fmt: skip


@dataclass
class Elements:
    """Reads them, from where the cursor stands."""

    cursor: TokenCursor
    inline_keys: bool = field(default=False, kw_only=True)  # REFERENCES in a column makes a key
    maybe: bool = field(default=False, kw_only=True)  # IF EXISTS was read since the last change

    def body(self, table: Table) -> Table:
        """``( columns and keys )`` of CREATE TABLE."""
        cursor = self.cursor
        cursor.expect("(")
        while True:
            found = self.element(table)
            for change in found:
                table = _added(table, change)
            if not cursor.accept(","):
                break
        cursor.expect(")")
        return table

    def element(self, table: Table) -> list[Change]:
        """A column or a key, as CREATE TABLE and ADD have them."""
        cursor = self.cursor
        key = self.key(table)
        if key is not None:
            return [key]
        if cursor.word == "PERIOD" and cursor.ahead(1) == "FOR":
            cursor.skip_until(",", ")")
            return []
        found = column(cursor)
        changes: list[Change] = [AddColumn(table.name, found)]
        if found.references is not None and self.inline_keys:
            made = replace(found.references, name=_free_key_name(table), columns=(found.name,))
            changes.append(AddForeignKey(table.name, made))
        if found.check:
            name = f"{table.name}_chk_{len(table.checks) + 1}"
            changes.append(AddCheck(table.name, Check(name, found.text)))
        return changes

    def key(self, table: Table) -> Change | None:
        """A key or a constraint; None when a column is next."""
        cursor = self.cursor
        name = ""
        if cursor.accept("CONSTRAINT"):
            named = cursor.word not in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK")
            name = cursor.name() if named else ""
        else:
            quoted = cursor.token is not None and cursor.token.kind == "name"
            if quoted or not self.at_key():
                return None
        match cursor.next().word:
            case "PRIMARY":
                cursor.expect("KEY")
                if cursor.word not in ("(", "USING", "TYPE"):
                    cursor.name()  # which the server reads, and forgets
                self.index_type()
                return AddPrimary(table.name, tuple(p.name for p in self.parts_and_options()))
            case "UNIQUE":
                cursor.accept_any("KEY", "INDEX")
                return AddIndex(table.name, self.index(table, "UNIQUE", name))
            case "FOREIGN":
                cursor.expect("KEY")
                return AddForeignKey(table.name, self.foreign_key(table, name))
            case "CHECK":
                start = cursor.at - 1
                expression(cursor)
                if cursor.accept("NOT"):
                    cursor.expect("ENFORCED")
                cursor.accept("ENFORCED")
                text = cursor.since(start)
                name = name or f"{table.name}_chk_{len(table.checks) + 1}"
                return AddCheck(table.name, Check(name, text))
            case "FULLTEXT" | "SPATIAL" | "VECTOR" as kind:
                cursor.accept_any("KEY", "INDEX")
                return AddIndex(table.name, self.index(table, kind))
            case "KEY" | "INDEX":
                return AddIndex(table.name, self.index(table, ""))
        cursor.at -= 1
        raise cursor.unexpected()

    def at_key(self) -> bool:
        cursor = self.cursor
        after = cursor.ahead(1)
        match cursor.word:
            case "PRIMARY" | "FOREIGN":
                return after == "KEY"
            case "CHECK":
                return after == "("
            case "UNIQUE" | "FULLTEXT" | "SPATIAL" | "VECTOR" | "KEY" | "INDEX":
                return True
        return False

    def index(self, table: Table, kind: str, name: str = "") -> Index:
        cursor = self.cursor
        self.if_exists()
        if cursor.word not in ("(", "USING"):
            name = cursor.name() or name
        self.index_type()
        index = self.index_parts(name, kind)
        return index if name else replace(index, name=free_name(table, index.parts[0].name))

    def index_parts(self, name: str, kind: str) -> Index:
        parts = self.parts_and_options()
        unique = kind == "UNIQUE"
        return Index(name, parts, unique, _KINDS["" if unique else kind])  # type: ignore[arg-type]

    def parts_and_options(self) -> tuple[Part, ...]:
        cursor = self.cursor
        parts = tuple(one for one in cursor.listed(self.part) if isinstance(one, Part))
        while True:
            if cursor.accept_any("KEY_BLOCK_SIZE", "COMMENT", "ENGINE_ATTRIBUTE"):
                cursor.accept("=")
                cursor.next()
            elif cursor.accept("WITH", "PARSER"):
                cursor.name()
            elif cursor.accept_any("VISIBLE", "INVISIBLE", "IGNORED"):
                pass
            elif cursor.word == "NOT" and cursor.ahead(1) == "IGNORED":
                cursor.at += 2
            elif cursor.word == "USING":
                self.index_type()
            else:
                return parts

    def part(self) -> Part:
        cursor = self.cursor
        if cursor.word == "(":
            start = cursor.at
            cursor.skip_group()
            found = Part(cursor.since(start), expression=True)
        else:
            name, length = cursor.name(), None
            if cursor.accept("("):
                length = int(cursor.next().text)
                cursor.expect(")")
            found = Part(name, length)
        cursor.accept_any("ASC", "DESC")
        return found

    def index_type(self) -> None:
        if self.cursor.accept_any("USING", "TYPE"):
            self.cursor.name()

    def foreign_key(self, table: Table, name: str) -> ForeignKey:
        cursor = self.cursor
        self.if_exists()
        if cursor.word != "(":
            name = name or cursor.name()
        columns = cursor.names()
        cursor.expect("REFERENCES")
        found = references(cursor, name, columns)
        return found if name else replace(found, name=_free_key_name(table))

    # Table options

    def options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        while (pair := self.option()) is not None:
            options[pair[0]] = pair[1]
            self.cursor.accept(",")
        return options

    def option(self) -> tuple[str, str] | None:
        """One table option; None when something else is next."""
        cursor, start = self.cursor, self.cursor.at
        cursor.accept("DEFAULT")
        if cursor.accept("CHARACTER", "SET") or cursor.accept_any("CHARSET"):
            name = "charset"
        elif cursor.word in _OPTIONS:
            name = cursor.next().word.lower()
        elif cursor.word in ("DATA", "INDEX") and cursor.ahead(1) == "DIRECTORY":
            cursor.at += 2
            name = "directory"
        else:
            cursor.at = start
            return None
        cursor.accept("=")
        if cursor.word == "(":
            first = cursor.at
            cursor.skip_group()
            return name, cursor.since(first)
        token = cursor.next()
        value = text_of_string(token) if token.kind == "string" else token.text.strip("`")
        if name in ("charset", "collate", "engine", "row_format"):
            value = value.lower()
        return name, value

    def if_exists(self) -> bool:
        found = self.cursor.accept("IF", "NOT", "EXISTS") or self.cursor.accept("IF", "EXISTS")
        self.maybe = self.maybe or found
        return found


def _free_key_name(table: Table) -> str:
    return f"{table.name}_ibfk_{len(table.foreign_keys) + 1}"


def _added(table: Table, change: Change) -> Table:
    """`table`, in the making, with one more column or key."""
    match change:
        case AddColumn():
            return keyed(replace(table, columns=(*table.columns, change.column)), change.column)
        case AddIndex():
            return replace(table, indexes=(*table.indexes, change.index))
        case AddPrimary():
            return replace(table, primary=change.columns)
        case AddForeignKey():
            return replace(table, foreign_keys=(*table.foreign_keys, change.key))
        case AddCheck():
            return replace(table, checks=(*table.checks, change.check))
    raise Unreadable("a definition that is none")


def elements(added: Table, table: Table) -> Iterator[Change]:
    """The changes of ``ADD (columns and keys)``."""
    for one in added.columns:
        text = one.text
        if one.key == "unique":
            text = re.sub(r"\s+UNIQUE(\s+KEY)?\b", "", text, count=1, flags=re.I)
        yield AddColumn(table.name, _bare(one), clause=f"ADD COLUMN {text}")
    for index in added.indexes:
        yield AddIndex(table.name, index, clause=f"ADD {show.index(index)}")
    for key in added.foreign_keys:
        yield AddForeignKey(table.name, key, clause=f"ADD {show.foreign_key(key)}")
    for check in added.checks:
        text = f"ADD CONSTRAINT {check.name} {check.text}"
        yield AddCheck(table.name, check, clause=text)


def _bare(column: Column) -> Column:
    return replace(column, key=None) if column.key == "unique" else column
