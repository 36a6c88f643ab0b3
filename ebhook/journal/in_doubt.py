"""A statement whose end was not seen: did it happen?

DDL is atomic (MySQL 8.0, MariaDB 10.6): its objects look as they did before, or they do not. Where
that cannot tell, a person is asked; the cases are in docs/protocol.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

import msgspec
from pymysql.err import MySQLError

from ebhook.database.connection import Connection, errno, quoted, rows
from ebhook.database.errno import ABSENT, LOST, PASSING
from ebhook.sql.masking import masked
from ebhook.sql.statement import Object, bare, touched

# So many looks at one table each take as long as reading the names of a few hundred.
LIST_NAMES_AFTER = 8
UNREADABLE = "cannot be read: "  # in place of a look
_HASHED = "sha256: "
_CREATES = ("CREATE", "/*")
_SHORTENED = re.compile(r" … \(shortened; digest ([0-9a-f]{64})\)\Z")
_OTHER_ENGINE = re.compile(r"\bENGINE ?=? ?(?!InnoDB\b)", re.I)


_AT_ONCE = (
    "FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE' "
    "AND engine <> 'InnoDB'"
)


class Verdict(Enum):
    """Whether the statement in doubt happened."""

    HAPPENED = "happened"
    NOT = "did not happen"
    AGAIN = "cannot be told, and running it once more is as good"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True)
class Pending:
    """A statement whose end was not seen, with its objects as they looked before it.

    `failed`: its end was seen, and the server said that it did not happen.
    """

    sql: str
    objects: tuple[Object, ...] | None
    before: tuple[str | None, ...] = ()
    shows: bool = True
    repeatable: bool = False
    fills: bool = False
    server: str = ""
    failed: bool = False

    def is_of(self, text: str, digest: str) -> bool:
        """Is it the statement `text`, whose rolling digest is `digest`?"""
        return self.sql == text or self.digest == digest

    @property
    def digest(self) -> str | None:
        """The rolling digest after it, of a statement that was `shortened`."""
        found = _SHORTENED.search(self.sql)
        return found[1] if found else None

    @property
    def tells(self) -> bool:
        """Once it is in, will its objects tell that it is?"""
        return (
            bool(self.objects)
            and self.shows
            and atomic_ddl(self.server)
            and (fills_at_once(self.server) or not self.fills)
            and all(map(_transactional, self.before))
            and not any((look or "").startswith(UNREADABLE) for look in self.before)
            and not _OTHER_ENGINE.search(bare(self.sql))
        )

    def of_database(self, database: str) -> Pending:
        """As a release kept it that wrote the tenant's own database's name to each object. Where the
        tenant was copied to `database` from another, that name leads back there."""
        named = touched(self.sql)
        if self.objects is None or named is None or len(named.objects) != len(self.objects):
            return self
        own: list[Object] = []
        for one, text in zip(self.objects, named.objects, strict=True):
            if text.schema is None and one.schema not in (None, database):
                return replace(self, objects=None, before=())  # a copy, or after USE: nobody knows
            own.append(replace(one, schema=text.schema))
        return replace(self, objects=tuple(own))

    def dumped(self) -> str:
        """All but the statement itself, as JSON for `loaded`."""
        facts = {
            "objects": self.objects and [[one.kind, one.schema, one.name] for one in self.objects],
            "before": self.before,
            "shows": self.shows,
            "repeatable": self.repeatable,
            "fills": self.fills,
            "server": self.server,
            "failed": self.failed,
        }
        return msgspec.json.encode(facts).decode()

    @staticmethod
    def loaded(sql: str, text: str | None) -> Pending:
        facts = msgspec.json.decode(text or "{}")
        objects = facts.pop("objects", None)
        before = tuple(facts.pop("before", ()))
        named = None if objects is None else tuple(Object(*one) for one in objects)
        return Pending(sql, named, before, **facts)


def shortened(text: str, digest: str) -> str:
    """What is kept of a statement that is too long for the journal."""
    return f"{text[:1000]} … (shortened; digest {digest})"


def decide(pending: Pending, now: Sequence[str | None], server: str) -> Verdict:
    """Whether a statement in doubt happened, from how its objects looked before and look now."""
    same = [_is_same(then, look) for then, look in zip(pending.before, now, strict=True)]
    readable = not any((look or "").startswith(UNREADABLE) for look in [*pending.before, *now])
    if pending.failed:
        # MariaDB drops those of several tables that are there, and complains of the others.
        several_or_unknown = len(pending.objects or ()) > 1 or (
            pending.objects is None and not atomic_ddl(pending.server)
        )
        return Verdict.UNKNOWN if several_or_unknown and not (same and all(same)) else Verdict.NOT
    verdict = Verdict.UNKNOWN
    if (
        pending.objects
        and readable
        and pending.server == server
        and atomic_ddl(server)
        and all(map(_transactional, [*pending.before, *now]))
    ):
        verdict = _by_looks(pending, now, same)
    if verdict is Verdict.UNKNOWN and pending.repeatable and not pending.fills:
        return Verdict.AGAIN
    return verdict


def _by_looks(pending: Pending, now: Sequence[str | None], same: Sequence[bool]) -> Verdict:
    """The verdict where a statement happens as a whole or not at all."""
    if all(same):
        # Absent before and after is a look that tells, whatever else the statement may hide.
        return Verdict.NOT if pending.shows or not any(now) else Verdict.UNKNOWN
    if pending.fills and not (pending.shows and fills_at_once(pending.server)):
        return Verdict.UNKNOWN
    if not any(same) and (pending.shows or all(now)):
        return Verdict.HAPPENED
    return Verdict.UNKNOWN


def fills_at_once(server: str) -> bool:
    """Is a table of CREATE … SELECT there with all its rows, or not at all?

    MySQL since 8.0.21 (its release notes); MariaDB with atomic DDL.
    """
    return "mariadb" in server.lower() or _version(server) >= (8, 0, 21)


def atomic_ddl(server: str) -> bool:
    """Does this server (``@@version``) undo a DDL statement that it did not finish?"""
    return _version(server) >= ((10, 6) if "mariadb" in server.lower() else (8, 0))


@lru_cache(maxsize=8)
def _version(server: str) -> tuple[int, ...]:
    number = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", server)
    return tuple(int(part or 0) for part in number.groups()) if number else ()


def hashed(look: str) -> str:
    """What is kept of a look that is too long for the journal; its end says the table's engine."""
    return f"{_HASHED}{hashlib.sha256(look.encode()).hexdigest()} {look[look.rfind(') ENGINE=') :][:100]}"


def _is_same(then: str | None, now: str | None) -> bool:
    if then is not None and now is not None and then.startswith(_HASHED):
        return then == hashed(now)
    return then == now


def _transactional(look: str | None) -> bool:
    engine = re.search(r"\) ENGINE=(\w+)", look or "")
    return engine is None or engine[1].lower() == "innodb"


@dataclass
class ObjectInspector:
    """Looks at the objects of a database, through `connection`."""

    connection: Connection
    database: str
    innodb: bool = False  # are tables of that kind where nothing is said?
    _server: str | None = None
    _packet: int | None = None
    _misses: int = 0  # tables that were looked at and were not there
    _names: set[str] | None = None  # of all tables that may be there, in lower case
    _at_once: frozenset[str] | None = None  # tables whose rows are in no transaction

    def look(self, objects: Sequence[Object]) -> tuple[str | None, ...]:
        """How objects look now: their SHOW CREATE without AUTO_INCREMENT; None for an absent one.

        A chain that makes many tables is not looked at table by table: after a few that were not
        there, the names of all that are there are read once, and what is then named is kept beside.
        """
        return tuple(None if self._is_new(one) else self._look(one) for one in objects)

    def writes_at_once(self, text: str) -> bool:
        """Does `text` name a table whose rows are in no transaction (MyISAM, Aria, MEMORY)?"""
        self.server()
        if self._at_once is None:
            found = rows(
                self.connection,
                f"SELECT LOWER(table_name) {_AT_ONCE}",
                self.database,
            )
            self._at_once = frozenset(str(name) for (name,) in found)
        words = text.lower()
        return any(
            name in words and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words)
            for name in self._at_once
        )

    def forget_engines(self, text: str) -> None:
        """Before a definition that may give a table another engine."""
        copies = self._at_once and re.search(r"\bLIKE\b", text, re.I)
        if not self.innodb or copies or _OTHER_ENGINE.search(bare(text)):
            self._at_once = None

    def forget_names(self) -> None:
        """Before a statement that may make tables without naming them to `look`."""
        self._names, self._misses = None, 0

    def _is_new(self, one: Object) -> bool:
        """Is that a table that neither was there nor has been named since?"""
        if self._names is None or one.kind != "TABLE" or one.schema is not None:
            return False
        name = one.name.lower()
        new = name.isascii() and name not in self._names
        self._names.add(name)
        return new

    def _look(self, one: Object) -> str | None:
        name = f"{quoted(one.schema or self.database)}.{quoted(one.name)}"
        if one.kind == "DATABASE":
            name = quoted(one.name)
        try:
            (row,) = rows(self.connection, f"SHOW CREATE {one.kind} {name}")
        except MySQLError as error:
            if errno(error) in LOST | PASSING:
                raise
            if errno(error) not in ABSENT:  # a broken view, say, or a lacking privilege
                return f"{UNREADABLE}{errno(error)}"
            self._misses += 1
            if self._misses == LIST_NAMES_AFTER:
                self._names = self._all_names() | {one.name.lower()}
            return None
        text = next((v for v in row[1:] if isinstance(v, str) and v.startswith(_CREATES)), "")
        return masked(re.sub(r" AUTO_INCREMENT=\d+", "", text))

    def _all_names(self) -> set[str]:
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
        return {str(name).lower() for (name,) in rows(self.connection, sql, self.database)}

    def server(self) -> str:
        """What decides how things look: the version, and the settings that SHOW CREATE obeys."""
        if self._server is None:
            ((*found, engine, others),) = rows(
                self.connection,
                "SELECT @@version, @@sql_mode, @@sql_quote_show_create, @@default_storage_engine, "
                f"(SELECT COUNT(*) {_AT_ONCE})",
                self.database,
            )
            self._server = " ".join(map(str, found))
            self.innodb = str(engine).lower() == "innodb"
            self._at_once = None if others else frozenset()
        return self._server

    def packet(self) -> int:
        """How many bytes one statement may have (``max_allowed_packet``)."""
        if self._packet is None:
            ((found,),) = rows(self.connection, "SELECT @@max_allowed_packet")
            self._packet = int(found)
        return self._packet

    def forget_server(self) -> None:
        """After a statement that may have changed the session's settings."""
        self._server = None

    def verdict(self, pending: Pending) -> Verdict:
        """Whether `pending` happened, by looking."""
        return decide(pending, self.look(pending.objects or ()), self.server())
