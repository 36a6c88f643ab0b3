"""EBH072: data gets a value that is another one each time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.changes import Data
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.source import Source, Span
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH072", "data gets a value that differs each time")

_MODULES = ("uuid.uuid", "random.", "secrets.", "numpy.random.", "socket.gethostname", "getpass.")
_NAMES = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime",
    "os.urandom", "os.getenv", "os.environ.get", "os.getpid", "sqlalchemy.func.now",
    "sqlalchemy.func.current_timestamp", "sqlalchemy.func.uuid", "sqlalchemy.func.rand",
    "sqlalchemy.func.utc_timestamp", "sqlalchemy.func.sysdate", "sqlalchemy.func.curdate",
}  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    said: set[Span] = set()
    for done in subject.done:
        if not isinstance(done.change, Data):
            continue
        python = list(_in_python(subject.source, done))
        for node in python:
            span = subject.source.span(node)
            if span not in said:
                said.add(span)
                yield _finding(subject, span, subject.source.code(node), done)
        if done.change.functions and not python and done.span is not None and done.span not in said:
            said.add(done.span)
            yield _finding(subject, done, " and ".join(done.change.functions), done)


def _finding(subject: Subject, at: Done | Span, what: str, done: Done) -> Finding:
    return subject.finding(
        RULE,
        at,
        f"{what} gives another value in each agency, and another one when the revision is run again: "
        "agencies that should be alike are not, and a revision that is resumed after a crash no "
        "longer issues the statement that it began with, so nobody can tell what is in. Write the "
        "value itself, or let a column's server default fill it.",
        example=_example(what),
    )


def _example(what: str) -> str:
    low = what.lower()
    if "uuid" in low:
        return '"1f0c9d3e-5a52-4c7e-9d0b-1f6f0a1b2c3d"  # one value, written down'
    if "rand" in low or "secrets" in low:
        return "42  # one value, written down"
    if "environ" in low or "getenv" in low or "host" in low:
        return '"…"  # the value itself: each server has another environment'
    return '"2026-01-31 12:00:00"  # one moment, written down'


def _in_python(source: Source, done: Done) -> Iterator[ast.expr]:
    """The calls that make the value, in the statement's own call or in what is given to it."""
    for span in done.step.spans:
        call = source.call_at(span)
        if call is None:
            continue
        yield from _passing(source, call)
        origins = _origins(source, call)
        names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
        for name in names & origins.keys():
            yield from origins[name]


def _passing(source: Source, node: ast.AST) -> Iterator[ast.expr]:
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            name = source.dotted(one.func)
            if name in _NAMES or name.startswith(_MODULES):
                yield one
        elif isinstance(one, ast.Subscript) and source.dotted(one.value) == "os.environ":
            yield one


def _origins(source: Source, call: ast.Call) -> dict[str, list[ast.expr]]:
    """Which names of the call's function hold such a value, and where it came from."""
    function: ast.AST | None = call
    while function is not None and not isinstance(function, (ast.FunctionDef, ast.Module)):
        function = source.parents.get(function)
    scopes = [one for one in (source.tree, function) if one is not None]
    found: dict[str, list[ast.expr]] = {}
    for _ in range(3):  # a = now(); b = a; c = [b]
        for scope in scopes:
            for node in _own_statements(scope):
                for target, value in _assigned(node):
                    nodes = list(_passing(source, value))
                    for one in ast.walk(value):
                        if isinstance(one, ast.Name) and one.id in found:
                            nodes.extend(found[one.id])
                    if nodes:
                        known = found.setdefault(target, [])
                        known.extend(one for one in nodes if one not in known)
    return found


def _own_statements(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module's top, or of a whole function."""
    if isinstance(scope, ast.Module):
        return (one for one in scope.body if isinstance(one, (ast.Assign, ast.AnnAssign)))
    return iter(ast.walk(scope))


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    targets: list[ast.expr] = []
    value: ast.expr | None = None
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr, ast.AugAssign)):
        targets, value = [node.target], node.value
    elif isinstance(node, (ast.For, ast.comprehension)):
        targets, value = [node.target], node.iter
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("append", "extend", "add", "update")
        and node.args
    ):
        targets, value = [node.func.value], node.args[0]
    if value is None:
        return
    for target in targets:
        base = target.value if isinstance(target, ast.Subscript) else target
        for one in ast.walk(base):
            if isinstance(one, ast.Name):
                yield one.id, value
