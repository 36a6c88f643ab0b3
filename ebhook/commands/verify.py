"""``verify``: the chain, proved on scratch servers before any tenant sees it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

from ebhook.chain.folder import read_chain
from ebhook.chain.revision import Revision
from ebhook.commands.context import Options, finish, load_settings
from ebhook.errors import Exit
from ebhook.next_command import ebhook, then
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.report.tables import table
from ebhook.verify.drift import Side
from ebhook.verify.run import Proved, prove
from ebhook.verify.walk import Problem, Proof

_WRITE_IT = then("Write it: ", ebhook("migrate", words=["-m", "JMS-1234 …"]))


def verify(options: Options, *, start: str | None, flavours: Sequence[str]) -> Exit:
    """0: no difference anywhere; 1: the report says which."""
    began = time.monotonic()
    settings = load_settings(options)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    first = chain.find(start).id if start is not None else None
    # No live display: it is a thread, and processes are forked here.
    with Reporter(sys.stderr, live=False, log=options.log) as report:

        def told(proved: Proved, revision: Revision, proof: Proof) -> None:
            report.say(f"{proved.name}: {revision.id} {_seconds(proof)}{_marks(proof)}")

        results = prove(
            settings,
            chain,
            flavours=flavours or settings.scratch_flavours,
            start=first,
            say=report.say,
            told=told,
        )
    clean = all(one.is_clean for one in results)
    code = Exit.OK if clean else Exit.FINDINGS
    text = _text(results, time.monotonic() - began, options.commands)
    finish(options, _document(chain.head, code, results), text)
    return code


def _seconds(proof: Proof) -> str:
    named = (("up", proof.up), ("down", proof.down), ("again", proof.again))
    return ", ".join(f"{name} {value:.2f} s" for name, value in named if value is not None)


def _marks(proof: Proof) -> str:
    return "".join(f"; {problem.fault}" for problem in proof.problems)


# For people


def _text(results: Sequence[Proved], seconds: float, commands: NextCommands) -> str:
    parts = [_table(results)]
    parts.extend(text for one in results for text in _findings(one, commands))
    names = " and ".join(one.name for one in results)
    revisions = count(len(results[0].order), "revision")
    problems = sum(map(_problems, results))
    found = count(problems, "problem") if problems else "no difference"
    parts.append(f"{revisions} on {names} in {seconds:.1f} s: {found}.")
    return "\n\n".join(part for part in parts if part)


def _table(results: Sequence[Proved]) -> str:
    order = results[0].order
    if not order:
        return ""
    headings = ["revision", *(f"{one.name}: up, down, again" for one in results), "what it is"]
    lines = []
    for revision in order:
        cells, reached = [], False
        for one in results:
            proof = one.proofs.get(revision.id)
            if proof is None:
                cells.append("not reached")
                continue
            reached = True
            times = (proof.up, proof.down, proof.again)
            text = "  ".join("-" if value is None else f"{value:.2f}" for value in times)
            cells.append(text + " !" * bool(proof.problems))
        if reached:
            lines.append([revision.id, *cells, revision.message])
    return table(headings, lines)


def _findings(one: Proved, commands: NextCommands) -> Iterator[str]:
    """Each problem of one server as a paragraph."""
    for revision in one.order:
        proof = one.proofs.get(revision.id)
        for problem in proof.problems if proof else ():
            yield _paragraph(f"{one.name}: {revision.id} ({revision.path.name})", problem)
    missing = one.not_reached
    if missing:
        yield f"{one.name}: {count(len(missing), 'revision')} not reached, from {missing[0].id} on."
    if one.whole_up_failed:
        yield f"{one.name}: the chain in one go fails, one by one it does not:\n  {one.whole.up_error}"
    if one.steps_against_whole:
        yield _lines(
            f"{one.name}: one by one (+) the revisions lead elsewhere than in one go (-)",
            one.steps_against_whole,
        )
    if one.whole_down_failed:
        yield _lines(
            f"{one.name}: the whole way back does not lead back: {one.whole.down_error or ''}".rstrip(
                ": "
            ),
            one.whole.left,
        )
    for side in Side:
        what = [drift.what for drift in one.whole.drift if drift.side is side]
        if what:
            hint = f". {commands.plain(_WRITE_IT)}" if side is Side.MODELS else ""
            yield _lines(f"{one.name}: {side}{hint}", what)


def _problems(one: Proved) -> int:
    """How many there are; what was not reached is none."""
    own = sum(len(proof.problems) for proof in one.proofs.values())
    whole = (one.whole_up_failed, one.whole_down_failed)
    return own + len(one.whole.drift) + sum(map(bool, (*whole, one.steps_against_whole)))


def _paragraph(where: str, problem: Problem) -> str:
    head = f"{where}: {problem.fault}" + (f":\n  {problem.what}" if problem.what else "")
    return _lines(head, problem.diff)


def _lines(head: str, lines: Sequence[str]) -> str:
    return "\n".join([head, *(f"  {line}" for line in lines)])


# For programs


def _document(head: str | None, code: Exit, results: Sequence[Proved]) -> dict[str, object]:
    return {
        "head": head,
        "exit_code": int(code),
        "servers": [
            {
                "flavour": one.flavour,
                "version": one.version,
                "clean": one.is_clean,
                "revisions": [_proof(revision, one) for revision in one.order],
                "whole": {
                    "up_seconds": _rounded(one.whole.up),
                    "down_seconds": _rounded(one.whole.down),
                    "up_error": one.whole.up_error,
                    "down_error": one.whole.down_error,
                    "left": list(one.whole.left),
                    "against_steps": list(one.steps_against_whole),
                },
                "models": "compared" if one.whole.has_models else "not named by env.py",
                "drift": [
                    {"side": drift.side.value, "what": drift.what} for drift in one.whole.drift
                ],
            }
            for one in results
        ],
    }


def _proof(revision: Revision, one: Proved) -> dict[str, object]:
    proof = one.proofs.get(revision.id)
    return {
        "revision": revision.id,
        "message": revision.message,
        "reached": proof is not None,
        "up_seconds": _rounded(proof.up) if proof else None,
        "down_seconds": _rounded(proof.down) if proof else None,
        "again_seconds": _rounded(proof.again) if proof else None,
        "problems": [
            {"fault": problem.fault.value, "what": problem.what, "diff": list(problem.diff)}
            for problem in (proof.problems if proof else ())
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
