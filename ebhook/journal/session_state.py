"""What lives in a migration's session alone: temporary tables, user variables, prepared statements.

A session that ended took them along. When a revision is resumed they are made again, by the same
statements. What was made of rows, or of other tables' definitions, is not: those may look otherwise by
now. Nor is what a statement made of which only the server told that it did. That is lost, and no
statement that still has to run may build on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ebhook.database.session_tracking import SessionChange
from ebhook.journal.session_text import (
    ASSIGNS,
    DEALLOCATES,
    DROPS,
    INTO,
    MAKES_ROUTINE,
    MAKES_TABLE,
    PREPARES,
    READS_TABLES,
    TARGET,
    TEXTS,
    VARIABLE,
    Name,
    prepared,
    renamed_pair,
    table_pattern,
    unknown_functions,
    variables,
)
from ebhook.sql.functions import REPEATABLE, VARYING, WORDS
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


@dataclass
class SessionState:
    """Follows one revision's session. `database` is where names without a schema are.

    `tables` are the temporary ones: True where this session has it, False where it was lost with an
    earlier one. `all_is_lost`: an earlier session had more than its statements say.
    """

    database: str
    tables: dict[Name, bool] = field(default_factory=dict)
    lost: dict[str, re.Pattern[str]] = field(default_factory=dict)  # by what people call it
    all_is_lost: bool = False
    made: set[str] = field(default_factory=set)  # variables and prepared statements of this session
    named: set[str] = field(default_factory=set)  # all that were ever made here

    # What a statement is about

    def owns(self, kind: Kind, text: str) -> bool:
        """Is `text` about this session alone? It is run whenever the migration issues it, then."""
        if temporary(text) is not None or kind is Kind.SESSION:
            return True
        if not self.tables or MAKES_TABLE.match(plain(text)):
            return False
        names = self.dropped(text)
        if names:
            return all(name in self.tables for name in names)
        if self._moved(text) is not None:
            return True
        one = written(text)
        return (
            one is not None
            and self._name(one) in self.tables
            and not self._calls_unknown(text, one)
        )

    def dropped(self, text: str) -> list[Name]:
        """The tables that `text` drops."""
        words = plain(text)
        match = DROPS.match(words)
        if match is None:
            return []
        made = temporary(text)
        objects = made[1] if made else (found.objects if (found := touched(text)) else ())
        return [self._name(one) for one in objects]

    def _moved(self, text: str) -> tuple[Name, Name] | None:
        """A temporary table and its new name, when `text` renames it."""
        words = plain(text)
        if re.match(r"RENAME TABLES? ", words, re.I):
            pair = renamed_pair(words)
            old, new = pair if pair else (None, None)
        elif re.match(r"ALTER ", words, re.I):
            old, new = written(text), renamed(text)
        else:
            return None
        if old is None or new is None or self._name(old) not in self.tables:
            return None
        return self._name(old), self._name(replace(new, schema=new.schema or old.schema))

    def _calls_unknown(self, text: str, one: Object) -> bool:
        """Does it call a function that may do anything?"""
        if not re.match(r"(?:INSERT|REPLACE|UPDATE|DELETE) ", plain(text), re.I):
            return False
        return bool(unknown_functions(text) - {one.name.upper()})

    def _name(self, one: Object) -> Name:
        return (one.schema or self.database).lower(), one.name.lower()

    # A statement was run

    def ran(self, kind: Kind, text: str) -> None:
        """It succeeded in this session."""
        made = temporary(text)
        if made is not None and made[0] == "CREATE":
            self.tables |= {self._name(one): True for one in made[1]}
        for name in self.dropped(text):
            self.tables.pop(name, None)
        moved = self._moved(text)
        if moved is not None:
            self.tables[moved[1]] = self.tables.pop(moved[0])
        made_here = set(variables(text))
        if prepares := PREPARES.match(plain(text)):
            made_here |= set(prepared(prepares[1]))
        self.made |= made_here
        self.named |= made_here

    # A statement of an earlier session is not run again

    def skips(self, kind: Kind, text: str, change: SessionChange, *, failed: bool) -> None:
        """What it made in its session is lost. `change`: what the server told of it."""
        if failed:
            if change.state:
                self.lose_all()
            return
        words = bare(text)
        if ASSIGNS.search(words) or re.match(r"CALL\b", words, re.I):
            self.lost |= variables(text)
        dropped = self.dropped(text)
        if change.state and not (
            kind is Kind.DEFINITION and any(n in self.tables for n in dropped)
        ):
            self.lose_all()
        one = written(text)
        for name in list(self.tables):
            if name in dropped:
                del self.tables[name]
            elif not MAKES_TABLE.match(words) and (
                self._name(one) == name
                if one is not None
                else table_pattern(name, self.database).search(text)
            ):
                self.tables[name] = False

    def lose_all(self) -> list[Name]:
        """The earlier session had something that nobody knows of here. Returns temporary tables that
        this session has, and ought not to have."""
        here = [name for name, there in self.tables.items() if there]
        self.all_is_lost = True
        self.made.clear()
        self.tables = dict.fromkeys(self.tables, False)
        return here

    def lose_tables(self, which: Callable[[Name], bool]) -> None:
        """Temporary tables of which nobody knows what is in them."""
        self.tables = {name: here and not which(name) for name, here in self.tables.items()}

    @property
    def lacks_something(self) -> bool:
        return self.all_is_lost or bool(self.lost) or not all(self.tables.values())

    def missing_in_body(self, body: str) -> str | None:
        """As `missing`, for the body of a trigger or a routine, which may set what it then reads."""
        for match in VARIABLE.finditer(body):
            label = f"@{match[1].strip('`').lower()}"
            is_first = body.lower().find(label) == match.start()
            sets = re.match(r"\s*:?=", body[match.end() :]) or re.search(
                r"\bINTO\s+$", body[: match.start()]
            )
            if (
                is_first
                and not sets
                and (label in self.lost or (self.all_is_lost and label not in self.made))
            ):
                return label
        for name, here in self.tables.items():
            if not here and table_pattern(name, self.database).search(body):
                return f"the temporary table {name[1]}"
        return None

    def varies(self, kind: Kind, text: str) -> bool:
        """Would `text` make something else in the session, if it were run once more later?"""
        return bool(self._made(kind, text)) and (
            self._reads(kind, text) or self.missing(text) is not None
        )

    def loses(self, kind: Kind, text: str) -> list[Name]:
        """`text` is not run again, since it would come out otherwise. Returns temporary tables that
        this session has, and ought not to have."""
        names = self._tables_made(kind, text)
        moved = self._moved(text)
        for name in self.dropped(text):
            self.tables.pop(name, None)
        here = [name for name in names if self.tables.get(name)]
        if moved is not None:
            self.tables.pop(moved[0], None)
            names = [moved[1]]
        self.tables |= dict.fromkeys(names, False)
        self.lost |= {k: v for k, v in self._made(kind, text).items() if k[0] != "\0"}
        return here

    # What a statement needs

    def missing(self, text: str, *, made: set[str] | None = None) -> str | None:
        """Something lost that `text` builds on, as people call it; `made`: what it makes itself."""
        words = plain(text)
        if MAKES_ROUTINE.match(words):
            return None
        made = made or set()
        for label, pattern in self.lost.items():
            if label not in made and pattern.search(text):
                return label
        searched = text if PREPARES.match(words) else TEXTS.sub("''", words)
        target = self._target(text)
        for name, here in self.tables.items():
            if not here and name != target and table_pattern(name, self.database).search(searched):
                return f"the temporary table {name[1]}"
        if self.all_is_lost:
            for label in variables(text):
                if label not in self.made and label not in made:
                    return label
            if (called_by := re.match(r"EXECUTE (\w+)", words, re.I)) and not (
                prepared(called_by[1]).keys() <= self.made
            ):
                return f"the prepared statement {called_by[1].lower()}"
        return None

    def _target(self, text: str) -> Name | None:
        """What a CREATE TABLE makes, of nothing but its own text."""
        words = bare(text)
        made = temporary(text)
        if made is not None and made[0] == "CREATE":
            one: Object | None = made[1][0]
        else:
            found = touched(text) if MAKES_TABLE.match(words) else None
            one = found.objects[0] if found and found.objects else None
        if one is None or re.search(
            rf"\b{re.escape(one.name)}\b.*\b{re.escape(one.name)}\b", words
        ):
            return None
        return self._name(one)

    def made_inside(self, body: str) -> set[Name]:
        """The temporary tables that a routine or a trigger makes and does not drop."""
        found: set[Name] = set()
        for verb in ("CREATE", "DROP"):
            for match in re.finditer(
                rf"\b{verb}\s+(?:OR\s+REPLACE\s+)?TEMPORARY\s+TABLE\b", body, re.I
            ):
                made = temporary(body[match.start() :])
                names = {self._name(one) for one in made[1]} if made else set()
                is_last = match.start() > body.upper().rfind("CREATE TEMPORARY")
                found = found | names if verb == "CREATE" else found - names if is_last else found
        return found

    def drops(self, text: str) -> tuple[bool, list[Name]]:
        """Is `text` the end of something lost? Then it need not be run as it is. With the temporary
        tables that it drops, too, and that this session has."""
        deallocated = DEALLOCATES.match(plain(text))
        if deallocated is not None:
            label = next(iter(prepared(deallocated[1])))
            known = self.lost.pop(label, None) is not None
            return known or (self.all_is_lost and label not in self.made), []
        names = self.dropped(text)
        if not names or any(name not in self.tables for name in names):
            return False, []
        if all(self.tables[name] for name in names):
            return False, []
        here = [name for name in names if self.tables[name]]
        for name in names:
            del self.tables[name]
        return True, here

    def drops_beside(self, text: str) -> list[Name]:
        """Lost temporary tables that `text` drops together with others."""
        return [name for name in self.dropped(text) if self.tables.get(name) is False]

    def makes_again(self, kind: Kind, text: str) -> str | None:
        """`text` is about to be run: what it makes is there again. Returns what it lacks for that."""
        made = self._made(kind, text)
        creates = temporary(text) is not None or PREPARES.match(plain(text)) is not None
        assigns = re.match(r"SET\b", plain(text), re.I) or (
            kind is Kind.READ and INTO.search(bare(text))
        )
        if not creates and not assigns:
            return self.missing(text)
        rest = text if creates else INTO.sub("INTO ", TARGET.sub("", text))
        lacking = self.missing(rest, made=set(made) if creates else None)
        if lacking is None and (creates or assigns):
            targets = made.keys() - (variables(rest).keys() if assigns else set())
            self.lost = {label: p for label, p in self.lost.items() if label not in targets}
        return lacking

    def _made(self, kind: Kind, text: str) -> dict[str, re.Pattern[str]]:
        """What a statement makes, or changes, that is the session's own."""
        prepares = PREPARES.match(plain(text))
        if prepares:
            return prepared(prepares[1])
        if (kind is Kind.SESSION and temporary(text) is None) or kind is Kind.READ:
            return variables(text)
        return {
            f"\0{name[1]}": table_pattern(name, self.database)
            for name in self._tables_made(kind, text)
        }

    def _tables_made(self, kind: Kind, text: str) -> list[Name]:
        made = temporary(text)
        if made is not None:
            return [self._name(one) for one in made[1]] if made[0] == "CREATE" else []
        if kind is Kind.SESSION or self.dropped(text):
            return []
        one = written(text)
        return [self._name(one)] if one is not None and self._name(one) in self.tables else []

    def _reads(self, kind: Kind, text: str) -> bool:
        words = bare(text)
        if PREPARES.match(words):
            return True
        if kind is Kind.READ:
            return ASSIGNS.search(words) is not None
        calls = {name.strip("`").upper() for name in called(words)}
        if re.match(r"SET\b", words, re.I):
            reads = READS_TABLES.search(words) is not None or not calls <= REPEATABLE | WORDS
            return reads and bool(variables(text))
        if READS_TABLES.search(words) is not None:
            return True
        if re.match(r"(?:INSERT|REPLACE|UPDATE|DELETE) ", words, re.I):
            return bool(calls & VARYING)
        return False
