"""A version file's text and syntax tree: the one place that decodes it, parses it, and reads its names."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterable

from ebhook.errors import one_line


def decoded(content: bytes) -> str:
    """The text as Python itself decodes it: a coding line, a byte order mark. Raises `SyntaxError`."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise SyntaxError(f"cannot be decoded: {error}") from None


def parsed(content: bytes | str, name: str = "<version file>") -> ast.Module:
    """The syntax tree. Raises `SyntaxError`, also for what Python's own parser has no room for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are told when the file is imported
            return ast.parse(content, name)
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error) or "it is nested too deeply") from None


def assignment(module: ast.Module, name: str) -> ast.Assign | ast.AnnAssign | None:
    """Where a file says ``name = …`` at its top; the last time counts."""
    for node in reversed(module.body):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        else:
            continue
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            return node
    return None


def literal_of(node: ast.expr | None) -> object:
    """The value of a literal. Raises `ValueError` for any other expression."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise ValueError("not a plain literal") from None


def ids(value: object) -> tuple[str, ...]:
    """What down_revision or depends_on names: none, one, or several revisions."""
    if isinstance(value, str):
        return (value,)
    several = value if isinstance(value, Iterable) and not isinstance(value, (bytes, dict)) else ()
    return tuple(str(one) for one in several)


def docstring(module: ast.Module | None) -> str:
    """The text at the file's top; its first line is the message."""
    return (ast.get_docstring(module) or "") if module is not None else ""


def message(doc: str) -> str:
    return one_line(doc.partition("\n")[0].strip())
