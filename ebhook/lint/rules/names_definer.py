"""EBH086: a view, trigger, routine or event that runs as a named account."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.things import AlterThing, CreateThing
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import only_one, replace, statement_at
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH086", "a DEFINER that names an account", Severity.WARNING)

_DEFINER = re.compile(r"\bDEFINER\s*=\s*(?!CURRENT_USER|CURRENT_ROLE)(\S+)\s*", re.I)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        if not isinstance(done.change, (CreateThing, AlterThing)):
            continue
        found = _DEFINER.search(done.step.sql.partition(" AS ")[0])
        if found is None:
            continue
        yield subject.finding(
            RULE,
            done,
            f"The {done.change.thing} is to run as {found[1]}. An account of that name need not be on "
            "every agency's server, nor on a restored copy, and whoever uses it there fails (1449); to "
            "name another than one's own needs SET_USER_ID, SET_ANY_DEFINER or SUPER (1227). Leave it "
            "out: then it is the account that runs the migration.",
            edits=_edits(subject, done),
            example=_DEFINER.sub("", " ".join(done.step.sql.split())),
        )


def _edits(subject: Subject, done: Done) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    sql = _DEFINER.sub("", done.step.sql, count=1)
    return [replace(subject.source, statement, f"op.execute({quoted(sql)})")]
