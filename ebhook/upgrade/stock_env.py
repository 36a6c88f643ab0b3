"""Is an env.py the template of Alembic or Flask-Migrate, as it was installed?"""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ebhook.chain.version_file import parsed

_TEMPLATES = {"alembic": ("generic", "pyproject"), "flask_migrate": ("flask",)}


@lru_cache
def is_stock(env_py: Path) -> bool:
    """Is it the template of Alembic or Flask-Migrate, as installed, but for comments and line breaks?"""
    ours = _dumped(env_py)
    return ours is not None and any(
        ours == _dumped(Path(place, "templates", name, "env.py"))
        for package, names in _TEMPLATES.items()
        for name in names
        for place in getattr(find_spec(package), "submodule_search_locations", None) or ()
    )


def module_of(file: Path) -> ast.Module | None:
    """Without its docstrings, and other texts that stand alone."""
    try:
        tree = parsed(file.read_bytes())
    except (OSError, SyntaxError):
        return None
    tree.body = [node for node in tree.body if not _is_text(node)]
    return tree


def _dumped(file: Path) -> str | None:
    tree = module_of(file)
    try:
        return ast.dump(tree) if tree is not None else None
    except RecursionError:
        return None


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
