"""What one statement does, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ebhook.lint.schema.schema import Check, Column, Default, ForeignKey, Index, Table


@dataclass(frozen=True, kw_only=True)
class Change:
    """`clause` is the part of the statement that says it."""

    clause: str = field(default="", compare=False)


@dataclass(frozen=True)
class OfTable(Change):
    """A change of one table."""

    table: str


@dataclass(frozen=True)
class CreateTable(OfTable):
    """`filled`: CREATE TABLE … SELECT."""

    made: Table
    if_not_exists: bool = False
    filled: bool = False


@dataclass(frozen=True)
class DropTable(OfTable):
    pass


@dataclass(frozen=True)
class RenameTable(OfTable):
    new: str


@dataclass(frozen=True)
class Truncate(OfTable):
    pass


@dataclass(frozen=True)
class AddColumn(OfTable):
    column: Column


@dataclass(frozen=True)
class DropColumn(OfTable):
    name: str


@dataclass(frozen=True)
class ModifyColumn(OfTable):
    """MODIFY, or CHANGE when the new name is another one."""

    name: str
    column: Column


@dataclass(frozen=True)
class RenameColumn(OfTable):
    name: str
    new: str


@dataclass(frozen=True)
class SetDefault(OfTable):
    """ALTER COLUMN … SET DEFAULT; `default` is None for DROP DEFAULT."""

    name: str
    default: Default | None


@dataclass(frozen=True)
class AddIndex(OfTable):
    index: Index


@dataclass(frozen=True)
class DropIndex(OfTable):
    name: str


@dataclass(frozen=True)
class RenameIndex(OfTable):
    name: str
    new: str


@dataclass(frozen=True)
class AddPrimary(OfTable):
    columns: tuple[str, ...]


@dataclass(frozen=True)
class DropPrimary(OfTable):
    pass


@dataclass(frozen=True)
class AddForeignKey(OfTable):
    key: ForeignKey


@dataclass(frozen=True)
class DropForeignKey(OfTable):
    name: str


@dataclass(frozen=True)
class AddCheck(OfTable):
    check: Check


@dataclass(frozen=True)
class DropConstraint(OfTable):
    """DROP CHECK, or DROP CONSTRAINT, which may mean a key, too."""

    name: str


@dataclass(frozen=True)
class SetOption(OfTable):
    """A table option. Metadata only, or a rebuild: `name` decides."""

    name: str
    value: str


@dataclass(frozen=True)
class Convert(OfTable):
    """CONVERT TO CHARACTER SET: every text column is changed."""

    charset: str


@dataclass(frozen=True)
class Rebuild(OfTable):
    """FORCE, ORDER BY, partitions, tablespaces, OPTIMIZE: `what`."""

    what: str


@dataclass(frozen=True)
class Toggle(OfTable):
    """A switch that changes no data: an invisible index or column, an unenforced check."""

    what: str


@dataclass(frozen=True)
class OfThing(Change):
    """A view, trigger, routine, event, database: `kind` is its word, in capitals."""

    kind: str
    name: str


@dataclass(frozen=True)
class CreateThing(OfThing):
    replaces: bool = False


@dataclass(frozen=True)
class DropThing(OfThing):
    pass


@dataclass(frozen=True)
class AlterThing(OfThing):
    pass


@dataclass(frozen=True)
class Data(Change):
    """INSERT, UPDATE, DELETE, REPLACE, LOAD.

    `bounded`: a WHERE or a LIMIT says which rows. `functions`: those in it that give another value
    each time. `handle`: what goes before a column of the first table, where there are several.
    """

    verb: Literal["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"]
    tables: tuple[str, ...]
    bounded: bool = True
    functions: tuple[str, ...] = ()
    handle: str = ""


@dataclass(frozen=True)
class SessionStatement(Change):
    """SET, COMMIT, LOCK TABLES, …"""

    verb: str


@dataclass(frozen=True)
class Read(Change):
    pass


@dataclass(frozen=True)
class OpaqueStatement(Change):
    """CALL, PREPARE and what else may do anything."""

    verb: str


# These change a table's definition, and not its rows or how they are stored.
METADATA_OPTIONS = frozenset({
    "charset", "collate", "comment", "auto_increment", "stats_persistent", "stats_auto_recalc",
    "stats_sample_pages", "checksum", "delay_key_write", "max_rows", "min_rows", "avg_row_length",
    "insert_method", "pack_keys",
})  # fmt: skip
