"""Values that are other ones each time, or on each instance: where a version file makes them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.source import Source

_MODULES = (
    "uuid.uuid", "random.", "secrets.", "numpy.random.", "socket.gethostname", "getpass.",
    "platform.",
)  # fmt: skip
_NAMES = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
    "datetime.date.today", "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime",
    "os.urandom", "os.getenv", "os.environ.get", "os.getpid", "sqlalchemy.func.now",
    "sqlalchemy.func.current_timestamp", "sqlalchemy.func.uuid", "sqlalchemy.func.rand",
    "sqlalchemy.func.utc_timestamp", "sqlalchemy.func.sysdate", "sqlalchemy.func.curdate",
    "alembic.context.get_x_argument",
}  # fmt: skip
_VALUES = ("os.environ", "sys.argv")


def passing(source: Source, node: ast.AST) -> Iterator[ast.expr]:
    """The expressions in `node` whose value is another one each time, or on each instance."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            name = source.dotted(one.func)
            if name in _NAMES or name.startswith(_MODULES):
                yield one
        elif isinstance(one, ast.Subscript) and source.dotted(one.value) in _VALUES:
            yield one
        elif isinstance(one, ast.Compare):  # "KEY" in os.environ
            yield from (
                each for each in one.comparators if source.dotted(each) in _VALUES
            )  # fmt: skip


def origins(source: Source, inside: ast.AST) -> dict[str, list[ast.expr]]:
    """Which names of the function around `inside` hold such a value, and where it came from."""
    function: ast.AST | None = inside
    while function is not None and not isinstance(function, (ast.FunctionDef, ast.Module)):
        function = source.parents.get(function)
    scopes = [one for one in (source.tree, function) if one is not None]
    found: dict[str, list[ast.expr]] = {}
    for _ in range(3):  # a = now(); b = a; c = [b]
        for scope in scopes:
            for node in _own_statements(scope):
                for target, value in _assigned(node):
                    nodes = list(passing(source, value))
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
