"""Is a version file no more than a list of operations? Then to run it runs nothing of its author's.

For ``lint --no-run``: pull requests from strangers are judged by their text. What is allowed is listed
here: imports of Alembic and SQLAlchemy, literals at the top, and in the functions calls of ``op``
with literals, and with SQLAlchemy's own columns, types and constraints.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

_MODULES = ("alembic", "sqlalchemy", "sqlalchemy.dialects", "sqlalchemy.dialects.mysql")
_NO_OPERATIONS = {
    "get_bind",
    "get_context",
    "invoke",
    "run_async",
    "register_operation",
    "inline_literal",
}
_LOWER = {"text", "null", "true", "false", "literal", "column", "table"}


def not_plain(tree: ast.Module) -> ast.AST | None:
    """The first part that is more than that; None when there is none."""
    names: dict[str, str] = {}
    for statement in tree.body:
        found = _top(statement, names)
        if found is not None:
            return found
    return None


def _top(statement: ast.stmt, names: dict[str, str]) -> ast.AST | None:
    match statement:
        case ast.Expr(value=ast.Constant()):
            return None
        case ast.Import() | ast.ImportFrom():
            return None if _imported(statement, names) else statement
        case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
            value = statement.value
            return None if value is None or _is_literal(value) else statement
        case ast.FunctionDef(name="upgrade" | "downgrade", decorator_list=[]):
            if statement.args.defaults or statement.args.kw_defaults:
                return statement
            return next(_beyond(statement.body, names), None)
    return statement


def _imported(statement: ast.Import | ast.ImportFrom, names: dict[str, str]) -> bool:
    if isinstance(statement, ast.Import):
        for one in statement.names:
            if one.name not in _MODULES:
                return False
            names[one.asname or one.name.partition(".")[0]] = (
                one.name if one.asname else "sqlalchemy"
            )
        return True
    if statement.level or statement.module == "__future__":
        return statement.module == "__future__"
    for one in statement.names:
        full = f"{statement.module}.{one.name}"
        is_type = one.name[:1].isupper() and statement.module in _MODULES
        if full not in ("alembic.op", *_MODULES) and not is_type:
            return False
        names[one.asname or one.name] = full
    return True


def _beyond(body: list[ast.stmt], names: dict[str, str]) -> Iterator[ast.AST]:
    for statement in body:
        match statement:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                continue
            case ast.Expr(value=ast.Call() as call):
                if not _is_operation(call, names):
                    yield statement
            case _:
                yield statement


def _is_operation(call: ast.Call, names: dict[str, str]) -> bool:
    function = call.func
    if not isinstance(function, ast.Attribute) or function.attr in _NO_OPERATIONS:
        return False
    on_op = isinstance(function.value, ast.Name) and names.get(function.value.id) == "alembic.op"
    return on_op and not function.attr.startswith("_") and _has_plain_arguments(call, names)


def _has_plain_arguments(call: ast.Call, names: dict[str, str]) -> bool:
    values = [*call.args, *(one.value for one in call.keywords)]
    return all(one.arg for one in call.keywords) and all(_is_value(one, names) for one in values)


def _is_value(node: ast.expr, names: dict[str, str]) -> bool:
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return all(_is_value(one, names) for one in parts)
        case ast.Dict():
            keys = [one for one in node.keys if one is not None]
            same = len(keys) == len(node.values)
            return same and all(_is_value(one, names) for one in (*keys, *node.values))
        case ast.Call(func=function):
            known = _of_sqlalchemy(function, names) or _is_name_maker(function, names)
            return known and _has_plain_arguments(node, names)
        case ast.Attribute() | ast.Name():
            return _of_sqlalchemy(node, names)
    return _is_literal(node)


def _of_sqlalchemy(node: ast.expr, names: dict[str, str]) -> bool:
    """A type, a column, a constraint: ``sa.Column``, ``mysql.TINYINT``, ``sa.text``."""
    if isinstance(node, ast.Name):
        return node.id in names and node.id[:1].isupper()
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return False
    module = names.get(node.value.id, "")
    return module in _MODULES[1:] and (node.attr[:1].isupper() or node.attr in _LOWER)


def _is_name_maker(node: ast.expr, names: dict[str, str]) -> bool:
    """``op.f("…")``."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "f"
        and isinstance(node.value, ast.Name)
        and names.get(node.value.id) == "alembic.op"
    )


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True
