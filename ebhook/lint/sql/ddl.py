"""DDL statements read into changes: MySQL's and MariaDB's own grammar, clause by clause.

sqlglot gives up on many ALTER TABLE forms (it hands them back as plain text), so definitions are
read here; statements that change data are read by it, in `ebhook.lint.sql.dml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from ebhook.lint.changes.change import Change
from ebhook.lint.changes.columns import (
    AddColumn,
    DropColumn,
    ModifyColumn,
    RenameColumn,
    SetDefault,
)
from ebhook.lint.changes.keys import (
    AddIndex,
    DropConstraint,
    DropForeignKey,
    DropIndex,
    DropPrimary,
    RenameIndex,
)
from ebhook.lint.changes.rows import OpaqueStatement, TemporaryTable
from ebhook.lint.changes.tables import (
    Convert,
    CreateTable,
    DropTable,
    Rebuild,
    RenameTable,
    SetOption,
    Toggle,
    Truncate,
)
from ebhook.lint.changes.things import AlterThing, CreateThing, DropThing
from ebhook.lint.schema.schema import Schema, Table, with_implied_indexes
from ebhook.lint.sql.definition import column, default
from ebhook.lint.sql.elements import Elements, elements
from ebhook.sql.tokens import THIS_DATABASE, TokenCursor

VERBS = frozenset({
    "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK",
})  # fmt: skip

_SWITCHES = ("ENABLE", "DISABLE", "WITH", "WITHOUT", "SECONDARY_LOAD", "SECONDARY_UNLOAD")
_ROUTINES = ("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT")
_PARTITIONING = frozenset({
    "PARTITION", "REMOVE", "COALESCE", "REORGANIZE", "EXCHANGE", "REBUILD", "REPAIR", "OPTIMIZE",
    "ANALYZE", "CHECK",
})  # fmt: skip


def read(sql: str, schema: Schema) -> tuple[Change, ...]:
    """The changes of one DDL statement, in order.

    `schema` is what stands before it: names that the server chooses depend on it. Raises
    `Unreadable`.
    """
    cursor = TokenCursor(sql)
    reader = _Reader(cursor, schema, inline_keys=schema.inline_keys)
    reader.statement()
    if not cursor.accept(";") and not cursor.ended:
        raise cursor.unexpected()
    return tuple(reader.found)


@dataclass
class _Reader(Elements):
    schema: Schema
    found: list[Change] = field(default_factory=list)

    def add(self, change: Change, start: int) -> None:
        """`change` happens; the text from token `start` on says so, unless it has its own."""
        clause = change.clause or self.cursor.since(start)
        if self.maybe and _is_there(change, self.schema):
            return
        change = replace(change, clause=clause, maybe=self.maybe)
        self.found.append(change)
        self.schema = change.apply(self.schema)

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
                self.wait()
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
            if again:
                self.add(DropIndex(table, name), start)  # MariaDB's CREATE OR REPLACE INDEX
            self.add(AddIndex(table, index), start)
            return
        if kind:
            raise cursor.unexpected()
        self.create_thing(start, again)

    def create_thing(self, start: int, again: bool) -> None:
        cursor = self.cursor
        words = (
            "VIEW",
            *_ROUTINES,
            "DATABASE",
            "SCHEMA",
            "USER",
            "ROLE",
            "SEQUENCE",
            "SERVER",
            "PACKAGE",
        )
        cursor.skip_until(*words, ";", "TABLESPACE", "AGGREGATE", "UNDO", "LOGFILE", "RESOURCE")
        kind = cursor.accept_any(*words)
        if not kind:
            cursor.skip_until(";")
            self.add(OpaqueStatement("CREATE"), start)
            return
        if kind == "PACKAGE" and cursor.accept("BODY"):
            kind = "PACKAGE BODY"
        self.if_exists()
        name = self.thing_name(kind) if cursor.token else ""
        cursor.at = len(cursor.tokens)
        self.add(CreateThing("DATABASE" if kind == "SCHEMA" else kind, name, again), start)

    def create_table(self, start: int, temporary: bool, again: bool) -> None:
        cursor = self.cursor
        maybe = self.if_exists()
        name = cursor.qualified()
        if temporary:
            cursor.skip_until(";")
            self.add(TemporaryTable("CREATE", name), start)
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
            self.if_exists()
            name = self.thing_name(kind) if cursor.token else ""
            cursor.at = len(cursor.tokens)
            self.add(AlterThing(kind, name), start)
            return
        self.if_exists()
        table = cursor.qualified()
        self.wait()
        while not cursor.ended and cursor.word != ";":
            self.maybe = False
            self.clause(table)
            cursor.accept(",")

    def wait(self) -> None:
        """MariaDB's WAIT n, NOWAIT."""
        if self.cursor.accept_any("WAIT", "NOWAIT") == "WAIT":
            self.cursor.next()

    def thing_name(self, kind: str) -> str:
        """A name; for an account, with its host: ``'u'@'h'``."""
        cursor = self.cursor
        if kind not in ("USER", "ROLE"):
            return cursor.qualified() if cursor.token else ""
        name = cursor.next().text.strip("'\"`")
        if cursor.word.startswith("@"):
            host = cursor.next().text
            host += cursor.next().text if host == "@" else ""
            name += host.replace("'", "").replace('"', "")
        return name

    def alter_database(self, start: int) -> None:
        """The agency's own has no name here: only its defaults are set, for tables to come."""
        cursor = self.cursor
        options = ("DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "ENCRYPTION", "READ", "UPGRADE")
        name = "" if cursor.word in options else cursor.name()
        rest = {cursor.word, cursor.ahead(1)}
        if name == THIS_DATABASE and not rest & {"ENCRYPTION", "READ", "UPGRADE"}:
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
        elif cursor.word == "CONVERT" and cursor.ahead(1) in ("PARTITION", "TABLE"):
            self.rest(table)
        elif cursor.accept("TRUNCATE", "PARTITION"):
            cursor.skip_until(";")
            self.add(Truncate(table), start)
        elif cursor.accept("CONVERT"):
            cursor.expect("TO")
            if not (cursor.accept("CHARACTER", "SET") or cursor.accept("CHARSET")):
                raise cursor.unexpected()
            charset = cursor.next().text.strip("'`\"").lower()
            collation = None
            if cursor.accept("COLLATE"):
                cursor.accept("=")
                collation = cursor.next().text.strip("'`\"").lower()
            self.add(Convert(table, charset, collation), start)
        elif cursor.word in _PARTITIONING or cursor.word == "ORDER":
            self.rest(table)
        elif cursor.word in ("FORCE", "DISCARD", "IMPORT"):
            cursor.skip_until(",", ";")
            self.add(Rebuild(table, cursor.since(start)), start)
        elif cursor.word in _SWITCHES:
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
            for change in elements(self.body(Table(table)), known):
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
        elif cursor.accept("PERIOD", "FOR"):
            change = Toggle(table, f"DROP PERIOD FOR {cursor.name()}")
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
            self.if_exists()
            old = cursor.name()
            cursor.expect("TO")
            self.add(RenameColumn(table, old, cursor.name()), start)
        elif cursor.word in ("INDEX", "KEY") and "TO" in (cursor.ahead(2), cursor.ahead(4)):
            cursor.at += 1
            self.if_exists()
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
                if temporary or name in self.schema.temporary:
                    self.add(TemporaryTable("DROP", name, gone=True), start)
                else:
                    self.add(DropTable(name), start)
            cursor.accept_any("RESTRICT", "CASCADE")
            self.wait()
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
            for name in self.listed(lambda: self.thing_name(kind)):
                self.add(DropThing("DATABASE" if kind == "SCHEMA" else kind, name), start)
            cursor.skip_until(";")

    def rename(self) -> None:
        cursor, start = self.cursor, self.cursor.at - 1
        if not cursor.accept_any("TABLE", "TABLES"):
            cursor.skip_until(";")
            self.add(OpaqueStatement("RENAME"), start)
            return
        self.if_exists()
        while True:
            old = cursor.qualified()
            self.wait()
            cursor.expect("TO")
            self.add(RenameTable(old, cursor.qualified()), start)
            if not cursor.accept(","):
                return

    def listed(self, one: Callable[[], str]) -> Iterator[str]:
        yield one()
        while self.cursor.accept(","):
            yield one()


def _is_there(change: Change, schema: Schema) -> bool:
    """Does IF NOT EXISTS leave this out?"""
    match change:
        case CreateTable():
            return schema.table(change.table) is not None
        case CreateThing():
            return (change.kind, change.name) in schema.things
        case AddColumn():
            return schema.at_hand(change.table).column(change.column.name) is not None
        case AddIndex():
            return schema.at_hand(change.table).index(change.index.name) is not None
    return False


_CLAUSES: dict[str, Callable[[_Reader, str], None]] = {
    "ADD": _Reader.add_clause,
    "DROP": _Reader.drop_clause,
    "MODIFY": _Reader.modify_clause,
    "CHANGE": _Reader.modify_clause,
    "ALTER": _Reader.alter_clause,
    "RENAME": _Reader.rename_clause,
}
