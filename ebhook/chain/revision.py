"""One version file: which revision it is, and after which ones. It is read, and never run."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from ebhook.chain.version_file import assignment, docstring, ids, literal_of, message, parsed
from ebhook.errors import ChainBroken
from ebhook.next_command import ebhook, then

_NAMES_OTHERS = re.compile(rb"^(?:depends_on|branch_labels)\b(?![^=\n]*=\s*None\b)", re.M)


@dataclass(frozen=True)
class Revision:
    """One version file. `parents` is empty for the first one, and several for a merge.

    `dependencies` is what depends_on names: ids, or labels until `ebhook.chain.graph.resolved`.
    """

    id: str
    parents: tuple[str, ...]
    message: str
    date: str | None
    path: Path
    checksum: str  # SHA-256 of the file, in hexadecimal
    dependencies: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # of the branch that begins here

    @property
    def requires(self) -> tuple[str, ...]:
        """What is applied before it: parents, then dependencies."""
        if not self.dependencies and len(self.parents) < 2:
            return self.parents
        return tuple(dict.fromkeys((*self.parents, *self.dependencies)))


def content_of(path: Path) -> bytes:
    """A version file's bytes. Raises `ChainBroken`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def checksum_of(content: bytes) -> str:
    """SHA-256 in hexadecimal, with line ends that count for nothing."""
    # A checkout with other line ends is the same revision.
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def said_by(content: bytes) -> tuple[str, str | None] | None:
    """The message and the date in a version file's docstring, without parsing the rest of it; None
    where that is not plain to see."""
    found = re.match(rb"\s*(\"\"\"|''')(.*?)\1", content, re.S)
    if found is None or b"\\" in found[2]:
        return None
    try:
        doc = cleandoc(found[2].decode().replace("\r\n", "\n"))
    except UnicodeDecodeError:
        return None
    return message(doc), _date(doc)


def names_others(content: bytes) -> bool:
    """May it have dependencies or labels, which chain.sum does not list?"""
    return _NAMES_OTHERS.search(content) is not None


def _date(doc: str) -> str | None:
    found = re.search(r"^Create Date: (.+)$", doc, re.M)
    return found[1].strip() if found else None


def _unreadable(path: Path, error: Exception) -> ChainBroken:
    line = getattr(error, "lineno", None)
    place = f"{path}, line {line}" if line else str(path)
    return ChainBroken(
        f"{place}: cannot be read: {getattr(error, 'msg', None) or error}.",
        "No database was touched.",
        then("Mend the file, then: ", ebhook("history")),
    )


def parse(path: Path, content: bytes) -> Revision:
    """The revision that a version file is, without running it. Raises `ChainBroken`."""
    try:
        module = parsed(content, str(path))
    except SyntaxError as error:
        raise _unreadable(path, error) from None
    id = _literal(module, "revision", path)
    if not isinstance(id, str) or not id:
        raise ChainBroken(
            f"{path}: has no revision = '…' at its top.",
            "No database was touched.",
            then(
                "Is it a version file? Mend it or move it out of the folder, then: ",
                ebhook("history"),
            ),
        )
    doc = docstring(module)
    return Revision(
        id=id,
        parents=ids(_literal(module, "down_revision", path)),
        message=message(doc) or path.stem,
        date=_date(doc),
        path=path,
        checksum=checksum_of(content),
        dependencies=ids(_literal(module, "depends_on", path)),
        labels=ids(_literal(module, "branch_labels", path)),
    )


def _literal(module: ast.Module, name: str, path: Path) -> object:
    node = assignment(module, name)
    if node is None:
        return None
    try:
        return literal_of(node.value)
    except ValueError as error:
        raise ChainBroken(
            f"{path}, line {node.lineno}: {name} is {error}.",
            "No database was touched.",
            then("Write the id itself there, then: ", ebhook("history")),
        ) from None
