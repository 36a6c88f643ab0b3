"""DDL statements read into changes: MySQL's and MariaDB's own grammar, clause by clause.

sqlglot gives up on many ALTER TABLE forms (it hands them back as plain text), so definitions are
read here; statements that change data are read by it, in `ebhook.lint.dml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ebhook.lint import show
from ebhook.lint.applying import apply, free_name, keyed, with_implied_indexes
from ebhook.lint.changes import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddIndex,
    AddPrimary,
    AlterThing,
    Change,
    Convert,
    CreateTable,
    CreateThing,
    DropColumn,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
    DropTable,
    DropThing,
    ModifyColumn,
    Opaque,
    Rebuild,
    RenameColumn,
    RenameIndex,
    RenameTable,
    SetDefault,
    SetOption,
    Toggle,
    Truncate,
)
from ebhook.lint.definition import column, default, expression
from ebhook.lint.schema import DATABASE, Check, Column, ForeignKey, Index, Part, Schema, Table
from ebhook.lint.tokens import Cursor, Unreadable, text_of_string

VERBS = frozenset({
    "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK",
})  # fmt: skip

_ROUTINES = ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT")
_KINDS = {"": "", "FULLTEXT": "fulltext", "SPATIAL": "spatial", "VECTOR": "vector"}
_PARTITIONING = frozenset({
    "PARTITION", "REMOVE", "COALESCE", "REORGANIZE", "EXCHANGE", "REBUILD", "REPAIR", "OPTIMIZE",
    "ANALYZE", "CHECK",
})  # fmt: skip


def read(sql: str, schema: Schema) -> tuple[Change, ...]:
    """The changes of one DDL statement, in order.

    `schema` is what stands before it: names that the server chooses depend on it. Raises
    `Unreadable`.
    """
    cursor = Cursor(sql)
    reader = _Reader(cursor, schema)
    reader.statement()
    if not cursor.accept(";") and not cursor.ended:
        raise cursor.unexpected()
    return tuple(reader.found)


@dataclass
class _Reader:
    cursor: Cursor
    schema: Schema
    found: list[Change] = field(default_factory=list)

    def add(self, change: Change, start: int) -> None:
        """`change` happens; the text from token `start` on says so, unless it has its own."""
        change = replace(change, clause=change.clause or self.cursor.since(start))
        self.found.append(change)
        self.schema = apply(change, self.schema)

    def statement(self) -> None:
        cursor, start = self.cursor, self.cursor.at
        verb = cursor.next().word
        match verb:
            case "CREATE":
                self.create()
            case "ALTER":
                self.alter()
            case "DROP":
                self.drop()
            case "RENAME":
                self.rename()
            case "TRUNCATE":
                cursor.accept("TABLE")
                self.add(Truncate(cursor.qualified()), start)
            case "OPTIMIZE" | "REPAIR":
                cursor.accept_any("LOCAL", "NO_WRITE_TO_BINLOG")
                cursor.expect("TABLE")
                for name in self.listed(cursor.qualified):
                    self.add(Rebuild(name, verb), start)
                cursor.skip_until(";")
            case _:
                cursor.skip_until(";")

    # CREATE

    def create(self) -> None:
        cursor, start = self.cursor, self.cursor.at - 1
        again = cursor.accept("OR", "REPLACE")
        temporary = cursor.accept("TEMPORARY")
        if cursor.accept("TABLE"):
            self.create_table(start, temporary, again)
            return
        kind = cursor.accept_any("UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR")
        if cursor.accept("INDEX"):
            self.if_exists()
            name = cursor.name()
            self.index_type()
            cursor.expect("ON")
            table = cursor.qualified()
            index = self.index_parts(name, kind)
            cursor.skip_until(";")
            self.add(AddIndex(table, index), start)
            return
        if kind:
            raise cursor.unexpected()
        self.create_thing(start, again)

    def create_thing(self, start: int, again: bool) -> None:
        cursor = self.cursor
        words = ("VIEW", *_ROUTINES, "DATABASE", "SCHEMA", "USER", "ROLE", "SEQUENCE", "SERVER")
        cursor.skip_until(*words, ";", "TABLESPACE", "AGGREGATE", "UNDO", "LOGFILE", "RESOURCE")
        kind = cursor.accept_any(*words)
        if not kind:
            cursor.skip_until(";")
            self.add(Opaque("CREATE"), start)
            return
        self.if_exists()
        name = cursor.qualified() if cursor.token else ""
        cursor.at = len(cursor.tokens)
        self.add(CreateThing("DATABASE" if kind == "SCHEMA" else kind, name, again), start)

    def create_table(self, start: int, temporary: bool, again: bool) -> None:
        cursor = self.cursor
        maybe = self.if_exists()
        name = cursor.qualified()
        if temporary:
            cursor.skip_until(";")
            return
        if again and self.schema.table(name) is not None:
            self.add(DropTable(name), start)  # MariaDB's CREATE OR REPLACE TABLE
        if cursor.accept("LIKE") or (cursor.word == "(" and cursor.ahead(1) == "LIKE"):
            bracket = cursor.accept("(", "LIKE")
            other = cursor.qualified()
            if bracket:
                cursor.expect(")")
            made = replace(self.schema.at_hand(other), name=name, foreign_keys=(), row_versions=0)
            self.add(CreateTable(name, made, maybe), start)
            return
        table = Table(name)
        if cursor.word == "(" and cursor.ahead(1) not in ("SELECT", "WITH", "VALUES"):
            table = self.body(table)
        options = self.options()
        partitioned = cursor.word == "PARTITION"
        if partitioned:
            cursor.skip_until("SELECT", "AS", "IGNORE", "REPLACE", "WITH", ";")
        filled = not cursor.ended and cursor.word != ";"
        if filled:
            cursor.skip_until(";")
        table = replace(table, options=options, partitioned=partitioned, whole=not filled)
        table = with_implied_indexes(table)
        self.add(CreateTable(name, table, maybe, filled), start)

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
        other = cursor.qualified()
        referred = cursor.names() if cursor.word == "(" else ()
        if cursor.accept("MATCH"):
            cursor.next()
        rules = {"DELETE": "", "UPDATE": ""}
        while cursor.word == "ON" and cursor.ahead(1) in rules:
            cursor.at += 1
            event = cursor.next().word
            rule = cursor.next().word
            rules[event] = f"{rule} {cursor.next().word}" if rule in ("SET", "NO") else rule
        own = name or f"{table.name}_ibfk_{len(table.foreign_keys) + 1}"
        return ForeignKey(
            own, columns, other, referred, rules["DELETE"], rules["UPDATE"], unnamed=not name
        )

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

    # ALTER

    def alter(self) -> None:
        cursor, start = self.cursor, self.cursor.at - 1
        cursor.accept_any("ONLINE", "OFFLINE")
        cursor.accept("IGNORE")
        if not cursor.accept("TABLE"):
            cursor.skip_until("VIEW", *_ROUTINES, "DATABASE", "SCHEMA", "USER", "SEQUENCE", ";")
            kind = cursor.word or "INSTANCE"
            if not cursor.ended:
                cursor.at += 1
            if kind in ("DATABASE", "SCHEMA"):
                self.alter_database(start)
                return
            name = cursor.qualified() if cursor.token else ""
            cursor.at = len(cursor.tokens)
            self.add(AlterThing(kind, name), start)
            return
        self.if_exists()
        table = cursor.qualified()
        if cursor.accept_any("WAIT", "NOWAIT") == "WAIT":
            cursor.next()
        while not cursor.ended and cursor.word != ";":
            self.clause(table)
            cursor.accept(",")

    def alter_database(self, start: int) -> None:
        """The agency's own has no name here: only its defaults are set, for tables to come."""
        cursor = self.cursor
        options = ("DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "ENCRYPTION", "READ", "UPGRADE")
        name = "" if cursor.word in options else cursor.name()
        rest = {cursor.word, cursor.ahead(1)}
        if name == DATABASE and not rest & {"ENCRYPTION", "READ", "UPGRADE"}:
            name = ""
        cursor.at = len(cursor.tokens)
        self.add(AlterThing("DATABASE", name), start)

    def clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        reading = _CLAUSES.get(cursor.word)
        if cursor.word in ("ALGORITHM", "LOCK"):
            cursor.at += 1
            cursor.accept("=")
            cursor.next()
        elif cursor.word in ("ADD", "DROP") and cursor.ahead(1) in ("PARTITION", "SYSTEM"):
            self.rest(table)
        elif reading is not None:
            reading(self, table)
        elif (pair := self.option()) is not None:
            self.add(SetOption(table, *pair), start)
        elif cursor.accept("CONVERT"):
            cursor.expect("TO")
            if not (cursor.accept("CHARACTER", "SET") or cursor.accept("CHARSET")):
                raise cursor.unexpected()
            charset = cursor.next().text.strip("'`\"").lower()
            if cursor.accept("COLLATE"):
                cursor.accept("=")
                cursor.next()
            self.add(Convert(table, charset), start)
        elif cursor.word in _PARTITIONING or cursor.word == "ORDER":
            self.rest(table)
        elif cursor.word in ("FORCE", "DISCARD", "IMPORT"):
            cursor.skip_until(",", ";")
            self.add(Rebuild(table, cursor.since(start)), start)
        elif cursor.word in ("ENABLE", "DISABLE", "WITH", "WITHOUT"):
            cursor.skip_until(",", ";")
            self.add(Toggle(table, cursor.since(start)), start)
        else:
            raise cursor.unexpected()

    def rest(self, table: str) -> None:
        """A clause that goes on to the end: partitions, ORDER BY."""
        start = self.cursor.at
        self.cursor.skip_until(";")
        self.add(Rebuild(table, self.cursor.since(start)), start)

    def add_clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        cursor.expect("ADD")
        known = self.schema.at_hand(table)
        key = self.key(known)
        if key is not None:
            self.add(key, start)
            return
        cursor.accept("COLUMN")
        self.if_exists()
        if cursor.word == "(":
            for change in _elements(self.body(Table(table)), known):
                self.add(change, start)
            return
        for change in self.element(known):
            self.add(change, start)

    def drop_clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        cursor.expect("DROP")
        change: Change
        if cursor.accept("PRIMARY", "KEY"):
            change = DropPrimary(table)
        elif cursor.accept("FOREIGN", "KEY"):
            self.if_exists()
            change = DropForeignKey(table, cursor.name())
        elif cursor.accept_any("INDEX", "KEY"):
            self.if_exists()
            change = DropIndex(table, cursor.name())
        elif cursor.accept_any("CHECK", "CONSTRAINT"):
            self.if_exists()
            change = DropConstraint(table, cursor.name())
        else:
            cursor.accept("COLUMN")
            self.if_exists()
            change = DropColumn(table, cursor.name())
            cursor.accept_any("RESTRICT", "CASCADE")
        self.add(change, start)

    def modify_clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        verb = cursor.next().word
        cursor.accept("COLUMN")
        self.if_exists()
        old = cursor.name() if verb == "CHANGE" else None
        found = column(cursor)
        self.add(ModifyColumn(table, old or found.name, found), start)

    def alter_clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        cursor.expect("ALTER")
        if cursor.accept_any("INDEX", "KEY", "CHECK", "CONSTRAINT"):
            cursor.skip_until(",", ";")
            self.add(Toggle(table, cursor.since(start)), start)
            return
        cursor.accept("COLUMN")
        name = cursor.name()
        if cursor.accept("DROP", "DEFAULT"):
            self.add(SetDefault(table, name, None), start)
        elif cursor.accept("SET", "DEFAULT"):
            found = default(cursor)
            self.add(SetDefault(table, name, found), start)
        else:
            cursor.expect("SET")
            cursor.skip_until(",", ";")
            self.add(Toggle(table, cursor.since(start)), start)

    def rename_clause(self, table: str) -> None:
        cursor, start = self.cursor, self.cursor.at
        cursor.expect("RENAME")
        if cursor.accept("COLUMN"):
            old = cursor.name()
            cursor.expect("TO")
            self.add(RenameColumn(table, old, cursor.name()), start)
        elif cursor.word in ("INDEX", "KEY") and cursor.ahead(2) == "TO":
            cursor.at += 1
            old = cursor.name()
            cursor.expect("TO")
            self.add(RenameIndex(table, old, cursor.name()), start)
        else:
            cursor.accept_any("TO", "AS")
            cursor.accept("=")
            self.add(RenameTable(table, cursor.qualified()), start)

    # DROP, RENAME

    def drop(self) -> None:
        cursor, start = self.cursor, self.cursor.at - 1
        temporary = cursor.accept("TEMPORARY")
        if cursor.accept_any("TABLE", "TABLES"):
            self.if_exists()
            for name in self.listed(cursor.qualified):
                if not temporary:
                    self.add(DropTable(name), start)
            cursor.accept_any("RESTRICT", "CASCADE")
        elif cursor.accept("INDEX"):
            self.if_exists()
            index = cursor.name()
            cursor.expect("ON")
            change = DropIndex(cursor.qualified(), index)
            cursor.skip_until(";")
            self.add(change, start)
        else:
            kind = cursor.next().word
            self.if_exists()
            for name in self.listed(cursor.qualified):
                self.add(DropThing("DATABASE" if kind == "SCHEMA" else kind, name), start)
            cursor.skip_until(";")

    def rename(self) -> None:
        cursor, start = self.cursor, self.cursor.at - 1
        if not cursor.accept_any("TABLE", "TABLES"):
            cursor.skip_until(";")
            self.add(Opaque("RENAME"), start)
            return
        while True:
            old = cursor.qualified()
            cursor.expect("TO")
            self.add(RenameTable(old, cursor.qualified()), start)
            if not cursor.accept(","):
                return

    def if_exists(self) -> bool:
        return self.cursor.accept("IF", "NOT", "EXISTS") or self.cursor.accept("IF", "EXISTS")

    def listed(self, one: Callable[[], str]) -> Iterator[str]:
        yield one()
        while self.cursor.accept(","):
            yield one()


_CLAUSES: dict[str, Callable[[_Reader, str], None]] = {
    "ADD": _Reader.add_clause,
    "DROP": _Reader.drop_clause,
    "MODIFY": _Reader.modify_clause,
    "CHANGE": _Reader.modify_clause,
    "ALTER": _Reader.alter_clause,
    "RENAME": _Reader.rename_clause,
}
_OPTIONS = frozenset({
    "ENGINE", "TYPE", "AUTO_INCREMENT", "AUTOEXTEND_SIZE", "AVG_ROW_LENGTH", "CHECKSUM", "COLLATE",
    "COMMENT", "COMPRESSION", "CONNECTION", "DELAY_KEY_WRITE", "ENCRYPTION", "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE", "SECONDARY_ENGINE", "INSERT_METHOD", "KEY_BLOCK_SIZE", "MAX_ROWS",
    "MIN_ROWS", "PACK_KEYS", "PASSWORD", "ROW_FORMAT", "STATS_AUTO_RECALC", "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES", "TABLESPACE", "UNION", "STORAGE", "PAGE_CHECKSUM", "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL", "ENCRYPTED", "ENCRYPTION_KEY_ID", "SEQUENCE", "TRANSACTIONAL",
    "WITH_SYSTEM_VERSIONING",
})  # fmt: skip


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


def _elements(added: Table, table: Table) -> Iterator[Change]:
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
