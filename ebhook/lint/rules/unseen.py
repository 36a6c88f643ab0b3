"""EBH090: what a revision does depends on what lint cannot see."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.passing import origins, passing
from ebhook.lint.sandbox.recording import RecordedRun
from ebhook.lint.source import Span
from ebhook.lint.subject import Subject

RULE = Rule("EBH090", "what it does depends on what lint cannot see")

_EXAMPLES = {
    "read": 'op.execute("UPDATE … JOIN … SET … WHERE …")  # or INSERT … SELECT',
    "asked": "op.create_table(…)  # without asking: the chain says what is there",
    "absent": "op.…(…)  # what that function does, in this file",
    "unrun": "op.…(…)  # nothing but operations, with literals",
    "hidden": 'op.execute("…")  # the statements themselves, one by one',
}


def check(subject: Subject) -> Iterator[Finding]:
    said: set[Span] = set()
    looked = next(subject.upgrade.of("looked"), None)
    if looked is not None and subject.upgrade.complete and not subject.upgrade.steps:
        said.add(looked.spans[0])
        yield subject.finding(
            RULE,
            looked.spans[0],
            "This looks at the schema, and then does nothing where this chain has made it. What it "
            "does elsewhere was not judged, and agencies may come out different.",
            example=_EXAMPLES["asked"],
        )
    for run in (subject.upgrade, subject.downgrade):
        for event in run.events:
            if event.kind not in _EXAMPLES or event.spans[0] in said:
                continue
            if event.kind == "asked" and run.after.table(event.text) is not None:
                continue  # it asked whether it is there, and then made it
            said.add(event.spans[0])
            if event.kind == "absent":
                what = (
                    f"{event.text} is not installed where lint runs, so what it does was not judged. "
                    "Install what the application needs; or say it here, with op."
                )
            elif event.kind == "unrun":
                what = (
                    f"{_short(event.text)} is more than an operation, and with --no-run nothing of a "
                    "version file's author is run: what this revision does was not judged, and later "
                    "ones without what it makes."
                )
            elif event.kind == "hidden":
                what = (
                    f"What {_short(event.text)} does is not written here: it was not judged, and no "
                    "journal says how far it came when it is cut short. Say the statements themselves."
                )
            elif event.kind == "asked":
                what = (
                    f"This asks about table {event.text}, which no revision of this chain has made. "
                    "lint answered with what it knows of it: what the revision does otherwise was not "
                    f"judged, and agencies may come out different.{_stopped(run)}"
                )
            else:
                what = (
                    f"This asks for rows ({_short(event.text)}). lint answered with none: what the "
                    "revision does when there are some was not judged, and each agency has others. "
                    "One statement with a WHERE or a join says the same to the server itself."
                )
            yield subject.finding(
                RULE,
                event.spans[0],
                what,
                example=_EXAMPLES[event.kind],
            )
    for failure in (subject.loading, subject.upgrade.failure, subject.downgrade.failure):
        if failure is not None and failure.absent:
            span = failure.spans[0] if failure.spans else subject.home
            if span not in said:
                said.add(span)
                yield subject.finding(
                    RULE,
                    span,
                    f"{', '.join(sorted(subject.absent))} cannot be imported where lint runs, and "
                    "what stood in for it does not do here: what comes after this line was not "
                    "judged. Install what the application needs.",
                    example="# pip install …, where lint runs (additional_dependencies, for pre-commit)",
                )
    yield from _ways(subject)


def _ways(subject: Subject) -> Iterator[Finding]:
    """Where the way through the file depends on the clock, the environment or the instance."""
    source, said = subject.source, set[Span]()
    for node in source.nodes:
        if not isinstance(node, (ast.If, ast.IfExp, ast.While)):
            continue
        found = list(passing(source, node.test))
        known = origins(source, node)
        for name in {one.id for one in ast.walk(node.test) if isinstance(one, ast.Name)} & {*known}:
            found.extend(known[name])
        span = source.span(node.test)
        if not found or span in said:
            continue
        said.add(span)
        yield subject.finding(
            RULE,
            span,
            f"Which way this goes depends on {source.code(found[0])}, which is another one elsewhere "
            "or later. Only the way that it goes where lint runs was judged, and agencies may come "
            "out different.",
            example="# without asking: what a revision does is the same everywhere, and for ever",
        )


def _stopped(run: RecordedRun) -> str:
    return f" Here it stopped: {run.failure}." if run.failure is not None else ""


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
