"""What the last gate means for a command: refused, warned of, or let through (``boot.rules``)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from ebhook.chain.graph import Chain
from ebhook.fleet.last_gate import gate_for, refusal
from ebhook.fleet.standing import Standing
from ebhook.lint.gate import TIMEOUT, GateVerdict
from ebhook.report.reporter import Reporter
from ebhook.settings import Settings


class Permit(Protocol):
    def __call__(self) -> None:
        """Says what the rules find. Raises `ChainBroken` when no tenant may be touched."""


@contextmanager
def last_gate(
    settings: Settings,
    chain: Chain,
    standings: Sequence[Standing],
    target: str | None,
    report: Reporter,
    *,
    deadline: float,
) -> Iterator[Permit]:
    """Holds the pending revisions against the rules, beside what the block does.

    Args:
        deadline: monotonic seconds; the verdict is not waited for any longer.

    Yields:
        what the block calls before it touches the first tenant.
    """
    gate = gate_for(settings, chain, standings, target)
    if gate is None:
        yield lambda: None
        return
    with gate:

        def permit() -> None:
            left = max(1.0, deadline - time.monotonic())
            enforce(gate.verdict(min(left, TIMEOUT)), settings, report)

        yield permit


def enforce(verdict: GateVerdict, settings: Settings, report: Reporter) -> None:
    """Says what was found. Raises `ChainBroken` when ``boot.rules`` is refuse and something was."""
    for finding in (*verdict.findings, *verdict.unseen):
        report.log({"event": "RuleBroken", "rule": finding.rule, "revision": finding.revision,
                    "file": finding.file, "line": finding.line, "message": finding.message})  # fmt: skip
    for line in texts(verdict):
        report.say(line)
    if not verdict.passes:
        if settings.boot.rules == "refuse":
            raise refusal(verdict)
        report.say("boot.rules is warn: going on all the same")


def texts(verdict: GateVerdict) -> Iterator[str]:
    """What there is to say, for people: each finding whole, what could not be judged in one line."""
    if verdict.problem is not None:
        yield f"rules: the pending revisions could not be held against the rules: {verdict.problem}"
    for finding in verdict.findings:
        yield finding.text
    for finding in verdict.unseen:
        yield (
            f"rules: {finding.file}:{finding.line}: {finding.rule} {finding.title}; what that does "
            "was not judged"
        )
