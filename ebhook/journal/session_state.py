"""What lives in a migration's session alone: temporary tables, variables, prepared statements.

A session that died took them along. When a revision is resumed they are made again, by the same
statements. What was made of rows, or of other tables' definitions, is not: those may look otherwise by
now. It is lost, and no statement that still has to run may build on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ebhook.sql.statement import (
    Kind,
    Object,
    bare,
    called,
    plain,
    renamed,
    temporary,
    touched,
    written,
)

_TEXTS = re.compile(r"'(?:[^'\\]++|\\.|'')*+'", re.S)
_VARIABLE = re.compile(r"(?<![@\w])@(`[^`]+`|[\w$.]+)")
_TARGET = re.compile(r"(?<![@\w])@(?:`[^`]+`|[\w$.]+) ?:?=")
_SETS_THE_SERVERS = re.compile(r"(?:\bSET|,) (?!@(?!@))[\w.@`]+(?: \w+)? ?:?=", re.I)
_ASSIGNS = re.compile(r":=|\bINTO (?:OUTFILE |DUMPFILE )?@", re.I)
_READS_TABLES = re.compile(r"\b(?:SELECT|JOIN|LIKE)\b|\) TABLE\b", re.I)
# Functions that give the same again; LAST_INSERT_ID() does since skipped statements give theirs.
_SAME_AGAIN = {
    "LAST_INSERT_ID", "CONCAT", "CONCAT_WS", "IF", "IFNULL", "COALESCE", "REPLACE", "UPPER", "LOWER",
    "QUOTE", "DATABASE", "SCHEMA",
}  # fmt: skip
_PREPARES = re.compile(r"PREPARE (\w+)\b", re.I)
_DEALLOCATES = re.compile(r"(?:DEALLOCATE|DROP) PREPARE (\w+)\b", re.I)


@dataclass
class SessionState:
    """Follows one revision's session. `database` is where names without a schema are."""

    database: str
    temporary: set[str] = field(default_factory=set)
    lost: dict[str, re.Pattern[str]] = field(default_factory=dict)  # by what people call it

    def owns(self, kind: Kind, text: str) -> bool:
        """Is `text` about this session alone? It is run whenever the migration issues it, then."""
        made = temporary(text)
        if made is not None:
            names = {self._local(one) for one in made[1]} - {None}
            known = set(filter(None, names))
            self.temporary = (
                self.temporary | known if made[0] == "CREATE" else self.temporary - known
            )
            return True
        if kind is Kind.SESSION:
            return True
        if not self.temporary:
            return False
        if re.match(r"DROP TABLES? ", plain(text), re.I):
            dropped = touched(text)
            names = {self._local(one) for one in dropped.objects} if dropped else set()
            if not names or not names <= self.temporary:
                return False
            self.temporary -= {name for name in names if name}
            return True
        one = written(text)
        if one is None or self._local(one) not in self.temporary:
            return False
        new = renamed(text) if re.match(r"ALTER ", plain(text), re.I) else None
        if new is not None:
            self.temporary.discard(one.name.lower())
            self.temporary.add(new.name.lower())
        return True

    def at_stake(self, kind: Kind, text: str) -> dict[str, re.Pattern[str]]:
        """What `text` would make otherwise than it did, if it were run once more later."""
        made = self._made(kind, text)
        return made if self._varies(kind, text) or self.missing(text) is not None else {}

    def skips(self, text: str) -> None:
        """A statement that is in, and is not run again, may have changed what the session has."""
        words = bare(text)
        if _ASSIGNS.search(words) or re.match(r"CALL\b", words, re.I):
            self.lost |= _variables(text)
        if written(text) is None:
            names = (name for name in self.temporary if _table(name).search(text))
            self.lost |= {f"the temporary table {name}": _table(name) for name in names}

    def drops(self, text: str) -> bool:
        """Does `text` only drop what is lost? Then there is nothing to run."""
        deallocated = _DEALLOCATES.match(plain(text))
        made = temporary(text)
        names = [one.name for one in made[1]] if made and made[0] == "DROP" else []
        if re.match(r"DROP TABLES? ", plain(text), re.I) and (dropped := touched(text)):
            names = [one.name for one in dropped.objects]
        gone = {f"the temporary table {name.lower()}" for name in names}
        gone |= {f"the prepared statement {deallocated[1].lower()}"} if deallocated else set()
        if not gone or not gone <= self.lost.keys():
            return False
        for name in gone:
            del self.lost[name]
        return True

    def missing(self, text: str) -> str | None:
        """Something lost that `text` builds on."""
        found = (name for name, pattern in self.lost.items() if pattern.search(text))
        return next(found, None)

    def makes_again(self, kind: Kind, text: str) -> str | None:
        """`text` is about to be run: what it makes is there again. Returns what it lacks for that."""
        made = self._made(kind, text)
        creates = temporary(text) is not None or _PREPARES.match(plain(text)) is not None
        if creates or re.match(r"SET\b", plain(text), re.I):
            rest = text if creates else _TARGET.sub("", text)
            others = {name: p for name, p in self.lost.items() if not creates or name not in made}
            lacking = next((name for name, pattern in others.items() if pattern.search(rest)), None)
            if lacking is None:
                self.lost = {name: p for name, p in self.lost.items() if name not in made}
            return lacking
        return self.missing(text)

    def _made(self, kind: Kind, text: str) -> dict[str, re.Pattern[str]]:
        """What a statement makes, or changes, that is the session's own."""
        prepares = _PREPARES.match(plain(text))
        if prepares:
            return _prepared(prepares[1])
        if (kind is Kind.SESSION and temporary(text) is None) or kind is Kind.READ:
            return _variables(text)
        made = temporary(text)
        one = written(text)
        names = [o.name for o in made[1]] if made else [one.name] if one else []
        return {f"the temporary table {name.lower()}": _table(name) for name in names}

    def _varies(self, kind: Kind, text: str) -> bool:
        words = bare(text)
        if _PREPARES.match(words):
            return True
        if kind is Kind.READ:
            return _ASSIGNS.search(words) is not None
        if re.match(r"SET\b", words, re.I):
            calls = {name.upper() for name in called(words)}
            reads = _READS_TABLES.search(words) is not None or not calls <= _SAME_AGAIN
            return reads and _SETS_THE_SERVERS.search(words) is None
        return _READS_TABLES.search(words) is not None

    def _local(self, one: Object) -> str | None:
        """The name of a table here; None for one of another database."""
        if one.schema is not None and one.schema.lower() != self.database.lower():
            return None
        return one.name.lower()


def _table(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$@]){re.escape(name)}(?![\w$])", re.I)


def _variables(text: str) -> dict[str, re.Pattern[str]]:
    """All that a statement names."""
    names = {name.strip("`") for name in _VARIABLE.findall(_TEXTS.sub("''", plain(text)))}
    return {
        f"@{name.lower()}": re.compile(rf"(?<![@\w])@`?{re.escape(name)}(?![\w$.])", re.I)
        for name in sorted(names)
    }


def _prepared(name: str) -> dict[str, re.Pattern[str]]:
    word = rf"\b(?:EXECUTE|PREPARE) {re.escape(name)}\b"
    return {f"the prepared statement {name.lower()}": re.compile(word, re.I)}
