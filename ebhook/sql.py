"""What a SQL statement is, and which objects it touches: just enough of MySQL's grammar to be sure.

Only the head of a statement is read. Whatever is not plain to see is said to be unknown, so that
nobody builds on a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a statement meets the transaction that it runs in."""

    READ = "read"  # changes nothing
    SESSION = "session"  # changes the session or the transaction, no data: SET, COMMIT, …
    DATA = "data"  # changes rows, inside the transaction
    DEFINITION = "definition"  # commits before and after itself: DDL
    OPAQUE = "opaque"  # may do anything: CALL, conditional comments, …


@dataclass(frozen=True)
class Object:
    """A named thing in a database: ``Object("TABLE", None, "cases")``."""

    kind: str  # TABLE, TRIGGER, PROCEDURE, FUNCTION, EVENT, DATABASE; a view counts as a TABLE
    schema: str | None
    name: str


@dataclass(frozen=True)
class Touched:
    """The objects that a DDL statement makes, changes or removes.

    `shows`: after the statement at least one of them looks different, or the statement did nothing
    that matters. `repeatable`: running it once more is as good as having run it once. `fills`: it
    also writes rows, so an object that is there may still be half filled.
    """

    objects: tuple[Object, ...]
    shows: bool = True
    repeatable: bool = False
    fills: bool = False


_SPACE = r"(?:\s|/\*(?!!).*?\*/|--(?:\s[^\n]*)?(?:\n|$)|\#[^\n]*(?:\n|$))"
_GAP = re.compile(f"{_SPACE}+", re.S)
_NAME = r"(?:`(?:[^`]|``)+`|[\w$]+)"
_QUALIFIED = re.compile(rf"({_NAME})(?:\s*\.\s*({_NAME}))?")
_STRINGS = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`", re.S)

_READS = {"SELECT", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "VALUES", "TABLE", "HELP", "CHECKSUM"}
_SESSIONS = {
    "SET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "LOCK", "UNLOCK",
    "DO", "FLUSH", "KILL",
}  # fmt: skip
_DATAS = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"}
_DEFINITIONS = {
    "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK",
    "GRANT", "REVOKE", "COMMENT",
}  # fmt: skip


def plain(sql: str) -> str:
    """`sql` without comments and with single spaces; what is in quotes stays as it is."""
    parts: list[str] = []
    position = 0
    while position < len(sql):
        gap = _GAP.match(sql, position)
        quoted = None if gap else _STRINGS.match(sql, position)
        if gap:
            parts.append(" ")
            position = gap.end()
        elif quoted:
            parts.append(quoted[0])
            position = quoted.end()
        else:
            parts.append(sql[position])
            position += 1
    return "".join(parts).strip().rstrip(";").rstrip()


def kind_of(sql: str) -> Kind:
    """What `sql` does to the transaction that it runs in."""
    text = plain(sql).lstrip("( ")
    word = re.match(r"[A-Za-z]+", text)
    verb = word[0].upper() if word else ""
    if "/*!" in text or "/*M!" in text:
        return Kind.OPAQUE
    if verb == "WITH":
        bare = _STRINGS.sub("''", text)
        found = re.search(r"\)\s*(SELECT|UPDATE|DELETE|INSERT|REPLACE|TABLE|VALUES)\b", bare, re.I)
        changes = re.search(r"\)\s*(UPDATE|DELETE|INSERT|REPLACE)\b", bare, re.I)
        return Kind.DATA if changes else Kind.READ if found else Kind.OPAQUE
    if verb in ("CREATE", "DROP") and re.match(r"\w+ TEMPORARY\b", text, re.I):
        return Kind.SESSION
    if verb in _READS:
        return Kind.READ
    if verb in _SESSIONS:
        return Kind.SESSION
    if verb in _DATAS:
        return Kind.DATA
    if verb in _DEFINITIONS:
        return Kind.DEFINITION
    return Kind.OPAQUE


def touched(sql: str) -> Touched | None:
    """The objects that a DDL statement touches; None when that is not plain to see."""
    text = plain(sql)
    for pattern, read in _FORMS:
        match = pattern.match(text)
        if match:
            return read(match, text[match.end() :])
    return None


def table_of(sql: str) -> str | None:
    """The one table of this database that a DDL statement touches; None when there is no such one."""
    found = touched(sql)
    if found is None or len(found.objects) != 1:
        return None
    one = found.objects[0]
    return one.name if one.kind == "TABLE" and one.schema is None else None


def _object(kind: str, rest: str) -> tuple[Object, str] | None:
    match = _QUALIFIED.match(rest.lstrip())
    if match is None:
        return None
    first, second = (_unquoted(part) if part else None for part in match.groups())
    assert first is not None
    schema, name = (first, second) if second is not None else (None, first)
    return Object(kind, schema, name), rest.lstrip()[match.end() :].lstrip()


def _unquoted(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _list(kind: str, rest: str) -> tuple[Object, ...] | None:
    found: list[Object] = []
    while True:
        one = _object(kind, rest)
        if one is None:
            return None
        found.append(one[0])
        rest = one[1]
        if not rest.startswith(","):
            return tuple(found)
        rest = rest[1:]


def _create_table(match: re.Match[str], rest: str) -> Touched | None:
    one = _object("TABLE", rest)
    if one is None:
        return None
    fills = re.search(r"\bSELECT\b|\bTABLE\b|\bVALUES\b", _STRINGS.sub("''", one[1]), re.I)
    like_or_plain = not fills or one[1].upper().startswith("LIKE")
    return Touched((one[0],), repeatable=bool(match["maybe"]), fills=not like_or_plain)


def _alter_table(match: re.Match[str], rest: str) -> Touched | None:
    one = _object("TABLE", rest)
    if one is None:
        return None
    hidden = re.search(
        r"\b(EXCHANGE|TRUNCATE|DISCARD|IMPORT|COALESCE|REORGANIZE|REBUILD)\b",
        _STRINGS.sub("''", one[1]),
        re.I,
    )
    return Touched((one[0],), shows=hidden is None)


def _on_table(match: re.Match[str], rest: str) -> Touched | None:
    index = _object("INDEX", rest)
    if index is None:
        return None
    on = re.search(r"(?:^|\s)ON\s+", index[1], re.I)
    one = _object("TABLE", index[1][on.end() :]) if on else None
    return Touched((one[0],)) if one else None


def _drop(match: re.Match[str], rest: str) -> Touched | None:
    kind = "TABLE" if match["kind"].upper() in ("TABLE", "VIEW") else match["kind"].upper()
    objects = _list(kind, rest)
    return Touched(objects, repeatable=bool(match["maybe"])) if objects else None


def _rename(match: re.Match[str], rest: str) -> Touched | None:
    found: list[Object] = []
    for part in rest.split(","):
        one = _object("TABLE", part)
        if one is None:
            return None
        found.append(one[0])
    return Touched(tuple(found))


def _made(match: re.Match[str], rest: str) -> Touched | None:
    kind = "TABLE" if match["kind"].upper() == "VIEW" else match["kind"].upper()
    one = _object(kind, rest)
    again = "OR REPLACE" in match[0].upper() or bool(match["maybe"])
    return Touched((one[0],), repeatable=again) if one else None


def _database(match: re.Match[str], rest: str) -> Touched | None:
    one = _object("DATABASE", rest)
    return Touched((one[0],)) if one else None


_FORMS = [
    (re.compile(pattern, re.I), read)
    for pattern, read in (
        (r"CREATE TABLE (?P<maybe>IF NOT EXISTS )?", _create_table),
        (r"ALTER (?:ONLINE |IGNORE )*TABLE (?:IF EXISTS )?", _alter_table),
        (r"CREATE (?:UNIQUE |FULLTEXT |SPATIAL )?INDEX (?:IF NOT EXISTS )?", _on_table),
        (r"DROP INDEX (?:IF EXISTS )?", _on_table),
        (
            r"DROP (?P<kind>TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT) (?P<maybe>IF EXISTS )?",
            _drop,
        ),
        (r"RENAME TABLE ", _rename),
        (
            r"CREATE (?:OR REPLACE )?(?:(?:ALGORITHM ?= ?\w+|DEFINER ?= ?\S+|SQL SECURITY \w+) )*"
            r"(?P<kind>VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT) (?P<maybe>IF NOT EXISTS )?",
            _made,
        ),
        (r"ALTER (?:DATABASE|SCHEMA) (?!DEFAULT\b|CHARACTER\b|CHARSET\b|COLLATE\b)", _database),
    )
]
