"""EBH003: a table, a column or an index is renamed."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import ModifyColumn, RenameColumn
from ebhook.lint.changes.keys import RenameIndex
from ebhook.lint.changes.tables import RenameTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import add_column_code, column_code, drop_column_code, quoted
from ebhook.lint.fixes.rewrite import counterparts, only_one, remove, replace, statement_at, without
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH003", "a table, a column or an index is renamed", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(RenameTable, RenameColumn, RenameIndex, ModifyColumn):
        match done.change:
            case RenameTable(table=table, new=new):
                yield _table(subject, done, table, new)
            case RenameColumn(table=table, name=name, new=new):
                yield _column(subject, done, table, name, new)
            case RenameIndex(table=table, name=name, new=new):
                yield subject.finding(
                    RULE,
                    done,
                    f"Index {name} of {table} becomes {new}. Nothing but an index hint names it, and "
                    "a hint of the previous release then fails. A name is not worth an ALTER TABLE "
                    "in every agency: leave it.",
                    edits=without(subject, done),
                    example=f"# Index {name} keeps its name.",
                )
            case ModifyColumn(table=table, name=name, column=column):
                if column.name.lower() != name.lower():
                    yield _column(subject, done, table, name, column.name)


def _table(subject: Subject, done: Done, table: str, new: str) -> Finding:
    view = f"op.execute({quoted(f'CREATE VIEW {new} AS SELECT * FROM {table}')})"
    drop = f"op.execute({quoted(f'DROP VIEW {new}')})"
    return subject.finding(
        RULE,
        done,
        f"Table {table} becomes {new}. Instances of the previous release still say {table}, and fail "
        "with 1146 until the last of them is replaced; after a rollback of the bundle, all do. Keep "
        f"the table, and give the new name to a view: reads and writes through it reach {table}.",
        edits=_instead(subject, done, view, drop),
        example=f"{view}\n# and in downgrade():\n{drop}",
    )


def _column(subject: Subject, done: Done, table: str, name: str, new: str) -> Finding:
    known = done.before.at_hand(table).column(name)
    column = done.change.column if isinstance(done.change, ModifyColumn) else known
    if column is not None:
        code = column_code(column, name=new, nullable=True)
    else:
        code = f"sa.Column({quoted(new)}, …, nullable=True)"
    add, drop = add_column_code(table, code), drop_column_code(table, new)
    return subject.finding(
        RULE,
        done,
        f"Column {table}.{name} becomes {new}. Instances of the previous release still say {name}, "
        "and fail with 1054 from this moment on; after a rollback of the bundle, all do. Add a "
        f"second column {new}, write both, copy the values in a revision of its own, then read the "
        "new one. Or only name it anew in the model: "
        f"{new} = Column({quoted(name)}, …) needs no revision at all.",
        edits=_instead(subject, done, add, drop) if "…" not in code else (),
        example=f"{add}\n# and in downgrade():\n{drop}",
    )


def _instead(subject: Subject, done: Done, up: str, down: str) -> list[Edit]:
    """Another statement in upgrade(), and its opposite in downgrade()."""
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    edits = [replace(subject.source, statement, up)]
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back:
        edits.append(replace(subject.source, back[0], down))
        edits.extend(remove(subject.source, back[1:]))
    return edits
