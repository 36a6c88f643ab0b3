"""EBH081: env.py changes something by itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.rewrite import remove
from ebhook.lint.source import Source
from ebhook.lint.subject import WholeChain

RULE = Rule("EBH081", "env.py changes something by itself")

_METHODS = {
    "create_all": "makes tables",
    "drop_all": "drops tables",
    "execute": "runs a statement",
    "exec_driver_sql": "runs a statement",
    "commit": "commits",
    "create_database": "makes a database",
    "drop_database": "drops a database",
    "stamp": "moves the version",
}
_PATHS = {
    "os.system": "starts a program",
    "os.remove": "deletes a file",
    "os.unlink": "deletes a file",
    "os.makedirs": "makes folders",
    "shutil.": "changes files",
    "subprocess.": "starts a program",
    "requests.": "calls another service",
    "urllib.request.": "calls another service",
    "httpx.": "calls another service",
    "alembic.op.": "runs an operation",
    "alembic.command.": "runs a command of Alembic",
    "logging.shutdown": "ends logging",
}


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    source = whole.env_py
    if source is None:
        return
    for node in source.nodes:
        what = _effect(source, node)
        if what is None:
            continue
        statement = source.statement_of(node)
        alone = isinstance(statement, ast.Expr) and statement.value is node
        yield Finding(
            RULE,
            source.path,
            source.span(node),
            f"env.py {what}. It runs at every boot, on every instance, once more for a rehearsal, and "
            "not under a tenant's lock or journal: several instances do it at once, and a crash in "
            "the middle of it is nobody's to repair. What changes a database belongs in a revision; "
            "what changes anything else, outside of migrations/.",
            edits=tuple(remove(source, [statement])) if alone and statement is not None else (),
            example="# not here: in a revision",
        )


def _effect(source: Source, node: ast.AST) -> str | None:
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Delete)):
        targets = node.targets if isinstance(node, (ast.Assign, ast.Delete)) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and source.dotted(target.value) == "os.environ":
                return "changes the environment of the whole process (os.environ)"
        return None
    if not isinstance(node, ast.Call):
        return None
    name = source.dotted(node.func)
    for path, effect in _PATHS.items():
        if name == path or (path.endswith(".") and name.startswith(path)):
            return f"{effect} ({name})"
    if name in ("os.environ.setdefault", "os.environ.update", "os.putenv"):
        return f"changes the environment of the whole process ({name})"
    if name == "open" and len(node.args) > 1 and re.search("[wax+]", source.code(node.args[1])):
        return "writes a file"
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in _METHODS and not _harmless(source, node, method):
        return f"{_METHODS[method]} ({method})"
    return None


def _harmless(source: Source, node: ast.Call, method: str) -> bool:
    """A SELECT, or a setting of the session."""
    if method not in ("execute", "exec_driver_sql") or not node.args:
        return False
    text = source.code(node.args[0])
    words = re.search(r"""["']\s*(\w+)""", text)
    return words is not None and words[1].upper() in ("SELECT", "SET", "SHOW", "USE")
