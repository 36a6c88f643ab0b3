"""Corrected code: edits to the user's own statements."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.fixes.code import quoted
from ebhook.lint.source import Edit, Source, Span, calls_in, keyword, literal
from ebhook.lint.subject import Done, Subject


def statement_at(source: Source, span: Span | None) -> ast.stmt | None:
    """The simple statement in a function whose call stands at `span`."""
    call = source.call_at(span) if span is not None else None
    if call is None:
        return None
    statement = source.statement_of(call)
    # A statement that only makes the call: anything else uses what it gives back.
    return statement if isinstance(statement, ast.Expr) and statement.value is call else None


def remove(source: Source, statements: Iterable[ast.stmt | None]) -> list[Edit]:
    """Takes statements out; `pass` stays where a block would be left empty."""
    gone = [one for one in dict.fromkeys(statements) if one is not None]
    edits = []
    for statement in gone:
        block = _block(source, statement)
        rest = [one for one in block if one not in gone and not _is_docstring(one)]
        if not rest and statement is next(one for one in block if one in gone):
            edits.append(Edit(source.span(statement), "pass"))
        else:
            edits.append(Edit(_lines(source, statement), ""))
    return edits


def replace(source: Source, statement: ast.stmt, lines: str | Sequence[str]) -> Edit:
    """Puts other statements in the place of one."""
    span = source.span(statement)
    given = [lines] if isinstance(lines, str) else list(lines)
    indent = " " * span.column
    text = ("\n" + indent).join(line for one in given for line in one.split("\n"))
    return Edit(span, text)


def set_keyword(source: Source, call: ast.Call, name: str, value: str) -> Edit:
    """``name=value`` in a call, in place of what is there, or behind the last argument."""
    found = keyword(call, name)
    if found is not None:
        return Edit(source.span(found), value)
    last: ast.AST = max(
        [*call.args, *[one.value for one in call.keywords]],
        key=lambda node: source.span(node),
        default=call.func,
    )
    end = source.span(last)
    place = Span(end.end_line, end.end_column, end.end_line, end.end_column)
    if last is call.func:
        return Edit(Span(*_end(source, call), *_end(source, call)), f"{name}={value}")
    return Edit(place, f", {name}={value}")


def _end(source: Source, call: ast.Call) -> tuple[int, int]:
    span = source.span(call)
    return span.end_line, span.end_column - 1


def take_out(source: Source, call: ast.Call, node: ast.expr) -> Edit:
    """Takes one argument out of a call, with its comma."""
    keywords = {one.value: one for one in call.keywords}
    spans = sorted(
        source.span(keywords.get(one, one))
        for one in [*call.args, *[k.value for k in call.keywords]]
    )
    span = source.span(keywords.get(node, node))
    at = spans.index(span)
    if at > 0:
        before = spans[at - 1]
        return Edit(Span(before.end_line, before.end_column, span.end_line, span.end_column), "")
    if len(spans) > 1:
        after = spans[1]
        return Edit(Span(span.line, span.column, after.line, after.column), "")
    return Edit(span, "")


def column_call(source: Source, span: Span | None, name: str) -> ast.Call | None:
    """The ``Column("name", …)`` inside the call at `span`."""
    call = source.call_at(span) if span is not None else None
    if call is None:
        return None
    for one in calls_in(call):
        called = source.dotted(one.func).rpartition(".")[2]
        if called == "Column" and one.args and literal(one.args[0]) == name:
            return one
    return None


def swap_literal(source: Source, node: ast.AST, old: str, new: str) -> Iterator[Edit]:
    """Every string `old` below `node` becomes `new`."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and one.value == old and isinstance(old, str):
            yield Edit(source.span(one), quoted(new, source.code(one)))


def swap_word(source: Source, node: ast.AST, old: str, new: str) -> Iterator[Edit]:
    """The name `old`, wherever a text below `node` has it as a word, becomes `new`."""
    word = re.compile(rf"(?<![\w$]){re.escape(old)}(?![\w$])", re.I)
    for one in ast.walk(node):
        plain = isinstance(one, ast.Constant) and isinstance(one.value, str)
        if plain and not isinstance(source.parents.get(one), ast.JoinedStr):
            code = source.code(one)
            if word.search(code):
                yield Edit(source.span(one), word.sub(new, code))


def counterparts(subject: Subject, of: Iterable[Done]) -> list[ast.stmt | None]:
    """The statements of downgrade() that undo these changes, and nothing else."""
    wanted = list(of)
    found = []
    for step in dict.fromkeys(one.step for one in subject.undone):
        changes = [one for one in subject.undone if one.step is step]
        if changes and all(
            any(done.change.is_undone_by(one.change) for done in wanted) for one in changes
        ):
            found.append(statement_at(subject.source, changes[0].span))
    return found


def without(subject: Subject, done: Done) -> list[Edit]:
    """The file without what `done` does, in upgrade() and in downgrade()."""
    source, others = subject.source, _others(subject, done)
    statement = statement_at(source, done.span)
    if statement is None:
        return []
    if all(type(one.change) is type(done.change) for one in others):
        # All of it has to go: the tables of a loop, or of DROP TABLE a, b.
        return remove(source, [statement, *counterparts(subject, [done, *others])])
    clauses = dict.fromkeys(one.change.clause for one in others)
    table = getattr(done.change, "table", None)
    if table is None or any(
        one.step is not done.step
        or getattr(one.change, "table", None) != table
        or isinstance(one.change, CreateTable)  # CREATE OR REPLACE TABLE: one word cannot be taken
        for one in others
    ):
        return []
    # The user's own ALTER TABLE, without this clause; and the one that takes it back.
    return [
        _alter(source, statement, table, clauses),
        *_counterpart_clauses(subject, done, table),
    ]


def _alter(source: Source, statement: ast.stmt, table: str, clauses: Iterable[str]) -> Edit:
    sql = f"ALTER TABLE {table} {', '.join(clauses)}"
    return replace(source, statement, f"op.execute({quoted(sql)})")


def _counterpart_clauses(subject: Subject, done: Done, table: str) -> Iterator[Edit]:
    """The statement of downgrade() that undoes `done` and more, without that clause."""
    for undone in subject.undone:
        if not done.change.is_undone_by(undone.change):
            continue
        statement = statement_at(subject.source, undone.span)
        if statement is None:
            return
        rest = [one for one in subject.undone if one.span == undone.span and one is not undone]
        alike = all(getattr(one.change, "table", None) == table for one in rest)
        if not rest:
            yield from remove(subject.source, [statement])
        elif alike and all(one.step is undone.step for one in rest):
            clauses = dict.fromkeys(one.change.clause for one in rest)
            yield _alter(subject.source, statement, table, clauses)
        return


def _others(subject: Subject, done: Done) -> list[Done]:
    """What else the same call does: in a loop, or in the same ALTER TABLE."""
    return [one for one in subject.done if one.span == done.span and one is not done]


def only_one(subject: Subject, done: Done) -> bool:
    """Does the call of `done` make this one change, and nothing else?"""
    return not _others(subject, done)


def _block(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    parent = source.parents.get(statement)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and statement in block:
            return block
    return [statement]


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _lines(source: Source, statement: ast.stmt) -> Span:
    """The whole lines of a statement, when nothing else stands on them."""
    span = source.span(statement)
    first, last = source.lines[span.line - 1], source.lines[span.end_line - 1]
    rest = last[span.end_column :].strip()
    if first[: span.column].strip() or (rest and not rest.startswith("#")):
        return span
    return Span(span.line, 0, span.end_line + 1, 0)


def argument_of_kind(source: Source, call: ast.Call, name: str) -> ast.expr | None:
    """The argument that is itself a call of `name`: ``ForeignKey(…)`` in a Column."""
    for one in call.args:
        if isinstance(one, ast.Call) and source.dotted(one.func).rpartition(".")[2] == name:
            return one
    return None
