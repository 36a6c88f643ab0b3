"""EBH074: UPDATE or DELETE with LIMIT, and no order that is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.code import quoted
from ebhook.lint.sql.dml import tree_of
from ebhook.lint.subject import Subject

RULE = Rule("EBH074", "UPDATE or DELETE with LIMIT and without ORDER BY", Severity.WARNING)


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        change = done.change
        if not isinstance(change, Data) or change.verb not in ("UPDATE", "DELETE"):
            continue
        tree = tree_of(change.clause)
        if tree is None or tree.args.get("limit") is None or tree.args.get("order") is not None:
            continue
        key = (done.before.at_hand(change.tables[0]).primary or ("id",))[0]
        sql = " ".join(change.clause.split())
        at = sql.upper().rindex(" LIMIT ")
        yield subject.finding(
            RULE,
            done,
            f"{change.verb} … LIMIT takes whichever rows come first, and without ORDER BY those are "
            "others in each agency, on each replica (statement-based replication warns: 1592), and after "
            "each crash. Order by the primary key.",
            example=f"op.execute({quoted(f'{sql[:at]} ORDER BY {key}{sql[at:]}')})",
        )
