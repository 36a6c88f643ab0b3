"""EBH083: a revision reaches outside of its database: by a connection, a program, a name, a setting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ebhook.lint.changes.change import OfTable
from ebhook.lint.changes.rows import Data, OpaqueStatement, SessionStatement
from ebhook.lint.changes.tables import RenameTable
from ebhook.lint.changes.things import OfThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import remove, statement_at, take_out
from ebhook.lint.source import Edit, Source, Span, keyword, literal
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH083", "a revision reaches outside of its database")

# Of the whole server, and so of every agency on it. Accounts are EBH008's.
_SERVER = frozenset({
    "KILL", "FLUSH", "RESET", "PURGE", "CHANGE", "INSTALL", "UNINSTALL", "SHUTDOWN", "RESTART",
    "CLONE", "BINLOG", "IMPORT",
})  # fmt: skip
_GLOBAL = re.compile(
    r"SET\s+(@@)?(GLOBAL|PERSIST|PERSIST_ONLY|PASSWORD)\b|.*@@GLOBAL\.", re.I | re.S
)
_IN_DATABASES = ("VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "SEQUENCE")


def check(subject: Subject) -> Iterator[Finding]:
    yield from _connections(subject)
    said: set[Span | None] = set()
    for done in (*subject.done, *subject.undone):
        if done.span in said:
            continue
        finding = _statement(subject, done)
        if finding is not None:
            said.add(done.span)
            yield finding


def _connections(subject: Subject) -> Iterator[Finding]:
    """What it does beside the connection that it was given."""
    said: set[Span] = set()
    for run in (subject.upgrade, subject.downgrade):
        own = [step.sql for step in run.steps if step.own and not step.sql.startswith("SET ")]
        for event in run.of("outside"):
            span = event.spans[0] if event.spans else subject.home
            if span in said:
                continue
            said.add(span)
            yield subject.finding(
                RULE,
                span,
                f"The revision {event.text}. {_why(event.text)}",
                example=f"op.execute({quoted(' '.join(own[0].split()))})"
                if own
                else "op.execute(…)  # or op.get_bind().execute(…)",
            )
    if subject.loading is not None and re.search(r"Outside", type(subject.loading.error).__name__):
        yield subject.finding(
            RULE,
            subject.loading.spans[0] if subject.loading.spans else subject.home,
            f"The file {subject.loading.error} while it is imported, which every command does.",
            example="# nothing at the top of a version file but imports and names",
        )


def _why(reached: str) -> str:
    """What is wrong with that, and what to do instead."""
    instead = "Use the connection that there is: op.execute(…), or op.get_bind()."
    if "second connection" in reached:
        return (
            "There it can only read: a change would have no lock and no journal, and ebhook refuses it "
            f"when the revision runs. {instead}"
        )
    if "connection" in reached or "SQLite" in reached:
        return (
            "That one has no lock, no time-outs and no journal: another instance may do the same at "
            f"the same time, and what it did cannot be seen. {instead}"
        )
    return (
        "It runs at a boot, in every agency, on several instances at once, and whether it happened is "
        "in no journal. Do it where the application is deployed."
    )


def _statement(subject: Subject, done: Done) -> Finding | None:
    """What one statement has to do with another database, with the server or its files."""
    change, statement = done.change, statement_at(subject.source, done.span)
    other = next((name for name in _names(change) if "." in name), None)
    if other is not None:
        database, _, name = other.partition(".")
        return subject.finding(
            RULE,
            done,
            f"{other} is in the database {database}, whichever agency this runs for: the chain runs "
            "once for each, so it is done there again for every one of them, by instances at the "
            "same time, under another database's lock. Without the name it is the agency's own.",
            edits=_unqualified(subject.source, done, database),
            example=f"op.execute({quoted(' '.join(done.step.sql.split()).replace(other, name))})",
        )
    if isinstance(change, SessionStatement) and change.verb == "USE":
        what = (
            "USE goes to another database: all that follows on this connection is done there, the "
            "version and the journal included. Leave it out"
        )
    elif isinstance(change, Data) and change.verb == "LOAD":
        what = (
            "LOAD reads a file, which has to be on each agency's server, or on each instance, and "
            "the same on all. Write the rows into the revision (op.bulk_insert), or load them where "
            "the application is deployed"
        )
    elif isinstance(change, (SessionStatement, OpaqueStatement)) and (
        change.verb in _SERVER or _GLOBAL.match(change.clause)
    ):
        words = " ".join(change.clause.split())
        what = (
            f"{words[:60]} is for the whole server and every agency on it, needs rights that an "
            "application's login should not have, and is done again for each agency. Do it where "
            "servers are set up"
        )
    else:
        return None
    return subject.finding(
        RULE,
        done,
        f"{what}.",
        edits=remove(subject.source, [statement]) if statement is not None else (),
        example="# not here",
    )


def _names(change: object) -> Iterator[str]:
    if isinstance(change, OfTable):
        yield change.table
    if isinstance(change, RenameTable):
        yield change.new
    if isinstance(change, OfThing) and change.kind in _IN_DATABASES:
        yield change.name
    if isinstance(change, Data):
        yield from change.tables


def _unqualified(source: Source, done: Done, database: str) -> list[Edit]:
    """The user's own call, without the name of the database."""
    call = source.call_at(done.span) if done.span is not None else None
    if call is None:
        return []
    schema = keyword(call, "schema")
    if schema is not None and literal(schema) == database:
        return [take_out(source, call, schema)]
    name = re.compile(rf"(`?)\b{re.escape(database)}\1\s*\.\s*(?=[`\w])")
    return [
        Edit(source.span(one), name.sub("", source.code(one)))
        for one in ast.walk(call)
        if isinstance(one, ast.Constant)
        and isinstance(one.value, str)
        and name.search(one.value)
        and not isinstance(source.parents.get(one), ast.JoinedStr)
    ]
