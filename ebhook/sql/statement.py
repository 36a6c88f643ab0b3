"""What a SQL statement is, and which objects it touches: just enough of MySQL's grammar to be sure.

Only the head of a statement is read. Whatever is not plain to see is said to be unknown, so that
nobody builds on a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache


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

    `shows`: after the statement each of them looks different, or the statement did nothing that
    matters. `repeatable`: running it once more is as good as having run it once. `fills`: it also
    writes rows, so an object that is there may still be half filled. `vanishes`: what it makes may be
    gone again by itself (an event that has fired).
    """

    objects: tuple[Object, ...]
    shows: bool = True
    repeatable: bool = False
    fills: bool = False
    vanishes: bool = False


_SPACE = r"(?:\s|/\*(?!M?!).*?\*/|--(?:\s[^\n]*)?(?:\n|$)|\#[^\n]*(?:\n|$))"
# Of an unquoted name: what MySQL takes for a letter is more than \w.
LETTER = r"[\w$\u0080-\uffff]"
_NAME = rf"""(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|{LETTER}+)"""  # "…" in sql_mode ANSI_QUOTES
_QUALIFIED = re.compile(rf"({_NAME})(?:\s*\.\s*({_NAME}))?")
_QUOTED = r"""'(?:[^'\\]++|\\.|'')*+'|"(?:[^"\\]++|\\.|"")*+"|`(?:[^`]++|``)*+`"""
_STRINGS = re.compile(_QUOTED, re.S)
_BESIDE_NAMES = re.compile(rf" ?(?<!@)(`(?:[^`]|``)+`)(?!@) ?|{_QUOTED}", re.S)
_PARTS = re.compile(f"(?P<quoted>{_QUOTED})|{_SPACE}+", re.S)

_READS = {"SELECT", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "VALUES", "TABLE", "HELP", "CHECKSUM"}
_SESSIONS = {
    "SET", "USE", "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "LOCK", "UNLOCK",
    "DO", "FLUSH", "KILL", "PREPARE", "DEALLOCATE",
}  # fmt: skip
_DATAS = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD"}
_DEFINITIONS = {
    "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "OPTIMIZE", "REPAIR", "CHECK", "GRANT", "REVOKE",
}  # fmt: skip
_CALLED = re.compile(r"([\w$`]+) ?\(")
_HARMLESS = {
    "SLEEP", "BENCHMARK", "LAST_INSERT_ID", "GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS",
    "IS_FREE_LOCK", "IS_USED_LOCK",
}  # fmt: skip
_TEMPORARY = re.compile(
    r"(?P<verb>CREATE|DROP) (?:OR REPLACE )?TEMPORARY TABLES? (?:IF (?:NOT )?EXISTS )?(?P<rest>.*)",
    re.I | re.S,
)


@lru_cache(maxsize=8)
def plain(sql: str) -> str:
    """`sql` without comments and with single spaces; what is in quotes stays as it is."""
    text = _PARTS.sub(lambda part: part["quoted"] or " ", sql)
    return text.strip().rstrip(";").rstrip()


def kind_of(sql: str) -> Kind:
    """What `sql` does to the transaction that it runs in."""
    text, words = plain(sql).lstrip("( "), bare(sql).lstrip("( ")
    word = re.match(r"[A-Za-z]+", text)
    verb = word[0].upper() if word else ""
    if "/*!" in words or "/*M!" in words:
        return Kind.OPAQUE
    if verb == "WITH":
        found = re.search(r"\)\s*(SELECT|UPDATE|DELETE|INSERT|REPLACE|TABLE|VALUES)\b", words, re.I)
        changes = re.search(r"\)\s*(UPDATE|DELETE|INSERT|REPLACE)\b", words, re.I)
        return Kind.DATA if changes else Kind.READ if found else Kind.OPAQUE
    if verb == "SET" and (inner := re.match(r"SET STATEMENT .*? FOR ", words, re.I | re.S)):
        return kind_of(words[inner.end() :])  # MariaDB: a variable for one statement
    if verb == "ANALYZE":  # MariaDB also has ANALYZE UPDATE …, which runs it
        table = re.match(r"ANALYZE (?:(?:NO_WRITE_TO_BINLOG|LOCAL) )?TABLES? ", words, re.I)
        return Kind.DEFINITION if table else Kind.OPAQUE
    if verb == "BEGIN" and re.match(r"BEGIN NOT ATOMIC\b", words, re.I):
        return Kind.OPAQUE  # MariaDB: a routine without a name
    if verb == "DO" and not _HARMLESS.issuperset(map(str.upper, _CALLED.findall(words))):
        return Kind.DATA  # of a function that may change rows
    if _TEMPORARY.match(text):
        return Kind.SESSION
    if verb in _READS:
        return Kind.READ
    if verb in _SESSIONS:
        return Kind.SESSION
    if verb == "LOAD" and re.match(r"LOAD INDEX\b", text, re.I):
        return Kind.OPAQUE
    if verb in _DATAS:
        return Kind.DATA
    if verb in _DEFINITIONS:
        return Kind.DEFINITION
    return Kind.OPAQUE


def may_commit(sql: str) -> bool:
    """May `sql`, a statement about the session, commit what is open? Most do; these do not:
    savepoints, assignments of variables, USE, DO, PREPARE, temporary tables."""
    words = bare(sql)
    if _TEMPORARY.match(words) or re.match(
        r"(?:SAVEPOINT|ROLLBACK|RELEASE|USE|DO|PREPARE|DEALLOCATE|EXECUTE|KILL) ", words + " ", re.I
    ):
        return False
    setting = re.match(r"SET (?:SESSION |LOCAL |@@(?:SESSION|LOCAL)\.|@@?)?([\w`']+)", words, re.I)
    if setting is None or "AUTOCOMMIT" in words.upper():
        return True
    return setting[1].upper() in _SETS_SOMETHING_ELSE


_SETS_SOMETHING_ELSE = {
    "PASSWORD",
    "DEFAULT",
    "ROLE",
    "RESOURCE",
    "GLOBAL",
    "PERSIST",
    "PERSIST_ONLY",
}


def conditional(sql: str) -> str | None:
    """The statement in ``/*!40101 … */``, when `sql` is nothing but that comment."""
    found = re.fullmatch(r"/\*M?!\d{0,6} ?((?:(?!\*/).)*?) ?\*/", plain(sql), re.S)
    return found[1] if found else None


def temporary(sql: str) -> tuple[str, tuple[Object, ...]] | None:
    """``("CREATE", (…,))`` or ``("DROP", …)``: tables of this session alone that `sql` makes or
    drops by that word."""
    match = _TEMPORARY.match(_spaced(sql))
    found = _list("TABLE", match["rest"]) if match else None
    return (match["verb"].upper(), found) if match and found else None


def renamed(sql: str) -> Object | None:
    """What an ALTER TABLE renames its table to."""
    text = _spaced(sql)
    match = re.search(r"[ ,]RENAME (?!COLUMN |INDEX |KEY )(?:(?:TO|AS) |= ?)?", text, re.I)
    one = _object("TABLE", text[match.end() :]) if match else None
    return one[0] if one else None


def called(sql: str) -> set[str]:
    """What stands before an opening bracket: the functions that `sql` calls, and more."""
    return set(_CALLED.findall(bare(sql)))


@lru_cache(maxsize=8)
def bare(sql: str) -> str:
    """`plain`, and with nothing in its quotes: where a word is a word of the statement's own."""
    return _STRINGS.sub("''", plain(sql))


def written(sql: str) -> Object | None:
    """The table that a statement writes to, when that is one and plain to see."""
    text = _spaced(sql)
    for pattern, after in _WRITES:
        match = pattern.match(text)
        one = _object("TABLE", text[match.end() :]) if match else None
        if one is not None:
            return one[0] if re.match(after, one[1], re.I) else None
    found = touched(sql)
    return found.objects[0] if found is not None and len(found.objects) == 1 else None


def locking_also(sql: str, table: str) -> str | None:
    """A LOCK TABLES that locks `table` (quoted), too, since after it a session reaches no others;
    None when `sql` is no such statement."""
    text = plain(sql)
    head = re.match(r"LOCK TABLES? ", text, re.I)
    return f"LOCK TABLES {table} WRITE, {text[head.end() :]}" if head else None


def locked(sql: str) -> set[str] | None:
    """The names that LOCK TABLES locks, in lower case; None when `sql` is no such statement."""
    text = plain(sql)
    head = re.match(r"LOCK TABLES? ", text, re.I)
    if head is None:
        return None
    found = (_object("TABLE", part) for part in text[head.end() :].split(","))
    return {one[0].name.lower() for one in found if one is not None}


def releases_locks(sql: str) -> bool:
    """Does `sql` say that it frees the named lock that guards a tenant?"""
    return "RELEASE" in sql.upper() and (
        re.search(r"\bRELEASE_ALL_LOCKS ?\(", bare(sql), re.I) is not None
        or re.search(r"\bRELEASE_LOCK ?\( ?['\"]ebhook:", plain(sql), re.I) is not None
    )


def is_several(sql: str) -> bool:
    """Does `sql` hold more than one statement? The body of a routine counts as one with it."""
    text = bare(sql)
    return ";" in text and not re.search(r"\bBEGIN\b", text, re.I)


def _spaced(sql: str) -> str:
    """`plain`, with spaces around what is in backticks: ``DROP`b` `` is DROP of b."""
    text = _BESIDE_NAMES.sub(lambda part: f" {part[1]} " if part[1] else part[0], plain(sql))
    return text.strip()


def touched(sql: str) -> Touched | None:
    """The objects that a DDL statement touches; None when that is not plain to see."""
    text = _spaced(sql)
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
    mark = name[0]
    return name[1:-1].replace(mark * 2, mark) if mark in '`"' else name


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
    fills = re.search(
        r"\bSELECT\b|\bTABLE\b|\bVALUES\b(?! ?(?:LESS|IN)\b)", _STRINGS.sub("''", one[1]), re.I
    )
    like_or_plain = not fills or one[1].upper().startswith("LIKE")
    return Touched((one[0],), repeatable=bool(match["maybe"]), fills=not like_or_plain)


def _replace_table(match: re.Match[str], rest: str) -> Touched | None:
    """MariaDB's. It empties a table that may look the same afterwards."""
    made = _create_table(match, rest)
    return replace(made, shows=False) if made else None


def _alter_table(match: re.Match[str], rest: str) -> Touched | None:
    one = _object("TABLE", rest)
    if one is None:
        return None
    clauses = re.sub(r"^(?:NOWAIT|WAIT \d+) ", "", one[1], flags=re.I)
    hidden = _HIDDEN.search(_STRINGS.sub("''", clauses))
    return Touched((one[0],), shows=hidden is None and not _trades_names(clauses))


_HIDDEN = re.compile(
    r"(?:^|,) ?(?:(?:EXCHANGE|TRUNCATE|COALESCE|REORGANIZE|REBUILD) PARTITION|DISCARD|IMPORT)\b",
    re.I,
)
_NO_COLUMN = (
    r"(?!(?:INDEX|KEY|UNIQUE|PRIMARY|FULLTEXT|SPATIAL|FOREIGN|CONSTRAINT|CHECK|PARTITION|PERIOD)\b)"
)
_COLUMNS_NAMED = re.compile(
    rf"\bCHANGE (?:COLUMN )?(?:IF EXISTS )?({_NAME}) ({_NAME})"
    rf"|\bRENAME COLUMN ({_NAME}) TO ({_NAME})"
    rf"|\bDROP {_NO_COLUMN}(?:COLUMN )?(?:IF EXISTS )?({_NAME})"
    rf"|\bADD {_NO_COLUMN}(?:COLUMN )?(?:IF NOT EXISTS )?({_NAME})",
    re.I,
)


def _trades_names(clauses: str) -> bool:
    """Does a column get the name that another one had? The table may then look as before."""
    left: set[str] = set()
    taken = _added_in_brackets(clauses)
    for match in _COLUMNS_NAMED.finditer(clauses):
        old, new = match[1] or match[3] or match[5], match[2] or match[4] or match[6]
        if (old or "").lower() != (new or "").lower():
            left |= {_unquoted(old).lower()} if old else set()
            taken |= {_unquoted(new).lower()} if new else set()
    return not left.isdisjoint(taken)


def _added_in_brackets(clauses: str) -> set[str]:
    """The columns of ``ADD [COLUMN] (b INT, c INT)``, in lower case."""
    found: set[str] = set()
    for match in re.finditer(r"\bADD (?:COLUMN )?(?:IF NOT EXISTS )?\(", clauses, re.I):
        depth, begins = 1, True
        for part in re.finditer(rf"{_QUOTED}|{_NAME}|[(),]|.", clauses[match.end() :], re.S):
            word = part[0]
            if begins and re.fullmatch(_NAME, word):
                found.add(_unquoted(word).lower())
            if not word.isspace():
                begins = word == "," and depth == 1
            depth += {"(": 1, ")": -1}.get(word, 0)
            if depth == 0:
                break
    return found


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
    """Renaming several tables happens as a whole, so the names that appear or disappear tell. A
    name that is taken over by another table may look the same before and after."""
    left: list[Object] = []
    taken: list[Object] = []
    while True:
        old = _object("TABLE", rest)
        to = re.match(r"(?:(?:NOWAIT|WAIT \d+) )?TO ", old[1], re.I) if old else None
        new = _object("TABLE", old[1][to.end() :]) if old and to else None
        if old is None or new is None:
            return None
        left.append(old[0])
        taken.append(new[0])
        if not new[1].startswith(","):
            break
        rest = new[1][1:]
    telling = [
        *(one for one in left if one not in taken),
        *(one for one in taken if one not in left),
    ]
    return (
        Touched(tuple(dict.fromkeys([*left, *taken])), shows=False)
        if not telling
        else (Touched(tuple(telling)))
    )


def _made(match: re.Match[str], rest: str) -> Touched | None:
    kind = "TABLE" if match["kind"].upper() == "VIEW" else match["kind"].upper()
    one = _object(kind, rest)
    words = _STRINGS.sub("''", one[1]) if one else ""
    if one is None or re.search(r"\bSONAME\b", words, re.I):  # SHOW CREATE does not know of these
        return None
    again = bool(match["again"] or match["maybe"])
    if kind == "EVENT" and re.match(r"ON SCHEDULE (?:AT\b|EVERY\b.*?\bENDS\b)", words, re.I | re.S):
        return Touched((one[0],), shows=False, vanishes=True)
    return Touched((one[0],), repeatable=again)


def _again(match: re.Match[str], rest: str) -> Touched:
    return Touched((), repeatable=True)


# How a statement begins that writes to a table, and what then follows its name if it is the only one.
_WRITES = [
    (re.compile(pattern, re.I | re.S), after)
    for pattern, after in (
        (r"(?:INSERT|REPLACE) (?:(?:LOW_PRIORITY|HIGH_PRIORITY|DELAYED|IGNORE|INTO) )*", ""),
        (r"UPDATE (?:(?:LOW_PRIORITY|IGNORE) )*", rf"(?:(?:AS )?{_NAME} )?SET\b"),
        (r"DELETE (?:(?:LOW_PRIORITY|QUICK|IGNORE) )*FROM ", r"(?!,|USING\b|\.)"),
        (r"TRUNCATE (?:TABLE )?", ""),
        (r"LOAD (?:DATA|XML) .*? INTO TABLE ", ""),
    )
]
_SPECIFIC = r"(?:(?:ALGORITHM ?= ?\w+|DEFINER ?= ?\S+|SQL SECURITY \w+|AGGREGATE) )*"
_FORMS = [
    (re.compile(pattern, re.I | re.S), read)
    for pattern, read in (
        (r"CREATE TABLE (?P<maybe>IF NOT EXISTS )?", _create_table),
        (r"CREATE OR REPLACE TABLE (?P<maybe>IF NOT EXISTS )?", _replace_table),
        (r"ALTER (?:ONLINE |IGNORE )*TABLE (?:IF EXISTS )?", _alter_table),
        (r"CREATE (?:UNIQUE |FULLTEXT |SPATIAL )?INDEX (?:IF NOT EXISTS )?", _on_table),
        (r"DROP INDEX (?:IF EXISTS )?", _on_table),
        (
            r"DROP (?P<kind>TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT)S? (?P<maybe>IF EXISTS )?",
            _drop,
        ),
        (r"RENAME TABLES? (?:IF EXISTS )?", _rename),
        (
            rf"CREATE (?P<again>OR REPLACE )?{_SPECIFIC}"
            r"(?P<kind>VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT) (?P<maybe>IF NOT EXISTS )?",
            _made,
        ),
        (rf"ALTER {_SPECIFIC}(?:VIEW|PROCEDURE|FUNCTION|DATABASE|SCHEMA) ", _again),
        (r"(?:ANALYZE|OPTIMIZE|REPAIR|CHECK) ", _again),
        (r"(?:CREATE|DROP) (?:DATABASE|SCHEMA) IF (?:NOT )?EXISTS ", _again),
    )
]
