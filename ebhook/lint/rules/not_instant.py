"""EBH060: a statement that copies or locks a table, or cannot be INSTANT."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint import asked
from ebhook.lint.changes.change import OfTable
from ebhook.lint.changes.columns import AddColumn, ModifyColumn
from ebhook.lint.changes.keys import AddIndex
from ebhook.lint.changes.rows import SessionStatement
from ebhook.lint.changes.tables import SetOption
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import (
    column_call,
    only_one,
    remove,
    replace,
    set_keyword,
    statement_at,
    take_out,
    without,
)
from ebhook.lint.schema.schema import Table
from ebhook.lint.source import Edit, keyword
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH060", "a table is copied or locked, or the column cannot be added INSTANT")

_NOW = re.compile(
    r"\(+\s*(now|current_timestamp|localtime|localtimestamp)\s*(\(\d*\))?\s*\)+", re.I
)
_PASSING = re.compile(
    r"\b(uuid|rand|sys_guid|random_bytes|uuid_short|sysdate|uuid_v4|uuid_v7)\s*\(", re.I
)


def check(subject: Subject) -> Iterator[Finding]:
    yield from _asked(subject)
    for done in subject.changes(AddColumn, AddIndex):
        if isinstance(done.change, AddColumn):
            yield from _column(subject, done)
        else:
            yield from _index(subject, done)


def _asked(subject: Subject) -> Iterator[Finding]:
    """What the statement itself asks for; or the session, for those that follow."""
    for step in dict.fromkeys(done.step for done in subject.all_done):
        mine = [done for done in subject.all_done if done.step is step]
        found = None
        if any(
            isinstance(one.change, OfTable) and one.change.table not in subject.made for one in mine
        ):
            found = asked.by_statement(step.sql)
        elif any(isinstance(one.change, SessionStatement) for one in mine):
            found = asked.by_setting(step.sql)
        if found is not None:
            statement = statement_at(subject.source, mine[0].span)
            sql = asked.without_words(step.sql)
            yield subject.finding(
                RULE,
                step,
                f"{found[0]} {found[1]}, in every agency at once. Left out, the server takes the cheapest "
                "way, and ebhook refuses a copy unless ddl.algorithm allows it.",
                edits=[replace(subject.source, statement, f"op.execute({quoted(sql)})")]
                if statement is not None and sql != step.sql
                else remove(subject.source, [statement]),
                example=f"op.execute({quoted(' '.join(sql.split()))})",
            )
    for done in subject.changes(ModifyColumn):
        place = done.change.column.place
        before = done.before.at_hand(done.change.table)
        if place and not _stays(before, done.change.name, place):
            yield subject.finding(
                RULE,
                done,
                f"To move column {done.change.table}.{done.change.name} (FIRST, AFTER) rebuilds the table: "
                "INSTANT refuses it (1846). In which order columns stand, no query should ask.",
                edits=without(subject, done),
                example="# without FIRST or AFTER",
            )


def _stays(table: Table, name: str, place: str) -> bool:
    """Does the column already stand there?"""
    names = [one.name.lower() for one in table.columns]
    if name.lower() not in names:
        return False
    at = names.index(name.lower())
    return at == 0 if place == "first" else at > 0 and names[at - 1] == place.lower()


def _column(subject: Subject, done: Done) -> Iterator[Finding]:
    column, table = done.change.column, done.before.at_hand(done.change.table)
    server, where = subject.server, f"{table.name}.{column.name}"
    default = column.default
    if default is not None and default.kind == "expression" and _costs(subject, default.text):
        yield subject.finding(
            RULE,
            done,
            f"The default {default.text} of {where} is an expression: {server} copies the whole "
            "table for it and blocks writes meanwhile (1845; ebhook refuses a copy unless ddl."
            f"algorithm allows it). {_advice(done)}",
            edits=_default_edits(subject, done),
            example=_default_example(done),
        )
    elif column.generated == "stored":
        yield subject.finding(
            RULE,
            done,
            f"{where} is a STORED generated column: its values are computed for every row, the whole "
            "table is copied, and nobody can write meanwhile. A VIRTUAL one is INSTANT and reads the "
            "same.",
            edits=_virtual(subject, done),
            example=column.text.replace("STORED", "VIRTUAL").replace("PERSISTENT", "VIRTUAL"),
        )
    elif column.auto_increment:
        yield subject.finding(
            RULE,
            done,
            f"{where} is AUTO_INCREMENT: every row gets its number now, the table is rebuilt and "
            "nobody can write meanwhile. Numbers of that kind belong to a new table.",
            edits=without(subject, done),
            example=f"# {table.name} stays without; a new table has its numbers from the start.",
        )
    elif column.references and not server.is_mariadb and server.version < (9, 0):
        yield subject.finding(
            RULE,
            done,
            f"REFERENCES in the definition of {where} is read and ignored by {server}: there is no "
            "foreign key, although the text says so. (MySQL 9 and MariaDB make one, by copying the "
            "table.)",
            edits=_without_references(subject, done),
            example=re.sub(r"\s*REFERENCES.*", "", column.text, flags=re.I | re.S),
        )
    else:
        yield from _table(subject, done)


def _table(subject: Subject, done: Done) -> Iterator[Finding]:
    """What stands in the way is not the column but its table, or what else is in the statement."""
    name, server = done.change.table, subject.server
    column, table = done.change.column, done.before.at_hand(name)
    if column.generated == "virtual":
        return
    limit = server.row_versions
    # REFERENCES in the column itself is EBH041's.
    others = [
        one
        for one in done.step.changes
        if not isinstance(one, AddColumn) and one.clause != done.change.clause
    ]
    if any(index.kind == "fulltext" for index in table.indexes):
        cost = "locks it against writes" if server.is_mariadb else "copies it and blocks writes"
        why = f"{name} has a FULLTEXT index, and {server} then {cost} for each new column."
    elif table.options.get("row_format") == "compressed" or "key_block_size" in table.options:
        why = f"{name} is compressed, and {server} then rebuilds it for each new column."
    elif limit is not None and table.row_versions >= limit and table.whole:
        why = (
            f"{name} has had {table.row_versions} columns added or dropped since it was built; "
            f"{server} takes {limit} (4092), and then rebuilds the table."
        )
    elif others and not all(isinstance(one, SetOption) for one in others):
        why = (
            "It is in one ALTER TABLE with something that is not INSTANT, so all of it is not: the "
            "table is rebuilt. Say them one after the other."
        )
        yield subject.finding(
            RULE,
            done,
            f"{name}.{column.name} cannot be added INSTANT. {why}",
            edits=_split(subject, done),
            example=_splits(done),
        )
        return
    else:
        return
    yield subject.finding(
        RULE,
        done,
        f"{name}.{column.name} cannot be added INSTANT. {why} That takes as long as the table is big. "
        "Put the column into a new table beside it, with the same primary key.",
        edits=without(subject, done),
        example=f'op.create_table("{name}_{column.name}", …)  # one row for each row of {name}',
    )


def _index(subject: Subject, done: Done) -> Iterator[Finding]:
    index, table = done.change.index, done.change.table
    computed = any(part.expression for part in index.parts)
    if not index.kind and not computed:
        return
    what = f"{index.kind.upper()} index" if index.kind else "index on an expression"
    yield subject.finding(
        RULE,
        done,
        f"The {what} {index.name} is built while nobody can write to {table} (1846 refuses "
        "LOCK=NONE), for as long as the table is big, in every agency. Make a plain index where that "
        "serves; else make a new table that has this one from the start, or do it by hand at a "
        "quiet hour.",
        edits=without(subject, done),
        example=f"# {table} stays without {index.name}.",
    )


def _costs(subject: Subject, text: str) -> bool:
    return not subject.server.is_mariadb or _PASSING.search(text) is not None


def _constant(done: Done) -> str | None:
    """The default as code, when it need not be an expression."""
    text, kind = done.change.column.default.text, done.change.column.type
    if _NOW.fullmatch(text):
        fraction = f"({kind.arguments[0]})" if kind.arguments else ""
        return f'sa.text("CURRENT_TIMESTAMP{fraction}")'
    plain = re.fullmatch(r"\(+\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)\s*\)+", text)
    takes_none = "text" in kind.name or "blob" in kind.name or kind.name == "json"
    if plain is None or takes_none or "geo" in kind.name:
        return None
    value = plain[1]
    return quoted(value[1:-1]) if value.startswith("'") else f'sa.text("{value}")'


def _advice(done: Done) -> str:
    if _NOW.fullmatch(done.change.column.default.text):
        return "CURRENT_TIMESTAMP without brackets is no expression to the server, and INSTANT."
    if _constant(done) is not None:
        return "The same value without brackets is a constant, and INSTANT."
    return "Make the column nullable without a default, and fill it in a revision of its own."


def _default_edits(subject: Subject, done: Done) -> list[Edit]:
    source, column = subject.source, done.change.column
    call = column_call(source, done.span, column.name)
    constant = _constant(done)
    if call is not None:
        if constant is not None:
            return [set_keyword(source, call, "server_default", constant)]
        value = keyword(call, "server_default")
        edits = [take_out(source, call, value)] if value is not None else []
        return [*edits, set_keyword(source, call, "nullable", "True")]
    statement = statement_at(source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    sql = f"ALTER TABLE {done.change.table} ADD COLUMN {_plain_text(done)}"
    return [replace(source, statement, f"op.execute({quoted(sql)})")]


def _default_example(done: Done) -> str:
    sql = f"ALTER TABLE {done.change.table} ADD COLUMN {_plain_text(done)}"
    return f"op.execute({quoted(sql)})"


def _plain_text(done: Done) -> str:
    """The column's SQL with a constant default, or nullable without one."""
    column = done.change.column
    constant = _constant(done)
    if constant is None:
        text = column.text.replace(f"DEFAULT {column.default.text}", "").replace("NOT NULL", "NULL")
        return " ".join(text.split())
    value = constant.removeprefix('sa.text("').removesuffix('")')
    value = f"'{value[1:-1]}'" if value.startswith('"') else value
    return str(column.text.replace(column.default.text, value))


def _virtual(subject: Subject, done: Done) -> list[Edit]:
    source = subject.source
    call = column_call(source, done.span, done.change.column.name)
    for one in call.args if call is not None else ():
        import ast

        if isinstance(one, ast.Call) and keyword(one, "persisted") is not None:
            return [set_keyword(source, one, "persisted", "False")]
    statement = statement_at(source, done.span)
    if call is not None or statement is None or not only_one(subject, done):
        return []
    text = re.sub(r"\b(STORED|PERSISTENT)\b", "VIRTUAL", done.change.column.text, flags=re.I)
    sql = f"ALTER TABLE {done.change.table} ADD COLUMN {text}"
    return [replace(source, statement, f"op.execute({quoted(sql)})")]


def _without_references(subject: Subject, done: Done) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    text = re.sub(r"\s*REFERENCES.*", "", done.change.column.text, flags=re.I | re.S)
    sql = f"ALTER TABLE {done.change.table} ADD COLUMN {text}"
    return [replace(subject.source, statement, f"op.execute({quoted(sql)})")]


def _split(subject: Subject, done: Done) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    steps = {one.step for one in subject.done if one.span == done.span}
    if statement is None or len(steps) > 1:
        return []
    return [replace(subject.source, statement, _splits(done).split("\n"))]


def _splits(done: Done) -> str:
    clauses = dict.fromkeys(one.clause for one in done.step.changes)
    return "\n".join(
        f"op.execute({quoted(f'ALTER TABLE {done.change.table} {clause}')})" for clause in clauses
    )
