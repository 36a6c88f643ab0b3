"""EBH092: a revision fails when it is run."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.sandbox.recording import Failure, RecordedRun
from ebhook.lint.source import Edit, Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH092", "a revision fails when it is run")


def check(subject: Subject) -> Iterator[Finding]:
    if subject.loading is not None:
        if not _elsewhere(subject.loading):
            yield _finding(subject, subject.loading, "The file fails while it is imported")
        return
    if subject.upgrade.missing:
        yield subject.finding(
            RULE,
            subject.file.place(),
            "There is no upgrade(): Alembic fails on this revision in every agency.",
            example="def upgrade():\n    op.…",
        )
    yield from _arguments(subject)
    for name, run in (("upgrade", subject.upgrade), ("downgrade", subject.downgrade)):
        failure = run.failure
        if failure is None or _elsewhere(failure):
            continue
        if name == "downgrade" and _raised(subject, failure):
            continue  # EBH010: it refuses
        if any(run.of("asked")) or _read_own_rows(run):
            continue  # EBH090: it stands on what this chain has not made, or on its rows
        yield _finding(subject, failure, f"{name}() fails")


def _finding(subject: Subject, failure: Failure, what: str) -> Finding:
    missing = ", ".join(sorted(subject.absent))
    hint = (
        f" Some modules cannot be imported where lint runs ({missing}); if it is for want of them, "
        "install what the application needs."
        if missing
        else " On a server that has what this chain makes, and no rows, it would fail, too; or it "
        "needs what only a server has, or env.py sets up: then say it without asking."
    )
    span: Span = failure.spans[0] if failure.spans else subject.home
    return subject.finding(
        RULE,
        span,
        f"{what}: {failure}. What comes after that line was not judged.{hint}",
        edits=_meant(subject, failure),
        example="op.execute(…)  # say what is to be done, without asking the database first",
    )


def _read_own_rows(run: RecordedRun) -> bool:
    """Did it ask for rows of a table that the chain put some into? Here there are none."""
    read = " ".join(event.text for event in run.of("read"))
    return any(re.search(rf"\b{re.escape(name)}\b", read, re.I) for name in run.after.filled)


def _arguments(subject: Subject) -> Iterator[Finding]:
    """What env.py gives to upgrade(), it gives to downgrade(), too: run_migrations(name=…)."""
    up, down = subject.source.function("upgrade"), subject.source.function("downgrade")
    if up is None or down is None or down.args.kwarg is not None:
        return
    takes = {one.arg for one in (*down.args.args, *down.args.kwonlyargs)}
    wanted = [one.arg for one in (*up.args.args, *up.args.kwonlyargs) if one.arg not in takes]
    if not wanted:
        return
    head = subject.source.line_span(down.lineno)
    yield subject.finding(
        RULE,
        head,
        f"downgrade() does not take {', '.join(wanted)}, which upgrade() takes: env.py gives it to "
        "both, and this one fails before it has done anything (TypeError).",
        example=f"def downgrade({', '.join([*takes, *wanted])}):",
    )


def _elsewhere(failure: Failure) -> bool:
    """Has another rule something to say of it? EBH083: it reaches out. EBH090: a module is absent."""
    return failure.absent or type(failure.error).__name__ == "Outside"


def _meant(subject: Subject, failure: Failure) -> list[Edit]:
    """The name that is closest to one that is not there: ``op.add_colum``."""
    error = failure.error
    name = getattr(error, "name", None)
    if not isinstance(error, AttributeError) or not name or not failure.spans:
        return []
    close = difflib.get_close_matches(name, dir(getattr(error, "obj", None)), n=1, cutoff=0.7)
    for node in subject.source.nodes:
        if isinstance(node, ast.Attribute) and node.attr == name and close:
            span = subject.source.span(node)
            if failure.spans[0].holds(span):
                start = span.end_column - len(name)
                return [Edit(Span(span.end_line, start, span.end_line, span.end_column), close[0])]
    return []


def _raised(subject: Subject, failure: Failure) -> bool:
    return any(
        isinstance(one, ast.Raise) and subject.source.span(one).holds(failure.spans[0])
        for one in subject.source.nodes
        if failure.spans
    )
