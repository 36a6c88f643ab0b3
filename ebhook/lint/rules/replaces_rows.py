"""EBH076: REPLACE and ON DUPLICATE KEY UPDATE, said as what they are."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.sql.dml import tree_of
from ebhook.lint.subject import Subject

RULE = Rule("EBH076", "an INSERT that may change or delete rows", Severity.ADVICE)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.changes(Data):
        change = done.change
        if set(change.tables) <= subject.made:
            continue
        table = change.tables[0] if change.tables else "the table"
        if change.verb == "REPLACE":
            yield subject.finding(
                RULE,
                done,
                f"REPLACE deletes each row of {table} that has the same key, with what an agency has "
                "written there and the rows that follow it by ON DELETE CASCADE, and inserts another. No "
                "downgrade() brings it back. INSERT IGNORE leaves it.",
                example=f"INSERT IGNORE INTO {table} …",
            )
        elif change.verb == "INSERT":
            tree = tree_of(change.clause)
            if tree is not None and tree.args.get("conflict") is not None:
                yield subject.finding(
                    RULE,
                    done,
                    f"ON DUPLICATE KEY UPDATE overwrites what an agency has in {table} under the same "
                    "key, and no downgrade() knows what was there. INSERT IGNORE leaves it.",
                    example=f"INSERT IGNORE INTO {table} …",
                )
