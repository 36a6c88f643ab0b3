"""EBH061: more columns, longer rows or longer keys than the server allows."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn, ModifyColumn
from ebhook.lint.changes.keys import AddIndex
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import column_call
from ebhook.lint.schema import sizes
from ebhook.lint.schema.schema import Index, Part, Table
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH061", "a table is beyond the server's limits")


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        if not isinstance(done.change, (CreateTable, AddColumn, AddIndex, ModifyColumn)):
            continue
        table = done.change.apply(done.before).table(done.change.table)
        if table is None:
            continue
        new = done.change.index if isinstance(done.change, AddIndex) else None
        whole = isinstance(done.change, CreateTable)
        for message in _problems(subject.server, table, new, whole):
            yield subject.finding(
                RULE,
                done,
                f"{message} The statement fails in every agency.",
                edits=_as_text(subject, done, table),
                example=_example(table),
            )


def _problems(server: ServerVersion, table: Table, new: Index | None, whole: bool) -> Iterator[str]:
    if new is None:
        if len(table.columns) > sizes.MOST_COLUMNS:
            yield (
                f"Table {table.name} has {len(table.columns)} columns; InnoDB takes "
                f"{sizes.MOST_COLUMNS} (1117)."
            )
        bytes_ = sizes.row(table)
        if bytes_ > sizes.LONGEST_ROW:
            yield (
                f"A row of {table.name} may have {bytes_:,} bytes without its TEXT and BLOB columns; "
                f"the server takes {sizes.LONGEST_ROW:,} (1118). Make the longest VARCHAR a TEXT."
            )
    if len(table.indexes) > sizes.MOST_INDEXES:
        yield f"Table {table.name} has {len(table.indexes)} indexes; InnoDB takes 64 (1069)."
    primary = Index("PRIMARY", tuple(Part(one) for one in table.primary))
    for index in [new] if new is not None else [primary, *table.indexes] if whole else []:
        if len(index.parts) > sizes.MOST_PARTS:
            yield f"Index {index.name} has {len(index.parts)} columns; the server takes 16 (1070)."
        long = sizes.key(table, index)
        most = sizes.longest_key(table)
        # MariaDB cuts a single column, or hashes it.
        if long > most and not (server.is_mariadb and len(index.parts) == 1):
            yield (
                f"Index {index.name} of {table.name} may have {long:,} bytes a row; the server takes "
                f"{most:,} (1071). Index a prefix of the longest column (mysql_length)."
            )
        endless = sizes.without_length(table, index)
        if endless is not None and not server.is_mariadb:
            yield (
                f"Index {index.name} of {table.name} has the whole of {endless}, a TEXT, BLOB or JSON; "
                "the server wants to know how much of it (1170, 3152: mysql_length)."
            )


def _as_text(subject: Subject, done: Done, table: Table) -> list[Edit]:
    if sizes.row(table) <= sizes.LONGEST_ROW:
        return []
    longest = max(table.columns, key=lambda one: sizes.column(one, table))
    call = column_call(subject.source, done.span, longest.name)
    if call is None or len(call.args) < 2:
        return []
    return [Edit(subject.source.span(call.args[1]), "sa.Text()")]


def _example(table: Table) -> str:
    longest = max(table.columns, key=lambda one: sizes.column(one, table), default=None)
    return f'sa.Column("{longest.name}", sa.Text())' if longest is not None else ""
