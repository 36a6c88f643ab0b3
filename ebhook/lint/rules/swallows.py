"""EBH085: an except around what the database refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject

RULE = Rule("EBH085", "an error of the database is swallowed")

_WIDE = {
    "Exception", "BaseException", "sqlalchemy.exc.SQLAlchemyError", "sqlalchemy.exc.DBAPIError",
    "sqlalchemy.exc.OperationalError", "sqlalchemy.exc.ProgrammingError",
    "sqlalchemy.exc.IntegrityError", "sqlalchemy.exc.DatabaseError", "sqlalchemy.exc.InternalError",
    "pymysql.err.OperationalError", "pymysql.MySQLError",
}  # fmt: skip


def check(subject: Subject) -> Iterator[Finding]:
    source = subject.source
    spans = {
        span
        for run in (subject.upgrade, subject.downgrade)
        for step in run.steps
        for span in step.spans
    }
    for node in source.nodes:
        if isinstance(node, ast.Try):
            inside = [source.span(one) for one in node.body]
            if not any(around.holds(span) for around in inside for span in spans):
                continue
            for handler in node.handlers:
                if _is_wide(subject, handler) and not _raises(handler):
                    yield subject.finding(
                        RULE,
                        source.line_span(handler.lineno),
                        "Whatever the server says to the statements above is swallowed: the revision "
                        "counts as applied where it was not, agencies come out different, and nobody is "
                        "told. (ebhook itself fails such a revision all the same.) Let it fail, or ask "
                        "for what it depends on in another way.",
                        example="# without try: what fails stops here, and is told",
                    )


def _is_wide(subject: Subject, handler: ast.ExceptHandler) -> bool:
    kinds: list[ast.expr] = []
    if isinstance(handler.type, ast.Tuple):
        kinds = list(handler.type.elts)
    elif handler.type is not None:
        kinds = [handler.type]
    names = {subject.source.dotted(one) for one in kinds}
    return not kinds or bool(names & _WIDE)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(one, ast.Raise) for one in ast.walk(handler))
