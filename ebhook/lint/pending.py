"""Holds the revisions that databases still lack against the rules that protect running code and data.

This is what a boot asks before it touches the first tenant, so it has to be quick: of the older
revisions only those are run that name something which the pending ones touch.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from ebhook.lint import allow
from ebhook.lint.changes.change import Change, OfTable
from ebhook.lint.changes.rows import Data
from ebhook.lint.changes.tables import RenameTable
from ebhook.lint.changes.things import OfThing
from ebhook.lint.checking import Report
from ebhook.lint.finding import Finding
from ebhook.lint.recorded import record
from ebhook.lint.rules import by_id, rules
from ebhook.lint.selecting import switched_off
from ebhook.lint.source import try_source
from ebhook.lint.subject import Subject, VersionFile
from ebhook.settings import Settings

# These say that a revision, or a part of it, could not be judged.
UNSEEN = frozenset({"EBH090", "EBH091", "EBH092"})


def judge_pending(
    settings: Settings, revisions: Mapping[str, Path], pending: Collection[str]
) -> Report:
    """The findings of the rules that protect, and of those that say what could not be judged.

    Args:
        revisions: the chain's revisions with their files, parents before children.
        pending: the ids of those that some database lacks, and that are to be judged.

    Raises:
        SettingsFailed: ``lint.select`` or ``lint.ignore`` names what there is not.
    """
    began = time.monotonic()
    off = switched_off(settings)
    files = {
        path: VersionFile(*try_source(path)) for id, path in revisions.items() if id in pending
    }
    subjects, absent = record(settings, list(files.values()), files)
    needed = _needed(subjects, [path for path in revisions.values() if path not in files])
    if needed:
        known = [path for path in revisions.values() if path in files or path in needed]
        ordered = [files.get(path) or VersionFile(*try_source(path)) for path in known]
        subjects, absent = record(settings, ordered, files)
    said: list[Finding] = []
    allowed: list[Finding] = []
    for subject in subjects:
        findings = [finding for finding in _findings(subject) if finding.rule.id not in off]
        allows, _ = allow.read(subject.source, by_id())
        left, fine, _ = allow.sort_out(subject.source, findings, allows)
        said.extend(left)
        allowed.extend(fine)
    seconds = time.monotonic() - began
    return Report(tuple(said), tuple(allowed), len(files), len(revisions), seconds, absent)


def _findings(subject: Subject) -> Iterator[Finding]:
    for one in rules():
        if one.revision is not None and (one.rule.protects or one.rule.id in UNSEEN):
            yield from one.revision(subject)


def _needed(subjects: Iterable[Subject], older: list[Path]) -> frozenset[Path]:
    """The older files that name what the pending revisions touch; all of them where one of those
    asks what there is."""
    runs = [subject.upgrade for subject in subjects]
    if any(any(run.of("looked")) for run in runs):
        return frozenset(older)
    names = {
        name.rpartition(".")[2]
        for run in runs
        for step in run.steps
        for change in step.changes
        for name in _names(change)
    } | {event.text for run in runs for event in run.of("asked")}
    if not names:
        return frozenset()
    listed = "|".join(re.escape(name) for name in sorted(names) if name)
    pattern = re.compile(rf"(?<![\w$])(?:{listed})(?![\w$])".encode(), re.I)
    return frozenset(path for path in older if pattern.search(path.read_bytes()))


def _names(change: Change) -> Iterator[str]:
    match change:
        case RenameTable():
            yield from (change.table, change.new)
        case OfTable():
            yield change.table
        case OfThing():
            yield change.name
        case Data():
            yield from change.tables
