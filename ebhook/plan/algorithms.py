"""How a server would run a statement: INSTANT, INPLACE or COPY, by asking it on an empty copy of the table.

Nothing is guessed. A scratch server of the same flavour and series (8.0, 10.11) answers, and where there is none
the answer is that it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.database.connection import Connection, connect, errno, run, text_of
from ebhook.database.url import parse_url
from ebhook.errors import EbhookError
from ebhook.results import PlannedStatement
from ebhook.scratch.copies import CopyFailed, SchemaCopy, make_copy
from ebhook.scratch.databases import Bench, given_bench
from ebhook.scratch.installation import Flavour, locate
from ebhook.scratch.process import server as private_server
from ebhook.settings import Settings
from ebhook.sql.statement import Kind, bare, kind_of
from ebhook.upgrade.statement_runner import ALGORITHMS, WHATEVER_CLAUSE

# From the cheapest on: what is asked for, and what it is called when the server takes it.
_ASKED = (
    ("ALGORITHM=INSTANT", "INSTANT"),
    ("ALGORITHM=INPLACE{and}LOCK=NONE", "INPLACE"),
    ("ALGORITHM=INPLACE", "INPLACE, blocks writes"),
    ("ALGORITHM=COPY", "COPY, blocks writes"),
)
_NAMES = {"instant": "INSTANT", "inplace": "INPLACE", "copy": "COPY, blocks writes"}
_ALTERS = re.compile(r"ALTER (?:ONLINE |IGNORE )*TABLE\b", re.I)
_INDEX = re.compile(r"(?:CREATE (?:UNIQUE |FULLTEXT |SPATIAL )?|DROP )INDEX\b", re.I)
_CHOSEN = re.compile(r"\b(ALGORITHM|LOCK) ?=? ?(?!DEFAULT)\w+", re.I)
_SET = re.compile(r"SET (?!GLOBAL\b|PERSIST|@@GLOBAL|@@PERSIST|PASSWORD|ROLE|DEFAULT ROLE)", re.I)


@dataclass(frozen=True)
class Answer:
    """What the server said of one statement.

    `algorithm` is None where there is none to know (a new table, rows) or it is not known; then `why` says so.
    `fails`: the server's error; the statement does not work on this schema. `sent` is the text as it is sent.
    """

    sent: str
    algorithm: str | None = None
    why: str | None = None
    fails: str | None = None


@dataclass(frozen=True)
class ServerKind:
    """A server's flavour and version, such as ``mysql 8.0.40``."""

    flavour: str
    version: str

    @staticmethod
    def of(version: str) -> ServerKind:
        flavour = Flavour.MARIADB if "mariadb" in version.lower() else Flavour.MYSQL
        return ServerKind(flavour, version.partition("-")[0])

    @property
    def series(self) -> tuple[str, ...]:
        return (self.flavour, *self.version.split(".")[:2])

    def __str__(self) -> str:
        return f"{self.flavour} {self.version}"


@contextmanager
def scratch_like(server: ServerKind, settings: Settings) -> Iterator[Bench | str]:
    """A scratch server of the same series; or why there is none. Nothing is downloaded for it.

    May be entered in a thread.
    """
    with ExitStack() as stack:
        try:
            bench = stack.enter_context(_scratch(server, settings))
        except EbhookError as error:
            bench = f"there is no scratch server: {error.what}"
        yield bench


@contextmanager
def _scratch(server: ServerKind, settings: Settings) -> Iterator[Bench | str]:
    flavour = Flavour(server.flavour)
    if settings.scratch_url is not None:
        bench = given_bench(settings)
        there = ServerKind(bench.flavour, bench.version.partition("-")[0])
        words = f"the tenants have {server}, and scratch_url leads to {there}"
        yield bench if there.series == server.series else words
        return
    installed = locate(flavour)
    if installed is None:
        yield f"no {flavour} is installed here, and scratch_url names none"
        return
    there = ServerKind(flavour, installed.version)
    if there.series != server.series:
        yield f"the tenants have {server}, and here is {there}; scratch_url may name another"
        return
    with private_server(flavour) as running:
        url = parse_url(running.url())
        yield Bench(flavour, running.version, url, settings.connect_timeout)


def ask(
    bench: Bench, copy: SchemaCopy, statements: Sequence[PlannedStatement], settings: Settings
) -> list[Answer]:
    """What `bench` says of each statement, one after the other, on an empty copy of the tenant's tables."""
    with (
        bench.database() as tenant,
        closing(connect(bench.url, database=None, timeout=bench.timeout)) as connection,
    ):
        try:
            make_copy(connection, tenant.database, copy)
        except CopyFailed as error:
            return unknown(statements, settings, f"the tables cannot be copied: {error.what}")
        answers: list[Answer] = []
        for number, statement in enumerate(statements):
            answer = _Asking(connection, settings).of(statement)
            answers.append(answer)
            if answer.fails is not None:
                why = "a statement before it fails"
                return answers + unknown(statements[number + 1 :], settings, why)
        return answers


def unknown(statements: Sequence[PlannedStatement], settings: Settings, why: str) -> list[Answer]:
    """Nobody was asked."""
    return [
        Answer(_first_variant(one), why=f"not known: {why}" if _has_algorithm(one) else None)
        for one in statements
    ]


def _first_variant(statement: PlannedStatement) -> str:
    return statement.sql + (ALGORITHMS["instant"] if statement.adds_column else "")


def _has_algorithm(statement: PlannedStatement) -> bool:
    text = bare(statement.sql)
    return bool(_ALTERS.match(text) or _INDEX.match(text))


@dataclass(frozen=True)
class _Asking:
    connection: Connection
    settings: Settings

    def of(self, statement: PlannedStatement) -> Answer:
        sql, text = statement.sql, bare(statement.sql)
        if kind_of(sql) is not Kind.DEFINITION:
            if _SET.match(text):
                self._refused(sql)
            return Answer(sql)
        if statement.adds_column:
            return self._adds_column(sql)
        if not _has_algorithm(statement):
            return self._plainly(sql)
        if chosen := _CHOSEN.search(text):
            return self._plainly(sql, chosen[0].upper())
        return self._cheapest(sql, ", " if _ALTERS.match(text) else " ")

    def _adds_column(self, sql: str) -> Answer:
        """As boot sends it: the variants that `ddl.algorithm` allows."""
        sent, error = sql, None
        for name, clause in ALGORITHMS.items():
            sent = sql + clause
            error = self._refused(sent)
            if error is None:
                return Answer(sent, _NAMES[name]) if clause else self._copied(sent)
            if errno(error) in WHATEVER_CLAUSE or name == self.settings.ddl.algorithm:
                break
        assert error is not None
        return Answer(sent, fails=text_of(error))

    def _copied(self, sent: str) -> Answer:
        """INSTANT and INPLACE were refused before: the server has chosen what is left."""
        return Answer(sent, "COPY, or INPLACE with writes blocked: the server chooses")

    def _cheapest(self, sql: str, comma: str) -> Answer:
        """The server takes the cheapest that it can: the first that it does not refuse."""
        for clause, name in _ASKED:
            error = self._refused(sql + comma + clause.replace("{and}", comma))
            if error is None:
                return Answer(sql, name)
            if errno(error) in WHATEVER_CLAUSE:
                break
        error = self._refused(sql)  # a form that takes no clause, or one that does not work at all
        if error is not None:
            return Answer(sql, fails=text_of(error))
        return Answer(sql, why="not known: the server takes no ALGORITHM with it")

    def _plainly(self, sql: str, algorithm: str | None = None) -> Answer:
        error = self._refused(sql)
        if error is not None:
            return Answer(sql, fails=text_of(error))
        return Answer(sql, algorithm)

    def _refused(self, sql: str) -> MySQLError | None:
        try:
            run(self.connection, sql)
        except MySQLError as error:
            return error
        return None
