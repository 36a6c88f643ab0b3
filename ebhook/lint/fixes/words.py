"""Changes in people's words."""

from __future__ import annotations

from collections.abc import Sequence

from ebhook.lint.schema import changes as of
from ebhook.lint.subject import Done


def listed(words: Sequence[str], most: int = 6) -> str:
    """``a, b and c``."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def described(done: Done) -> str:
    """The thing that a change makes or removes: ``column cases.title``."""
    match done.change:
        case of.CreateTable(table=table) | of.DropTable(table=table):
            return f"table {table}"
        case of.AddColumn(table=table, column=column):
            return f"column {table}.{column.name}"
        case of.DropColumn(table=table, name=name):
            return f"column {table}.{name}"
        case of.AddIndex(table=table, index=index):
            return f"{'unique key' if index.unique else 'index'} {index.name} of {table}"
        case of.DropIndex(table=table, name=name):
            return f"index {name} of {table}"
        case of.AddForeignKey(table=table, key=key):
            return f"foreign key {key.name} of {table}"
        case of.DropForeignKey(table=table, name=name):
            return f"foreign key {name} of {table}"
        case of.AddCheck(table=table, check=check):
            return f"check {check.name} of {table}"
        case of.DropConstraint(table=table, name=name):
            return f"constraint {name} of {table}"
        case of.AddPrimary(table=table) | of.DropPrimary(table=table):
            return f"the primary key of {table}"
        case of.RenameTable(table=table, new=new):
            return f"the new name {new} of table {table}"
        case of.RenameColumn(table=table, name=name, new=new):
            return f"the new name {new} of column {table}.{name}"
        case of.RenameIndex(table=table, name=name, new=new):
            return f"the new name {new} of index {name} of {table}"
        case of.ModifyColumn(table=table, column=column):
            return f"the changed column {table}.{column.name}"
        case of.SetDefault(table=table, name=name):
            return f"the default of {table}.{name}"
        case of.SetOption(table=table, name=name):
            return f"the {_OPTIONS.get(name, name)} of {table}"
        case of.Convert(table=table):
            return f"the character set of {table}"
        case of.CreateThing(kind=kind, name=name) | of.DropThing(kind=kind, name=name):
            return f"{kind.lower()} {name}"
        case of.AlterThing(kind="DATABASE", name=name):
            return f"the defaults of {f'database {name}' if name else 'the database'}"
        case of.Data(tables=tables):
            return f"the rows in {listed(tables) if tables else 'a table'}"
    return done.step.sql


def done_to(done: Done) -> str:
    """What a change does, with its verb: ``drops column cases.title``."""
    change = done.change
    thing = described(done)
    match change:
        case (
            of.DropTable() | of.DropColumn() | of.DropIndex() | of.DropForeignKey()
            | of.DropConstraint() | of.DropPrimary() | of.DropThing()
        ):  # fmt: skip
            return f"drops {thing}"
        case (
            of.CreateTable() | of.AddColumn() | of.AddIndex() | of.AddForeignKey() | of.AddCheck()
            | of.AddPrimary() | of.CreateThing()
        ):  # fmt: skip
            return f"makes {thing}"
        case of.Data():
            return f"changes {thing} ({change.verb})"
    return f"changes {thing.removeprefix('the changed ')}"


_OPTIONS = {"charset": "default character set", "collate": "default collation"}
