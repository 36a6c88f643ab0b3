"""Tables made, dropped, renamed, emptied, rebuilt; and their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from ebhook.lint.changes.change import Change, OfTable, execute
from ebhook.lint.fixes.code import quoted
from ebhook.lint.schema import show
from ebhook.lint.schema.schema import TEXTS, Schema, Table

# These change a table's definition, and not its rows or how they are stored.
METADATA_OPTIONS = frozenset({
    "charset", "collate", "comment", "auto_increment", "stats_persistent", "stats_auto_recalc",
    "stats_sample_pages", "checksum", "delay_key_write", "max_rows", "min_rows", "avg_row_length",
    "insert_method", "pack_keys",
})  # fmt: skip


@dataclass(frozen=True)
class CreateTable(OfTable):
    """`filled`: CREATE TABLE … SELECT."""

    made: Table
    if_not_exists: bool = False
    filled: bool = False

    verb_words: ClassVar[str] = "makes"

    @property
    def thing(self) -> str:
        return f"table {self.table}"

    def apply(self, schema: Schema) -> Schema:
        if self.if_not_exists and schema.table(self.table) is not None:
            return schema
        return schema.with_table(self.made)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, DropTable) and self.is_of(other)

    def undo_code(self, before: Schema) -> str:
        return f"op.drop_table({quoted(self.table)})"


@dataclass(frozen=True)
class DropTable(OfTable):
    verb_words: ClassVar[str] = "drops"

    @property
    def thing(self) -> str:
        return f"table {self.table}"

    def apply(self, schema: Schema) -> Schema:
        return schema.without_table(self.table)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, CreateTable) and self.is_of(other)

    def undo_code(self, before: Schema) -> str:
        old = before.at_hand(self.table)
        return execute(show.create_table(old)) if old.whole else ""


@dataclass(frozen=True)
class RenameTable(OfTable):
    new: str

    @property
    def thing(self) -> str:
        return f"the new name {self.new} of table {self.table}"

    def apply(self, schema: Schema) -> Schema:
        moved = replace(schema.at_hand(self.table), name=self.new)
        return schema.without_table(self.table).with_table(moved)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, RenameTable) and (self.table, self.new) == (other.new, other.table)

    def undo_code(self, before: Schema) -> str:
        return f"op.rename_table({quoted(self.new)}, {quoted(self.table)})"


@dataclass(frozen=True)
class Truncate(OfTable):
    pass


@dataclass(frozen=True)
class SetOption(OfTable):
    """A table option. Metadata only, or a rebuild: `name` decides."""

    name: str
    value: str

    @property
    def thing(self) -> str:
        names = {"charset": "default character set", "collate": "default collation"}
        return f"the {names.get(self.name, self.name)} of {self.table}"

    def on(self, table: Table) -> Table:
        options = {**table.options, self.name: self.value}
        if self.name == "charset" and "collate" in options:
            del options["collate"]  # a character set brings its own default collation
        again = self.name not in METADATA_OPTIONS
        return replace(table, options=options, row_versions=0 if again else table.row_versions)

    def is_undone_by(self, other: Change) -> bool:
        if not isinstance(other, SetOption | Convert) or not self.is_of(other):
            return False
        name = "charset" if isinstance(other, Convert) else other.name
        return self.name == name

    def undo_code(self, before: Schema) -> str:
        options = before.at_hand(self.table).options
        old = options.get(self.name)
        if self.name == "comment":
            return execute(f"ALTER TABLE {self.table} COMMENT = '{old or ''}'")
        if self.name in ("charset", "collate"):
            return charset_code(self.table, options)
        return execute(f"ALTER TABLE {self.table} {self.name.upper()} = {old}") if old else ""


def charset_code(table: str, options: Mapping[str, str]) -> str:
    """What gives a table the character set and the collation of `options`; empty if they have none."""
    charset, collation = options.get("charset"), options.get("collate")
    words = [f"DEFAULT CHARACTER SET {charset}"] * bool(charset)
    words += [f"COLLATE {collation}"] * bool(collation)
    return execute(f"ALTER TABLE {table} {' '.join(words)}") if words else ""


@dataclass(frozen=True)
class Convert(OfTable):
    """CONVERT TO CHARACTER SET: every text column is changed."""

    charset: str
    collation: str | None = None

    @property
    def thing(self) -> str:
        return f"the character set of {self.table}"

    def on(self, table: Table) -> Table:
        columns = tuple(
            replace(one, type=replace(one.type, charset=None, collation=None))  # the table's own
            if one.type.name in TEXTS
            else one
            for one in table.columns
        )
        options = {k: v for k, v in table.options.items() if k != "collate"}
        options["charset"] = self.charset
        if self.collation:
            options["collate"] = self.collation
        return replace(table, columns=columns, options=options, row_versions=0)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, SetOption | Convert) and self.is_of(other)

    def undo_code(self, before: Schema) -> str:
        old = before.at_hand(self.table).options.get("charset")
        return execute(f"ALTER TABLE {self.table} CONVERT TO CHARACTER SET {old}") if old else ""


@dataclass(frozen=True)
class Rebuild(OfTable):
    """FORCE, ORDER BY, partitions, tablespaces, OPTIMIZE: `what`."""

    what: str

    def on(self, table: Table) -> Table:
        return replace(table, row_versions=0)

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, Rebuild) and self.is_of(other)


@dataclass(frozen=True)
class Toggle(OfTable):
    """A switch that changes no data: an invisible index or column, an unenforced check."""

    what: str

    def is_undone_by(self, other: Change) -> bool:
        return isinstance(other, Toggle) and self.is_of(other)
