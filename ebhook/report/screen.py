"""Texts as a terminal shows them: state words in colour, lines broken between words and not within
commands. Piped, and with NO_COLOR, a text stays as it is."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import TextIO

# Marks around a word that has a colour: they pass what makes texts harmless, and become escapes last.
_MARKS = {"red": "\ue001", "green": "\ue002", "yellow": "\ue003", "cyan": "\ue004"}
_END = "\ue000"
_ESCAPES = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "cyan": "\x1b[36m"}
_COLOURS = {
    **dict.fromkeys(
        ("failed", "refused", "unreachable", "unknown", "unknown revision", "fail"), "red"
    ),
    **dict.fromkeys(("behind", "empty", "skipped", "locked", "warn", "differs"), "yellow"),
    **dict.fromkeys(("upgraded", "downgraded", "at head", "ahead", "ok", "there already"), "green"),
    "frozen": "cyan",
}
_NARROWEST = 20  # columns that a text is broken into at the least


def painted(cell: str) -> str:
    """A table's cell with its colour's marks, when it is a word of state or outcome."""
    colour = _COLOURS.get(cell.strip())
    return f"{_MARKS[colour]}{cell}{_END}" if colour else cell


def width_of(text: str) -> int:
    """The columns that a terminal needs for it."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def columns() -> int | None:
    """How wide standard output's terminal is; None when it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def has_colours(stream: TextIO) -> bool:
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    return stream.isatty() and not dumb and not os.environ.get("NO_COLOR")


def coloured(text: str, *, colours: bool) -> str:
    """`text` with its marks as escapes, or without them."""
    for name, mark in _MARKS.items():
        text = text.replace(mark, _ESCAPES[name] if colours else "")
    return text.replace(_END, "\x1b[0m" if colours else "")


def broken(text: str, width: int | None) -> str:
    """`text` with its prose broken between words; SQL, differences and tables are left as they are."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    if width_of(line) <= width or line.startswith(("    ", "+", "-", "@")) or _END in line:
        return [line]
    indent = re.match(r" *", line)[0]  # type: ignore[index]
    found, current = [], indent
    for word in filter(None, line.split(" ")):
        if current.strip() and width_of(current) + 1 + width_of(word) > max(width, _NARROWEST):
            found.append(current)
            current = f"{indent or '  '}{word}"
        else:
            current += word if not current.strip() else f" {word}"
    return [*found, current]


def laid_out(lines: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """A table's lines, the headings first, its columns aligned. Where a terminal is too narrow, the
    widest columns are broken between words; where that does not help, the longest lines flow over
    several."""
    states = [heading in _STATES for heading in lines[0]]
    widths = _widths(lines, width)
    if widths is not None:
        return [part for line in lines for part in _folded(line, widths, states)]
    assert width is not None
    short = sorted(lines[1:], key=lambda line: sum(map(width_of, line)))
    while widths is None and short:
        short.pop()
        widths = _widths([lines[0], *short], width)
    if widths is None:
        return [part for line in lines for part in _flowing(line, width, states)]
    fits = [lines[0], *short]
    return [
        part
        for line in lines
        for part in (
            _folded(line, widths, states) if line in fits else _flowing(line, width, states)
        )
    ]


_INDENT = " " * 6  # of what flows over to a further line
_STATES = ("", "state", "outcome")  # the headings of what may have a colour


def _widths(lines: Sequence[Sequence[str]], width: int | None) -> list[int] | None:
    """How wide each column may be; None: no word would fit."""
    count = len(lines[0])
    widths = [max(width_of(line[i]) for line in lines) for i in range(count)]
    least = [max(width_of(w) for line in lines for w in line[i].split(" ")) for i in range(count)]
    while width is not None and sum(widths) + 2 * (count - 1) > width:
        wide = [i for i in range(1, count) if widths[i] > least[i]]
        if not wide:
            return None
        widths[max(wide, key=lambda i: widths[i])] -= 1
    return widths


def _folded(line: Sequence[str], widths: Sequence[int], states: Sequence[bool]) -> list[str]:
    cells = [_words(cell, width) for cell, width in zip(line, widths, strict=True)]
    found = []
    for n in range(max(map(len, cells))):
        parts = [cell[n] if n < len(cell) else "" for cell in cells]
        padded = (
            (painted(part) if is_state else part) + " " * (width - width_of(part))
            for part, width, is_state in zip(parts, widths, states, strict=True)
        )
        found.append("  ".join(padded).rstrip())
    return found


def _flowing(line: Sequence[str], width: int, states: Sequence[bool]) -> list[str]:
    found, current = [], ""
    for cell, is_state in zip(line, states, strict=True):
        if not cell:
            continue
        shown = painted(cell) if is_state else cell
        if current and width_of(current) + 2 + width_of(cell) > width:
            found.append(current)
            *more, shown = _words(cell, width - len(_INDENT))
            found += [_INDENT + part for part in more]
            current = _INDENT + shown
        else:
            current += f"  {shown}" if current else shown
    return [*found, current]


def _words(cell: str, width: int) -> list[str]:
    if width_of(cell) <= width:
        return [cell]
    found = [""]
    for word in cell.split(" "):
        if found[-1] and width_of(found[-1]) + 1 + width_of(word) > width:
            found.append(word)
        else:
            found[-1] += f" {word}" if found[-1] else word
    return found


def said_seconds(seconds: float) -> str:
    """``0.08 s``, ``2.5 s``, ``34 s``, ``2 min 5 s``: no more digits than mean something."""
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    digits = 2 if seconds < 0.1 else 1 if seconds < 10 else 0
    return f"{seconds:.{digits}f} s"
