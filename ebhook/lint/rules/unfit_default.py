"""EBH103: a default does not fit its column."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn, ModifyColumn, SetDefault
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import column_call, take_out
from ebhook.lint.schema import values
from ebhook.lint.schema.schema import Column
from ebhook.lint.servers import ServerVersion
from ebhook.lint.source import Edit, keyword
from ebhook.lint.subject import Done, Subject
from ebhook.sql.tokens import text_of_string, tokenize

RULE = Rule("EBH103", "a default does not fit its column")

_WITHOUT = frozenset({
    "tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob",
    "json", "geometry", "point", "linestring", "polygon",
})  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        for column in _columns(done):
            found = _problem(column, subject.server)
            if found is not None:
                number, words = found
                yield subject.finding(
                    RULE,
                    done,
                    f"The default {column.default.text if column.default else ''} of "
                    f"{done.change.table}.{column.name}: {words}. The statement fails ({number}) in "
                    "every agency.",
                    edits=_edits(subject, done, column, number),
                    example=_example(column, number),
                )


def _columns(done: Done) -> Iterator[Column]:
    change = done.change
    match change:
        case CreateTable() if change.made.whole:
            yield from change.made.columns
        case AddColumn() | ModifyColumn():
            yield change.column
        case SetDefault(default=default) if default is not None:
            after = change.apply(done.before).at_hand(change.table).column(change.name)
            if after is not None:
                yield after


def _problem(column: Column, server: ServerVersion) -> tuple[int, str] | None:
    default, kind = column.default, column.type
    if default is None or column.generated:
        return None
    if default.kind == "null":
        return (1067, "the column is NOT NULL") if not column.nullable else None
    if column.auto_increment:
        return 1067, "AUTO_INCREMENT has none"
    if default.kind == "now":
        return _now(column, default.text) if not server.is_mariadb else None
    if default.kind == "expression":
        return None
    if kind.name in _WITHOUT:
        words = f"a {kind.name.upper()} takes an expression in brackets alone"
        return None if server.is_mariadb else (1101, words)
    text = _value(default.text)
    if text is None:
        return None
    wrong = values.problem(text, column, zero_dates=server.is_mariadb)
    return (1067, wrong) if wrong else None


def _now(column: Column, text: str) -> tuple[int, str] | None:
    if column.type.name not in ("datetime", "timestamp"):
        return 1067, f"a {column.type} cannot have the current time; in brackets, an expression can"
    given = "".join(one for one in text if one.isdigit()) or "0"
    wanted = column.type.arguments[0] if column.type.arguments else "0"
    if given != wanted:
        return 1067, f"it has {given} digits of a second, and the column {wanted}"
    return None


def _value(text: str) -> str | None:
    """The value of a plain literal; None for any other."""
    _, tokens = tokenize(text)
    if len(tokens) == 1 and tokens[0].kind == "string" and tokens[0].text[0] in "'\"":
        return text_of_string(tokens[0])
    words = "".join(token.text for token in tokens)
    numeric = tokens and tokens[-1].kind == "number" and len(tokens) <= 2
    return words if numeric and not words.lower().startswith("0x") else None


def _edits(subject: Subject, done: Done, column: Column, number: int) -> list[Edit]:
    call = column_call(subject.source, done.span, column.name)
    default = keyword(call, "server_default") if call is not None else None
    if call is None or default is None:
        return []
    if number == 1101 and column.default is not None and column.default.text.startswith("'"):
        code = f'sa.text("({column.default.text})")'
        return [Edit(subject.source.span(default), code)]
    return [take_out(subject.source, call, default)] if column.nullable else []


def _example(column: Column, number: int) -> str:
    text = column.default.text if column.default else ""
    if number == 1101:
        return f'server_default=sa.text("({text})")'
    if column.default is not None and column.default.kind == "now":
        digits = column.type.arguments[0] if column.type.arguments else ""
        return f'server_default=sa.text("CURRENT_TIMESTAMP{f"({digits})" if digits else ""}")'
    return f"# a value that {column.name} {column.type} can have"
