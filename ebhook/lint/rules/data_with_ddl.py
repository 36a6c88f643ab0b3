"""EBH070: one revision changes both definitions and data."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ebhook.lint.changes.change import OfTable
from ebhook.lint.changes.rows import Data
from ebhook.lint.changes.tables import CreateTable
from ebhook.lint.changes.things import OfThing
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH070", "data and definitions are changed in one revision")


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.done:
        if isinstance(done.change, CreateTable) and done.change.filled:
            table = done.change.table
            yield subject.finding(
                RULE,
                done,
                f"CREATE TABLE {table} … SELECT makes the table and fills it in one statement, which "
                "locks what it reads, in every agency, and leaves the definition of "
                f"{table} to whatever the SELECT gave. Create it with its columns; fill it in a "
                "revision of its own.",
                example=f'op.create_table("{table}", …)\n# and in the next revision:\n'
                f'op.execute("INSERT INTO {table} SELECT …")',
            )
    data = [one for one in subject.done if isinstance(one.change, Data)]
    ddl = [one for one in subject.done if isinstance(one.change, (OfTable, OfThing))]
    if not data or not ddl:
        return
    yield subject.finding(
        RULE,
        data[0],
        "This revision changes data and definitions. The server commits before and after each "
        "definition, so one that fails half way leaves the one without the other; and while rows are "
        "rewritten, the schema change waits, and with it the boot. Put the data into the next "
        "revision: it can be tried again by itself.",
        example=_next_revision(subject, data),
    )


def _next_revision(subject: Subject, data: list[Done]) -> str:
    """The next revision's upgrade, with the user's own statements."""
    lines: list[str] = []
    for one in data:
        call = subject.source.call_at(one.span) if one.span is not None else None
        statement = subject.source.statement_of(call) if call is not None else None
        if statement is not None:
            text = subject.source.dedented(statement)
            if text not in lines:
                lines.append(text)
    head = f'down_revision = "{subject.file.id}"\n\n\ndef upgrade():\n'
    return head + textwrap.indent("\n".join(lines or ["…"]), "    ")
