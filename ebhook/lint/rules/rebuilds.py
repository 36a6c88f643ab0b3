"""EBH007: a table is converted or rebuilt."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.tables import METADATA_OPTIONS, Convert, Rebuild, SetOption
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.fixes.code import quoted
from ebhook.lint.fixes.rewrite import counterparts, only_one, remove, replace, statement_at, without
from ebhook.lint.source import Edit
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH007", "a table is converted or rebuilt", protects=True)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(Convert, Rebuild, SetOption):
        change = done.change
        if isinstance(change, Convert):
            yield _convert(subject, done)
        elif isinstance(change, Rebuild):
            yield _rebuild(subject, done, f"{change.what.split()[0].upper()} …")
        elif change.name not in METADATA_OPTIONS:
            yield _rebuild(subject, done, f"{change.name.upper()} = {change.value}")


def _convert(subject: Subject, done: Done) -> Finding:
    table, charset = done.change.table, done.change.charset
    sql = f"ALTER TABLE {table} DEFAULT CHARACTER SET {charset}"
    code = f"op.execute({quoted(sql)})"
    return subject.finding(
        RULE,
        done,
        f"CONVERT TO rewrites every row of {table}: nobody can write to it meanwhile, text columns "
        "may change their type (TEXT becomes MEDIUMTEXT), unique keys may find duplicates under the "
        "new collation, and joins with tables that were not converted lose their indexes. The "
        "default character set is metadata only: old columns stay as they are, and columns that "
        "are added later have the new one.",
        edits=_instead(subject, done, code),
        example=code,
    )


def _rebuild(subject: Subject, done: Done, what: str) -> Finding:
    table = done.change.table
    if what.startswith(("DISCARD", "IMPORT")):
        return subject.finding(
            RULE,
            done,
            f"{what} takes away the file that {table} is stored in, or puts another in its place: nobody "
            "reads or writes the table meanwhile (1814), and its rows are those of that file. It belongs "
            "to a restore by hand, of one agency.",
            edits=without(subject, done),
            example=f"# {table} stays as it is stored.",
        )
    return subject.finding(
        RULE,
        done,
        f"{what} rebuilds {table}, row by row, in every agency while instances boot. Leave it out of "
        "the chain: it changes nothing that the application sees. Where a table needs it, do it "
        "there by hand, at a quiet hour.",
        edits=without(subject, done),
        example=f"# {table} stays as it is stored.",
    )


def _instead(subject: Subject, done: Done, code: str) -> list[Edit]:
    statement = statement_at(subject.source, done.span)
    if statement is None or not only_one(subject, done):
        return []
    edits = [replace(subject.source, statement, code)]
    old = done.before.at_hand(done.change.table).options.get("charset")
    back = [one for one in counterparts(subject, [done]) if one is not None]
    if back and old:
        sql = f"ALTER TABLE {done.change.table} DEFAULT CHARACTER SET {old}"
        edits.append(replace(subject.source, back[0], f"op.execute({quoted(sql)})"))
        edits.extend(remove(subject.source, back[1:]))
    return edits
