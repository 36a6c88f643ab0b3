"""``chain.sum``: the chain in one small file beside the versions, one line per revision, in order.

Two branches that each add a revision change the same lines, so git stops at the merge, where two
heads would otherwise show at the next deploy. A file that is edited, forgotten or left over shows
too. And a boot need not parse 500 files: it compares their checksums.

    # ebhook chain.sum 1 …
    <revision> <parents, with commas, or base> <SHA-256 of the file> <file>
    head <revision or base> <SHA-256 of all lines above>

Ids are percent-encoded where they hold more than letters, digits, ``_``, ``.``, ``-`` and ``~``.
Pure: reading the versions is `ebhook.chain.folder`'s.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from urllib.parse import quote, unquote

from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken
from ebhook.next_command import ebhook, then

FILE_NAME = "chain.sum"

_FIRST = "# ebhook chain.sum 1"
_HEADING = (
    f"{_FIRST}: the chain in order, with a checksum of each file. Written by ebhook.",
    "# A conflict here is two branches that each add a revision: ebhook relink, or ebhook merge.",
)
_LINE = re.compile(r"([\w.~%-]+) ([\w.~%,-]+) ([0-9a-f]{64}) (\S.*)", re.ASCII)
_LAST = re.compile(r"head ([\w.~%-]+) ([0-9a-f]{64})", re.ASCII)
_BASE = "base"
_WRITE = then("Look at the versions, then write it anew: ", ebhook("chain", words=["--write"]))


@dataclass(frozen=True)
class Line:
    """A revision as it was when chain.sum was written. `file` is relative to the folder."""

    id: str
    parents: tuple[str, ...]
    checksum: str
    file: str


class LineChange(StrEnum):
    """How a version file and its line differ."""

    UNLISTED = "unlisted"  # a file without a line
    ABSENT = "absent"  # a line without a file
    MOVED = "moved"  # the file says another id or other parents
    EDITED = "edited"  # the file's content changed; its id and parents did not


@dataclass(frozen=True)
class ChecksumDifference:
    change: LineChange
    id: str
    file: str


def read(folder: Path) -> tuple[Line, ...] | None:
    """The lines of a migrations folder's chain.sum; None when it has none.

    Raises:
        ChainBroken: conflict markers, or anything else that ebhook did not write.
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}") from None
    return parse(text, path)


def parse(text: str, path: Path) -> tuple[Line, ...]:
    """The lines of a chain.sum's text; `path` is for messages. Raises `ChainBroken`."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        if re.match(r"(<{7}|>{7}|\|{7})( |$)|={7}$", line):
            raise ChainBroken(
                f"{path}, line {number}: has the marks of a git conflict: two branches each "
                "changed the chain.",
                "No database was touched.",
                then(
                    "See what each added: ",
                    ebhook("chain"),
                    ". Put one branch on top of the other, or join them, as that says; it is written "
                    "anew by: ",
                    ebhook("chain", words=["--write"]),
                ),
            )
    if not lines[0].startswith(_FIRST + ":"):
        raise _broken(path, "was not written by this release of ebhook")
    *body, last = [line for line in lines if not line.startswith("#")] or [""]
    matches = [_LINE.fullmatch(line) for line in body]
    ending = _LAST.fullmatch(last)
    found = tuple(_line(match) for match in matches if match)
    if ending is None or len(found) < len(body):
        raise _broken(path, "is damaged")
    if render(found).split("\n")[-2] != last:
        raise _broken(path, "was changed by hand, or by a merge")
    return found


def render(lines: Iterable[Line]) -> str:
    """The text of a chain.sum. `lines` are in the chain's order, and the last one is the head."""
    listed = list(lines)
    body = [
        f"{quote(one.id, safe='')} {','.join(quote(id, safe='') for id in one.parents) or _BASE} "
        f"{one.checksum} {one.file}"
        for one in listed
    ]
    # Without the heading: another release may word it otherwise.
    seal = hashlib.sha256("\n".join(body).encode("utf-8", "surrogateescape")).hexdigest()
    head = quote(listed[-1].id, safe="") if listed else _BASE
    return "\n".join([*_HEADING, *body, f"head {head} {seal}", ""])


def lines_of(folder: Path, revisions: Iterable[Revision]) -> tuple[Line, ...]:
    """What chain.sum should have for `revisions`, which are in the chain's order."""
    return tuple(
        Line(one.id, one.parents, one.checksum, relative(folder, one.path)) for one in revisions
    )


def write(folder: Path, revisions: Iterable[Revision]) -> bool:
    """Writes the chain.sum of a chain that was read and checked; False when it said so already."""
    path = folder / FILE_NAME
    content = render(lines_of(folder, revisions)).encode("utf-8", "surrogateescape")
    if path.is_file() and path.read_bytes().replace(b"\r\n", b"\n") == content:
        return False
    part = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)
    return True


def compare(
    folder: Path, listed: Iterable[Line], revisions: Mapping[str, Revision]
) -> tuple[ChecksumDifference, ...]:
    """How the version files differ from what chain.sum lists; empty when they do not."""
    by_file = {line.file: line for line in listed}
    found = []
    for revision in revisions.values():
        file = relative(folder, revision.path)
        line = by_file.pop(file, None)
        if line is None:
            found.append(ChecksumDifference(LineChange.UNLISTED, revision.id, file))
        elif (line.id, set(line.parents)) != (revision.id, set(revision.parents)):
            found.append(ChecksumDifference(LineChange.MOVED, revision.id, file))
        elif line.checksum != revision.checksum:
            found.append(ChecksumDifference(LineChange.EDITED, revision.id, file))
    found.extend(
        ChecksumDifference(LineChange.ABSENT, line.id, line.file) for line in by_file.values()
    )
    return tuple(found)


def stale(folder: Path, differences: Iterable[ChecksumDifference]) -> ChainBroken:
    """The error for a chain.sum that lists another chain than the files are."""
    words = {
        LineChange.UNLISTED: "is not in it",
        LineChange.ABSENT: "is in it, but there is no such file",
        LineChange.MOVED: "has another id or down_revision now",
        LineChange.EDITED: "was edited since",
    }
    told = "".join(f"\n  {one.file} ({one.id}) {words[one.change]}" for one in differences)
    return ChainBroken(
        f"{folder / FILE_NAME} does not list this chain:{told}\n",
        "No database was touched.",
        then(
            "Was a file left out of the bundle or the commit? Add it. Else: ",
            ebhook("chain", words=["--write"]),
        ),
    )


def relative(folder: Path, path: Path) -> str:
    """`path` as chain.sum has it."""
    place = _way(str(folder), os.path.dirname(path))
    return os.path.join(place, path.name) if place != "." else path.name


@cache  # one for all files of a folder
def _way(start: str, folder: str) -> str:
    return os.path.relpath(folder or ".", start)


def _line(match: re.Match[str]) -> Line:
    id, parents, checksum, file = match.groups()
    ids = () if parents == _BASE else tuple(unquote(one) for one in parents.split(","))
    return Line(unquote(id), ids, checksum, file)


def _broken(path: Path, what: str) -> ChainBroken:
    return ChainBroken(f"{path} {what}.", "No database was touched.", _WRITE)
