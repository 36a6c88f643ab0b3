"""EBH084: a revision changes a setting of its session."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ebhook.lint.changes.rows import SessionStatement
from ebhook.lint.finding import Finding, Rule, Severity
from ebhook.lint.fixes.rewrite import remove, statement_at
from ebhook.lint.subject import Subject

RULE = Rule("EBH084", "a revision changes a setting of its session", Severity.WARNING)

_SETTING = re.compile(
    r"SET\s+(?:(?:SESSION|LOCAL)\s+|@@(?:session\.|local\.)?)?(?!GLOBAL|PERSIST|@@global)(\w+)\s*:?=",
    re.I,
)
# EBH082 has something to say of the first, EBH060 of the second.
_ELSEWHERE = {"autocommit", "old_alter_table", "alter_algorithm"}


def check(subject: Subject) -> Iterator[Finding]:
    for done in subject.all_done:
        change = done.change
        if not isinstance(change, SessionStatement) or change.verb != "SET":
            continue
        sql = " ".join(change.clause.split())
        found = _SETTING.match(sql)
        if found is None or found[1].lower() in _ELSEWHERE:
            continue
        why = {
            "foreign_key_checks": "rows and keys then come in that the server would refuse, and nothing "
            "ever looks again",
            "unique_checks": "duplicates may then come in unseen",
            "sql_mode": "what is strict elsewhere is cut or made zero here",
            "sql_log_bin": "replicas then do not get it",
        }.get(found[1].lower(), "what follows behaves otherwise than in every other revision")
        yield subject.finding(
            RULE,
            done,
            f"{sql[:60]}: {why}; and it stays for the revisions after this one in the same session, "
            "unless a crash comes between: then it does not. Write the statements so that they need no "
            "such thing.",
            edits=remove(subject.source, [statement_at(subject.source, done.span)]),
            example="# nothing",
        )
