"""EBH040: a NOT NULL column without a server default."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.columns import AddColumn
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import harmless_default, quoted
from ebhook.lint.fixes.rewrite import column_call, only_one, replace, set_keyword, statement_at
from ebhook.lint.source import Edit, keyword, literal
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH040", "a NOT NULL column without a server default", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(AddColumn):
        column = done.change.column
        if (
            column.nullable
            or (column.default is not None and column.default.kind != "null")
            or column.auto_increment
            or column.generated is not None
        ):
            continue
        table, kind = done.change.table, column.type.name
        default = _own_default(subject, done) or harmless_default(column.type)
        fails = (
            f" On a table with rows the statement itself fails ({kind} has no implicit default)."
            if kind in ("date", "datetime") or "geo" in kind or kind in ("point", "polygon")
            else ""
        )
        python = _python_default(subject, done)
        yield subject.finding(
            RULE,
            done,
            f"Column {table}.{column.name} is NOT NULL and has no default on the server. Instances "
            f"of the previous release do not know it: each of their INSERTs into {table} fails with "
            f"1364 until the last of them is replaced.{python}{fails} "
            + ("Give it a server_default" if default else "Make it nullable")
            + ", or make it nullable and fill it later." * bool(default)
            + "." * (not default),
            edits=_edits(subject, done, default),
            example=_example(done, default),
        )


def _python_default(subject: Subject, done: Done) -> str:
    call = column_call(subject.source, done.span, done.change.column.name)
    if call is None or keyword(call, "default") is None:
        return ""
    return " default=… is filled in by Python, and old instances run the old Python."


def _own_default(subject: Subject, done: Done) -> str:
    """What the user has Python fill in, as a server default."""
    call = column_call(subject.source, done.span, done.change.column.name)
    value = literal(keyword(call, "default")) if call is not None else None
    if isinstance(value, bool):
        return f'sa.text("{int(value)}")'
    if isinstance(value, (int, float)):
        return f'sa.text("{value}")'
    return quoted(value) if isinstance(value, str) else ""


def _edits(subject: Subject, done: Done, default: str) -> list[Edit]:
    source, column = subject.source, done.change.column
    call = column_call(source, done.span, column.name)
    if call is not None:
        if default and len(default) < 40:
            return [set_keyword(source, call, "server_default", default)]
        return [set_keyword(source, call, "nullable", "True")]
    statement = statement_at(source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    code = f"op.execute({quoted(_sql(done, default))})"
    return [replace(source, statement, code)]


def _sql(done: Done, default: str) -> str:
    text = done.change.column.text
    if default:
        value = default.removeprefix('sa.text("').removesuffix('")')
        value = "''" if value == '""' else value.replace('"', "'")
        text += f" DEFAULT {value}"
    else:
        text = text.replace("NOT NULL", "NULL")
    return f"ALTER TABLE {done.change.table} ADD COLUMN {text}"


def _example(done: Done, default: str) -> str:
    return f"op.execute({quoted(_sql(done, default))})"
