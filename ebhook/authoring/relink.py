"""Re-parenting: `down_revision` and the "Revises" line of one file, and not one byte else."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import replace
from pathlib import Path

from ebhook.chain.graph import Chain, heads_of, in_order
from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken, UsageFailed
from ebhook.next_command import ebhook, then

_REVISES = re.compile(r"(?<=[\r\n])(Revises:)[^\S\r\n]*([^\r\n]*?)(?=[^\S\r\n]*(?:[\r\n]|\Z))")


def choose(
    revisions: dict[str, Revision], moved: str, onto: str | None
) -> tuple[Revision, Revision]:
    """The revision to move, and its new parent: `onto`, or the head that it does not lead to.

    Raises:
        UsageFailed: no such revision, or the chain would not be better for it.
        ChainBroken: a missing parent, or a cycle.
    """
    ordered = in_order(revisions)
    chain = Chain(ordered)
    revision = chain.find(moved)
    heads = heads_of(ordered)
    if onto is None:
        others = [id for id in heads if revision.id not in chain.lineage([id])]
        if len(others) != 1:
            raise UsageFailed(
                f"{revision.id} is on the way to every head: there is no other one to put it on."
                if not others
                else f"There are {len(others)} heads to put {revision.id} on: {', '.join(others)}.",
                next=then("See the chain: ", ebhook("chain", words=["--graph"]))
                if not others
                else then(
                    "Say which: ", ebhook("relink", words=[revision.id, "--onto", others[0]])
                ),
            )
        parent = ordered[others[0]]
    else:
        parent = chain.find(onto)
    _check(chain, heads, revision, parent)
    return revision, parent


def _check(chain: Chain, heads: tuple[str, ...], revision: Revision, parent: Revision) -> None:
    if len(revision.parents) > 1:
        raise UsageFailed(
            f"{revision.id} is a merge of {', '.join(revision.parents)}: it has no one parent.",
            next=then(
                "Relink the first revision of one of its branches: ",
                ebhook("chain", words=["--graph"]),
            ),
        )
    if revision.parents == (parent.id,):
        raise UsageFailed(
            f"{revision.id} is on {parent.id} already.",
            next=then("See the chain: ", ebhook("chain")),
        )
    if revision.id in chain.lineage([parent.id]):
        raise UsageFailed(
            f"{parent.id} builds on {revision.id}: the chain would go in a circle.",
            next=then("See the chain: ", ebhook("chain", words=["--graph"])),
        )
    after = {**chain.revisions, revision.id: replace(revision, parents=(parent.id,))}
    now = heads_of(after)
    if len(now) < len(heads) or len(now) == 1:
        return
    first = chain.first_of_branch(revision.id)
    raise UsageFailed(
        f"With {revision.id} on {parent.id} there would be {len(now)} heads: {', '.join(now)}.",
        next=then(
            f"Its branch begins with {first}: ",
            ebhook("relink", words=[first, "--onto", parent.id]),
        )
        if first != revision.id
        else then("Put it on a head: ", ebhook("heads")),
    )


def relink(path: Path, parent: str) -> None:
    """Writes `parent` as the one parent of a version file.

    Raises:
        ChainBroken: the file has no ``down_revision = …`` that can be replaced.
    """
    content = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    text = content.decode(encoding)
    new = relinked(text, parent, path)
    # "utf-8-sig" is the name of the codec that writes the mark at the start again.
    path.write_bytes(new.encode(encoding))


def relinked(text: str, parent: str, path: Path) -> str:
    """The text of a version file with another parent; line ends stay as they are."""
    module = ast.parse(text)
    place = _Places(text)
    value = _down_revision(module)
    if value is None:
        raise ChainBroken(
            f"{path}: has no down_revision = '…' at its top.",
            "Nothing was changed.",
            then("Write it, then: ", ebhook("chain", words=["--write"])),
        )
    start, end = place.of(value)
    quote = _quote(text, module, place, text[start:end])
    edits = [(start, end, f"{quote}{parent}{quote}")]
    doc = module.body[0] if ast.get_docstring(module, clean=False) is not None else None
    if doc is not None:
        begin, stop = place.of(doc)
        stop -= 3 if text[stop - 3 : stop] in ('"""', "'''") else 1
        # What is on the line after the colon, blanks included: an empty one may have none.
        found = _REVISES.search(text, begin, stop)
        if found is not None:
            edits.append((found.end(1), found.end(2), f" {parent}"))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _down_revision(module: ast.Module) -> ast.expr | None:
    """The value of the last assignment to `down_revision`, which is the one that counts."""
    found = None
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if any(isinstance(one, ast.Name) and one.id == "down_revision" for one in targets):
            found = statement.value
    return found


def _quote(text: str, module: ast.Module, place: _Places, old: str) -> str:
    """The quotation mark that the file uses: of the old value, or of ``revision`` beside it."""
    if old[:1] in ("'", '"'):
        return old[0]
    for statement in module.body:
        value = getattr(statement, "value", None)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            start, _ = place.of(value)
            if text[start] in ("'", '"') and text[start : start + 3] not in ('"""', "'''"):
                return text[start]
    return '"'


class _Places:
    """Where syntax is in a text: Python counts lines, and bytes of UTF-8 within them."""

    def __init__(self, text: str) -> None:
        # As the tokenizer ends lines; `str.splitlines` knows more ways.
        self._lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._place(node.lineno, node.col_offset),
            self._place(node.end_lineno, node.end_col_offset),
        )

    def _place(self, line: int, column: int) -> int:
        text = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(text)
