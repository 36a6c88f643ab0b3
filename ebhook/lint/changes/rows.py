"""Data, and statements that define nothing: reads, the session, what may do anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ebhook.lint.changes.change import Change, execute
from ebhook.lint.fixes.words import listed
from ebhook.lint.schema.schema import Schema


@dataclass(frozen=True)
class Data(Change):
    """INSERT, UPDATE, DELETE, REPLACE, LOAD.

    `bounded`: a WHERE or a LIMIT says which rows. `functions`: those in it that give another value
    each time. `handle`: what goes before a column of the first table, where there are several.
    `ignores`: IGNORE makes warnings of what strict mode refuses.
    """

    verb: Literal["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"]
    tables: tuple[str, ...]
    bounded: bool = True
    functions: tuple[str, ...] = ()
    handle: str = ""
    ignores: bool = False

    @property
    def thing(self) -> str:
        return f"the rows in {listed(self.tables) if self.tables else 'a table'}"

    @property
    def words(self) -> str:
        return f"changes {self.thing} ({self.verb})"

    def apply(self, schema: Schema) -> Schema:
        adds = self.verb in ("INSERT", "REPLACE", "LOAD")
        return replace(schema, filled=schema.filled | set(self.tables)) if adds else schema

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, Data) and bool(set(self.tables) & set(other.tables))

    def undo_code(self, before: Schema) -> str:
        if self.verb not in ("INSERT", "REPLACE"):
            return ""
        table = self.tables[0] if self.tables else "…"
        return execute(f"DELETE FROM {table} WHERE …") + "  # the rows that upgrade() inserted"


@dataclass(frozen=True)
class SessionStatement(Change):
    """SET, COMMIT, LOCK TABLES, …"""

    verb: str


@dataclass(frozen=True)
class TemporaryTable(SessionStatement):
    """CREATE TEMPORARY TABLE, and DROP (`gone`): a table of this session alone."""

    name: str
    gone: bool = False

    def apply(self, schema: Schema) -> Schema:
        names = schema.temporary - {self.name} if self.gone else schema.temporary | {self.name}
        return replace(schema, temporary=names)


@dataclass(frozen=True)
class Read(Change):
    """SELECT, SHOW, …"""


@dataclass(frozen=True)
class OpaqueStatement(Change):
    """CALL, PREPARE and what else may do anything."""

    verb: str
