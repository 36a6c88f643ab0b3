"""Migrations that cannot leave anything behind in their process, told by their text.

A cache, an iterator that is used up, a connection that stays open: what one tenant's migration leaves in
a process is how tenants get mixed up. So a process goes on to another tenant only if all that ran in it is
of a kind that keeps nothing: version files that do no more than Alembic generates, and people write, day
by day, and an env.py as it came from its template. What is allowed is listed here; anything else is no
worse, but its process ends with its tenant.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ebhook.upgrade.project import Project
from ebhook.upgrade.stock_env import is_stock, module_of

_MODULES = ("sqlalchemy", "sqlalchemy.dialects", "sqlalchemy.sql", "sqlalchemy.types")
_BUILTINS = {
    "print", "len", "range", "enumerate", "zip", "sorted", "reversed", "list", "dict", "set", "tuple",
    "frozenset", "str", "bytes", "int", "float", "bool", "isinstance", "min", "max", "sum", "any", "all",
    "abs", "round", "repr", "next", "iter", "map", "filter",
    "Exception", "ValueError", "RuntimeError", "KeyError", "AssertionError",
}  # fmt: skip
_OTHER_BUILTINS = set(dir(builtins)) - _BUILTINS
# What leads from a library's objects of this run to what it shares, or registers something there.
_SHARED = {
    "event", "events", "orm", "ext", "pool", "engine", "engines", "util", "log", "inspection",
    "create_engine", "engine_from_config", "dialect", "config", "attributes", "environment_context", "script",
    "register_operation", "implementation_for", "listen", "listens_for",
}  # fmt: skip
_CONSTANT = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)
_NEVER = (ast.Global, ast.Nonlocal, ast.ClassDef, ast.AsyncFunctionDef, ast.Await, ast.NamedExpr)


def is_stateless(project: Project, revisions: Iterable[str]) -> bool:
    """Has a process that ran these revisions, under this project's env.py, nothing left of it?

    What an application's listeners to events of SQLAlchemy keep, nobody knows.
    """
    hooked = "on_version_apply" in getattr(_migrate(project), "configure_args", {})
    stock = not project.settings.env_py or (is_stock(project.env_py) and not hooked)
    return (
        stock
        and not project.app_listens
        and all(is_plain(project.chain.revisions[id].path) for id in revisions)
    )


def _migrate(project: Project) -> object:
    extensions: dict[str, object] = getattr(project.app, "extensions", {})
    return extensions.get("migrate")


@lru_cache(maxsize=1024)
def is_plain(version_file: Path) -> bool:
    """Is there nothing in it that could keep something?"""
    tree = module_of(version_file)
    if tree is None:
        return False
    nodes = list(ast.walk(tree))
    known = _BUILTINS.union(*map(_names, nodes))
    if known & _OTHER_BUILTINS:  # it gives one of these another meaning, in places
        return False
    heads = [node for one in tree.body for node in (one, *getattr(one, "targets", ()))]
    outside = set[str]().union(*map(_names, heads))
    # ``bind.dialect.name``, which migrations ask for, is a text, and leads nowhere.
    names = [one.value for one in nodes if isinstance(one, ast.Attribute) and one.attr == "name"]
    harmless = {
        id(one) for one in names if isinstance(one, ast.Attribute) and one.attr == "dialect"
    }
    return all(map(_is_plain_outside, tree.body)) and all(
        id(node) in harmless or _is_plain_inside(node, known, outside) for node in nodes
    )


def _names(node: ast.AST) -> set[str]:
    """What a node gives a name to."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        case ast.FunctionDef():
            return {node.name}
        case ast.ExceptHandler():
            return {node.name or ""}
        case ast.Name(ctx=ast.Store()):
            return {node.id}
        case ast.arg():
            return {node.arg}
    return set()


def _is_plain_outside(statement: ast.stmt) -> bool:
    """An import, a constant, a function."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return all(isinstance(one, ast.Name) for one in targets) and _is_constant(statement.value)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef)


def _is_constant(value: ast.expr | None) -> bool:
    return value is None or all(isinstance(node, _CONSTANT) for node in ast.walk(value))


def _is_plain_inside(node: ast.AST, known: set[str], outside: set[str]) -> bool:
    """Does a node, wherever it is, keep nothing?"""
    match node:
        case ast.Import():
            return all(_is_allowed(alias.name) and alias.asname for alias in node.names)
        case ast.ImportFrom():
            names = {alias.name for alias in node.names}
            if node.level or names & (_SHARED | {"*"}):
                return False
            return names == {"op"} if node.module == "alembic" else _is_allowed(node.module or "")
        case ast.FunctionDef():
            return not node.decorator_list
        case ast.arguments():
            return all(map(_is_constant, [*node.defaults, *node.kw_defaults]))
        case ast.Attribute():
            return (
                isinstance(node.ctx, ast.Load)
                and not node.attr.startswith("_")
                and node.attr not in _SHARED
            )
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return isinstance(node.value, ast.Name) and node.value.id not in outside
        case ast.Name():
            return node.id in known and not node.id.startswith("__")
    return not isinstance(node, _NEVER)


def _is_allowed(module: str) -> bool:
    return module in _MODULES or module.startswith(("sqlalchemy.dialects.", "sqlalchemy.sql."))
