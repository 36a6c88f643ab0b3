"""The measured, as tables for people and as one document for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.measure import Case, Measured, Verdict

Outcome = tuple[Case, Measured]


def text(facts: Mapping[str, str], outcomes: Sequence[Outcome]) -> str:
    head = [f"{name:<9} {fact}" for name, fact in facts.items()]
    return "\n".join([*head, *(line for outcome in outcomes for line in _table(*outcome))])


def document(facts: Mapping[str, str], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "machine": dict(facts),
        "cases": [
            {
                "case": case.name,
                "title": case.title,
                "contenders": [
                    {
                        "name": contender.name,
                        "note": contender.note,
                        "seconds": [
                            round(second, 4) for second in measured.seconds[contender.name]
                        ],
                        "median": round(measured.median(contender.name), 4),
                        "ratio": round(measured.ratio(contender.name, case.subject), 4),
                    }
                    for contender in case.contenders
                ],
                "targets": [
                    {
                        "what": verdict.what,
                        "value": round(verdict.value, 3),
                        "unit": verdict.unit,
                        "target": verdict.target,
                        "at_most": verdict.at_most,
                        "reached": verdict.reached,
                    }
                    for verdict in case.judge(measured)
                ],
            }
            for case, measured in outcomes
        ],
    }


def _table(case: Case, measured: Measured) -> Iterator[str]:
    names = [
        contender.name + (f" ({contender.note})" if contender.note else "")
        for contender in case.contenders
    ]
    width = max(map(len, names))
    yield ""
    yield f"{case.title}"
    yield f"  {'':<{width}}  {'median':>8}  {'from':>8}  {'to':>8}  {'ratio':>7}"
    for shown, contender in zip(names, case.contenders, strict=True):
        seconds = measured.seconds[contender.name]
        ratio = measured.ratio(contender.name, case.subject)
        yield (
            f"  {shown:<{width}}  {_seconds(measured.median(contender.name))}"
            f"  {_seconds(min(seconds))}  {_seconds(max(seconds))}  {_number(ratio):>6}×"
        )
    for verdict in case.judge(measured):
        yield f"  {_verdict(verdict)}"


def _verdict(verdict: Verdict) -> str:
    bound = "at most" if verdict.at_most else "at least"
    word = "reached" if verdict.reached else "NOT reached"
    value, target = f"{_number(verdict.value)} {verdict.unit}", f"{verdict.target:g} {verdict.unit}"
    return f"{verdict.what}: {value} (target: {bound} {target}): {word}"


def _seconds(value: float) -> str:
    return f"{value:6.3f} s" if value < 10 else f"{value:6.1f} s"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"
