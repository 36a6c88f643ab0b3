"""``check``: what a branch adds, held against the rules and proved on a scratch server, in one report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ebhook.chain.folder import read_chain, version_files, version_folders
from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision
from ebhook.commands.context import Options, load_settings
from ebhook.errors import ChainBroken, Exit
from ebhook.lint.checking import check
from ebhook.lint.finding import Finding, Rule
from ebhook.lint.formats import FORMATS
from ebhook.lint.since import branch_since
from ebhook.lint.source import Source, Span, try_source
from ebhook.lint.subject import VersionFile
from ebhook.report.reporter import Reporter
from ebhook.settings import Settings
from ebhook.verify.run import Proved, prove
from ebhook.verify.walk import Fault, Problem

# What a scratch server says, beside lint's own rules.
PROOF = Rule("verify", "a scratch server says otherwise")
_DOWN = {Fault.NO_DOWNGRADE, Fault.DOWNGRADE, Fault.NOT_RESTORED}


def check_branch(options: Options, *, since: str, format: str) -> Exit:
    """0: nothing found, or advice alone; otherwise what the worst finding says."""
    began = time.monotonic()
    settings = load_settings(options)
    report = check(settings, since=since)
    try:
        chain = read_chain(settings.folder, env_py=settings.env_py)
    except ChainBroken:
        if report.exit_code is not Exit.CHAIN:
            raise
        chain = None  # lint has said why
    if chain is not None:
        found = _proved(options, settings, chain, since)
        report = replace(
            report,
            findings=(*report.findings, *found),
            seconds=time.monotonic() - began,
        )
    text = FORMATS["json" if options.json else format](report, Path.cwd())
    if options.log.is_open:
        document = json.loads(FORMATS["json"](report, Path.cwd()))
        options.log.write({"event": "Report", **document})
    sys.stdout.write(text)
    return report.exit_code


def _proved(options: Options, settings: Settings, chain: Chain, since: str) -> tuple[Finding, ...]:
    files = [VersionFile(*try_source(path)) for path in version_files(settings.folder)]
    added = branch_since(since, files, version_folders(settings.folder)).added
    new = [one for one in chain.revisions.values() if one.path in added]
    if not new:
        return ()
    # What the branch adds is the chain's end, or lint has said that it is not.
    start = next(iter(new[0].parents), None)
    with Reporter(sys.stderr, live=False, log=options.log) as report:
        results = prove(
            settings,
            chain,
            flavours=settings.scratch_flavours,
            start=start,
            say=report.say,
            told=lambda proved, revision, proof: None,
        )
    return tuple(finding for one in results for finding in _findings(one))


def _findings(proved: Proved) -> Iterator[Finding]:
    """Every problem of one server, at the function of the version file that has it."""
    for revision in proved.order:
        proof = proved.proofs.get(revision.id)
        for problem in proof.problems if proof else ():
            yield _finding(proved, revision, problem)
    last = proved.order[-1] if proved.order else None
    whole = proved.whole
    if last is None:
        return
    if proved.whole_up_failed:
        yield _at(proved, last, "upgrade", f"the chain in one go fails: {whole.up_error}")
    if proved.steps_against_whole:
        lines = "; ".join(proved.steps_against_whole)
        yield _at(proved, last, "upgrade", f"one by one the revisions lead elsewhere: {lines}")
    if proved.whole_down_failed:
        told = whole.down_error or "; ".join(whole.left)
        yield _at(proved, last, "downgrade", f"the whole way back does not lead back: {told}")
    for drift in whole.drift:
        yield _at(proved, last, "upgrade", f"{drift.side}: {drift.what}")


def _finding(proved: Proved, revision: Revision, problem: Problem) -> Finding:
    function = "downgrade" if problem.fault in _DOWN else "upgrade"
    told = ": ".join(part for part in (str(problem.fault), problem.what) if part)
    lines = "; ".join(line.strip() for line in problem.diff)
    return _at(proved, revision, function, f"{told}{f' ({lines})' if lines else ''}")


def _at(proved: Proved, revision: Revision, function: str, words: str) -> Finding:
    source: Source = try_source(revision.path)[0]
    node = source.function(function)
    span: Span = source.line_span(node.lineno if node is not None else 1)
    return Finding(
        PROOF, revision.path, span, f"On {proved.name} {words.rstrip('.')}.", revision=revision.id
    )
