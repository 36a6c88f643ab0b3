"""What the text of a statement says about its session: variables, prepared statements, temporary tables."""

from __future__ import annotations

import re

from ebhook.sql.functions import REPEATABLE, VARYING, WORDS
from ebhook.sql.statement import Object, bare, called, conditional, plain, touched

TEXTS = re.compile(r"'(?:[^'\\]++|\\.|'')*+'", re.S)
VARIABLE = re.compile(r"(?<![@\w`'\"])@(`[^`]+`|[\w$.]+)")
TARGET = re.compile(r"(?<![@\w])@(?:`[^`]+`|[\w$.]+) ?:?=")
INTO = re.compile(r"\bINTO (?:@(?:`[^`]+`|[\w$.]+)(?: ?, ?)?)+", re.I)
_SETS_THE_SERVERS = re.compile(r"(?:\bSET|,) (?!@(?!@))[\w.@`]+(?: \w+)? ?:?=", re.I)
ASSIGNS = re.compile(r":=|\bINTO (?:OUTFILE |DUMPFILE )?@", re.I)
READS_TABLES = re.compile(r"\b(?:SELECT|JOIN|LIKE)\b|\) TABLE\b", re.I)
PREPARES = re.compile(r"PREPARE (\w+)\b", re.I)
DEALLOCATES = re.compile(r"(?:DEALLOCATE|DROP) PREPARE (\w+)\b", re.I)
DROPS = re.compile(r"DROP (?:TEMPORARY )?TABLES? ", re.I)
MAKES_TABLE = re.compile(r"CREATE (?:OR REPLACE )?TABLE ", re.I)
# Whose body is kept as a text, and read when it is called.
MAKES_ROUTINE = re.compile(
    r"(?:CREATE|ALTER) (?:OR REPLACE )?(?:(?!TABLE\b|AS\b)[^ ]+ )*?(?:TRIGGER|PROCEDURE|FUNCTION|EVENT|PACKAGE)\b",
    re.I,
)

Name = tuple[str, str]  # of a table: schema and name, both in lower case


def unknown_functions(text: str) -> set[str]:
    """What `text` calls and the servers do not have: stored functions, which may do anything. Names
    with a list of columns behind them are among these."""
    return {name.strip("`").upper() for name in called(text)} - REPEATABLE - VARYING - WORDS


def repeatable_setting(text: str) -> str | None:
    """The SET statement in a conditional comment (``/*!40101 SET … */``), which may run again."""
    inner = conditional(text)
    return inner if inner is not None and re.match(r"SET\b", inner, re.I) else None


def sets_only_the_servers(text: str) -> bool:
    """Is `text` a SET of system variables alone? The server tells all that it does, then."""
    words = bare(text)
    if not re.match(r"SET\b", words, re.I) or re.match(
        r"SET (?:PASSWORD|DEFAULT ROLE|ROLE|RESOURCE|STATEMENT|GLOBAL|PERSIST)\b|SET @@(?:GLOBAL|PERSIST)",
        words,
        re.I,
    ):
        return False
    return not TARGET.search(TEXTS.sub("''", plain(text))) and "AUTOCOMMIT" not in words.upper()


def renamed_pair(words: str) -> tuple[Object, Object] | None:
    """The one table that RENAME TABLE renames, and its new name."""
    found = re.fullmatch(r"RENAME TABLES? (?:IF EXISTS )?(.+?) TO (.+)", words, re.I | re.S)
    if found is None or "," in found[1]:
        return None
    old, new = (touched(f"DROP TABLE {part}") for part in found.groups())
    if old is None or new is None or len(old.objects) != 1 or len(new.objects) != 1:
        return None
    return old.objects[0], new.objects[0]


def table_pattern(name: Name, database: str) -> re.Pattern[str]:
    schema, table = (re.escape(part) for part in name)
    qualified = rf"(?<![\w$@])`?{schema}`?\s*\.\s*`?{table}`?(?![\w$\u0080-\uffff])"
    alone = rf"(?<![\w$@.])(?<!\.`)`?{table}`?(?![\w$\u0080-\uffff])"
    here = name[0] == database.lower()
    return re.compile(f"{qualified}|{alone}" if here else qualified, re.I)


def variables_in(body: str) -> set[str]:
    """The user variables that the body of a routine or a trigger names."""
    return {f"@{name.strip('`').lower()}" for name in VARIABLE.findall(body)}


def variables(text: str) -> dict[str, re.Pattern[str]]:
    """All that a statement names."""
    names = {name.strip("`") for name in VARIABLE.findall(TEXTS.sub("''", plain(text)))}
    return {
        f"@{name.lower()}": re.compile(rf"(?<![@\w])@`?{re.escape(name)}(?![\w$.])", re.I)
        for name in sorted(names)
    }


def prepared(name: str) -> dict[str, re.Pattern[str]]:
    word = rf"\b(?:EXECUTE|PREPARE) {re.escape(name)}\b"
    return {f"the prepared statement {name.lower()}": re.compile(word, re.I)}
