"""A version file as text and syntax tree: where things stand, and how they can be rewritten."""

from __future__ import annotations

import ast
import difflib
import io
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ebhook.chain import version_file


@dataclass(frozen=True, order=True)
class Span:
    """A place in a file. Lines count from 1, columns (of characters) from 0; the end is outside."""

    line: int
    column: int
    end_line: int
    end_column: int

    def holds(self, other: Span) -> bool:
        return (self.line, self.column) <= (other.line, other.column) and (
            other.end_line,
            other.end_column,
        ) <= (self.end_line, self.end_column)


@dataclass(frozen=True)
class Edit:
    """Replace what is at `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, eq=False)
class Source:
    """One file. `tree` is None when Python cannot read it."""

    path: Path
    text: str
    tree: ast.Module | None

    @cached_property
    def lines(self) -> list[str]:
        return list(io.StringIO(self.text))

    def span(self, node: ast.AST) -> Span:
        """Where a node stands, in characters (Python counts bytes)."""
        line, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        return self.span_of_bytes(
            line, getattr(node, "col_offset", 0), end, getattr(node, "end_col_offset", 0)
        )

    def span_of_bytes(self, line: int, column: int, end_line: int, end_column: int) -> Span:
        return Span(
            line, self._characters(line, column), end_line, self._characters(end_line, end_column)
        )

    def _characters(self, line: int, column: int) -> int:
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return column if text.isascii() else len(text.encode()[:column].decode("utf-8", "replace"))

    def line_span(self, line: int) -> Span:
        """All of a line but its indent."""
        text = self.lines[line - 1].rstrip("\r\n") if 0 < line <= len(self.lines) else ""
        return Span(line, len(text) - len(text.lstrip()), line, len(text))

    def segment(self, span: Span) -> str:
        lines = self.lines[span.line - 1 : span.end_line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: span.end_column]
        lines[0] = lines[0][span.column :]
        return "".join(lines)

    def code(self, node: ast.AST) -> str:
        return self.segment(self.span(node))

    def dedented(self, statement: ast.stmt) -> str:
        """A statement's code, moved to the left edge."""
        return textwrap.dedent(" " * self.span(statement).column + self.code(statement))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree)) if self.tree is not None else ()

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def _calls(self) -> dict[Span, ast.Call]:
        return {self.span(node): node for node in self.nodes if isinstance(node, ast.Call)}

    def call_at(self, span: Span) -> ast.Call | None:
        return self._calls.get(span)

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        found: ast.AST | None = node
        while found is not None and not isinstance(found, ast.stmt):
            found = self.parents.get(found)
        return found

    def function(self, name: str) -> ast.FunctionDef | None:
        """A function at the top of the file; the last one of that name counts."""
        if self.tree is None:
            return None
        found = [
            node
            for node in self.tree.body
            if isinstance(node, ast.FunctionDef) and node.name == name
        ]
        return found[-1] if found else None

    def assignment(self, name: str) -> ast.Assign | ast.AnnAssign | None:
        """Where the file says ``name = …`` at its top; the last time counts."""
        return version_file.assignment(self.tree, name) if self.tree is not None else None

    def value(self, name: str) -> object:
        """The literal that the file assigns to `name` at its top; None when there is none."""
        node = self.assignment(name)
        try:
            return version_file.literal_of(node.value) if node is not None else None
        except ValueError:
            return None

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name means: ``{"sa": "sqlalchemy", "dt": "datetime.datetime"}``."""
        found: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for one in node.names:
                    name = one.asname or one.name.partition(".")[0]
                    found[name] = one.name if one.asname else name
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for one in node.names:
                    found[one.asname or one.name] = f"{node.module}.{one.name}"
        return found

    def dotted(self, node: ast.AST) -> str:
        """What a name or attribute means: ``dt.now`` is ``datetime.datetime.now``."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        parts.append(self.imports.get(node.id, node.id))
        return ".".join(reversed(parts))

    def apply(self, edits: Iterable[Edit]) -> str:
        """The file's text after `edits`, which do not overlap."""
        lines = [*self.lines, ""]
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        text = self.text
        for edit in sorted(edits, key=lambda one: one.span, reverse=True):
            begin = starts[edit.span.line - 1] + edit.span.column
            end = starts[edit.span.end_line - 1] + edit.span.end_column
            text = text[:begin] + edit.text + text[end:]
        return text

    def diff(self, edits: Iterable[Edit]) -> str:
        """What `edits` change, as lines with ``-`` and ``+``."""
        after = self.apply(edits).splitlines()
        before = self.text.splitlines()
        found: list[str] = []
        for line in difflib.unified_diff(before, after, lineterm="", n=0):
            if line.startswith(("---", "+++")):
                continue
            if line.startswith("@@"):
                if found:
                    found.append("  …")
                continue
            found.append(f"{line[0]} {line[1:]}".rstrip())
        return "\n".join(found)


def try_source(path: Path) -> tuple[Source, SyntaxError | None]:
    """The file, and what Python has against it."""
    content = path.read_bytes()
    try:
        text = version_file.decoded(content)
    except SyntaxError as error:
        return Source(path, content.decode("utf-8", "replace"), None), error
    try:
        return Source(path, text, version_file.parsed(text, str(path))), None
    except SyntaxError as error:
        return Source(path, text, None), error


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """An argument that may be given by place or by name."""
    if position < len(call.args) and not any(
        isinstance(one, ast.Starred) for one in call.args[: position + 1]
    ):
        return call.args[position]
    return keyword(call, name)


def literal(node: ast.AST | None) -> object:
    """The value of a literal; None for everything else."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("f", "text")
        and len(node.args) == 1
    ):
        return literal(node.args[0])
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))
