"""EBH072: data gets a value that is another one each time."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ebhook.lint.changes.rows import Data
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.passing import origins, passing
from ebhook.lint.source import Source, Span
from ebhook.lint.subject import Done, Subject

RULE = Rule("EBH072", "data gets a value that differs each time")


def check(subject: Subject) -> Iterator[Finding]:
    said: set[Span] = set()
    for done in subject.done:
        if not isinstance(done.change, Data):
            continue
        python = list(_in_python(subject.source, done))
        for node in python:
            span = subject.source.span(node)
            if span not in said:
                said.add(span)
                yield _finding(subject, span, subject.source.code(node), _RESUMED)
        if done.change.functions and not python and done.span is not None and done.span not in said:
            said.add(done.span)
            yield _finding(subject, done, " and ".join(done.change.functions))


_RESUMED = (
    ", and a revision that is resumed after a crash no longer issues the statement that it began "
    "with, so nobody can tell what is in"
)


def _finding(subject: Subject, at: Done | Span, what: str, more: str = "") -> Finding:
    return subject.finding(
        RULE,
        at,
        f"{what} gives another value in each agency, and another one when the revision is run again: "
        f"agencies that should be alike are not{more}. Write the value itself, or let a column's "
        "server default fill it.",
        example=_example(what),
    )


def _example(what: str) -> str:
    low = what.lower()
    if "uuid" in low:
        return '"1f0c9d3e-5a52-4c7e-9d0b-1f6f0a1b2c3d"  # one value, written down'
    if "rand" in low or "secrets" in low:
        return "42  # one value, written down"
    if "environ" in low or "getenv" in low or "host" in low:
        return '"…"  # the value itself: each server has another environment'
    return '"2026-01-31 12:00:00"  # one moment, written down'


def _in_python(source: Source, done: Done) -> Iterator[ast.expr]:
    """The calls that make the value, in the statement's own call or in what is given to it."""
    for span in done.step.spans:
        call = source.call_at(span)
        if call is None:
            continue
        yield from passing(source, call)
        known = origins(source, call)
        names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
        for name in names & known.keys():
            yield from known[name]
