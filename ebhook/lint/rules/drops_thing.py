"""EBH008: a view, a trigger, a routine, an event or a database is dropped or replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.rows import OpaqueStatement
from ebhook.lint.changes.things import AlterThing, CreateThing, DropThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import counterparts, only_one, remove, replace, statement_at, without
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule(
    "EBH008", "a view, trigger, routine, event or database is dropped or replaced", protects=True
)

_OUTSIDE = {"DATABASE", "USER", "ROLE", "SERVER", "INSTANCE", "TABLESPACE"}


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(DropThing, AlterThing, CreateThing, OpaqueStatement):
        change = done.change
        if isinstance(change, OpaqueStatement):
            if change.verb in ("GRANT", "REVOKE", "RENAME"):
                yield _outside(subject, done, f"{change.verb} changes accounts")
            elif change.verb == "CREATE":
                words = " ".join(change.clause.split()[:2])
                yield _outside(subject, done, f"{words} makes something of the server's own")
        elif change.kind == "DATABASE" and _READ_ONLY.search(change.clause):
            yield _read_only(subject, done)
        elif isinstance(change, AlterThing) and (change.kind, change.name) == ("DATABASE", ""):
            continue  # the agency's own: its defaults are for tables to come
        elif change.kind in _OUTSIDE:
            yield _outside(subject, done, f"{change.kind.lower()} {change.name} is touched".strip())
        elif (
            isinstance(change, CreateThing)
            and change.replaces
            and ((change.kind, change.name) in subject.things)
        ):
            yield _perhaps(subject, done)
        elif (change.kind, change.name) in subject.things:
            continue  # its own: DROP … IF EXISTS before the first CREATE
        elif not isinstance(change, CreateThing) or change.replaces:
            yield _finding(subject, done)


_READ_ONLY = re.compile(r"\bREAD\s+ONLY\s*=?\s*1", re.I)


def _read_only(subject: Subject, done: Done) -> Finding:
    return subject.finding(
        RULE,
        done,
        "READ ONLY closes the agency's database for whoever writes: the application, the previous release, "
        "and the rest of this migration (3989).",
        edits=without(subject, done),
        example="# not in the chain",
    )


def _perhaps(subject: Subject, done: Done) -> Finding:
    """CREATE OR REPLACE of what the chain has not made: there may be one all the same."""
    change = done.change
    statement = statement_at(subject.source, done.span)
    sql = re.sub(r"\bOR\s+REPLACE\s+", "", done.step.sql, count=1, flags=re.I)
    code = f"op.execute({quoted(sql)})"
    return subject.finding(
        RULE,
        done,
        f"OR REPLACE silently takes the place of a {change.kind.lower()} {change.name} that an agency has "
        "and this chain does not know of. Without these words the statement says so, and stops.",
        edits=[replace(subject.source, statement, code)]
        if statement is not None and only_one(subject, done)
        else [],
        example=code,
    )


def _finding(subject: Subject, done: Done) -> Finding:
    change = done.change
    kind = change.kind.lower()
    verb = "dropped" if isinstance(change, DropThing) else "replaced"
    return subject.finding(
        RULE,
        done,
        f"The {kind} {change.name} is {verb}. Instances of the previous release count on it as it "
        "is: they fail, or silently get something else, until the last of them is replaced. Make a "
        f"new one under another name ({change.name}_2), and let the application use that.",
        edits=_beside(subject, done) or without(subject, done),
        example=f"# The {kind} {change.name} stays; add {change.name}_2.",
    )


def _beside(subject: Subject, done: Done) -> list[Edit]:
    """The user's own CREATE, under another name."""
    change = done.change
    statement = statement_at(subject.source, done.span)
    if not isinstance(change, CreateThing) or statement is None or not only_one(subject, done):
        return []
    new = f"{change.name}_2"
    sql = re.sub(r"\bOR\s+REPLACE\s+", "", change.clause, count=1, flags=re.I)
    sql = re.sub(rf"(?<![\w$]){re.escape(change.name)}(?![\w$])", new, sql, count=1)
    edits = [replace(subject.source, statement, f"op.execute({quoted(sql)})")]
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back:
        drop = f"op.execute({quoted(f'DROP {change.kind} {new}')})"
        edits.append(replace(subject.source, back[0], drop))
        edits.extend(remove(subject.source, back[1:]))
    return edits


def _outside(subject: Subject, done: Done, what: str) -> Finding:
    return subject.finding(
        RULE,
        done,
        f"{what[0].upper()}{what[1:]}, which is outside of the agency's database: it runs once per "
        "agency, and needs rights that an application's login should not have. Do it where servers "
        "are set up.",
        edits=without(subject, done),
        example="# Not in the chain: where servers are set up.",
    )
