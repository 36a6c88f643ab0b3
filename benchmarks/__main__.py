"""The command: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from benchmarks import report
from benchmarks.cases import ALL
from benchmarks.lab import QUICK, Scale, lab
from benchmarks.machine import machine
from benchmarks.measure import NotDone, measure
from ebhook.errors import ScratchFailed
from ebhook.scratch.installation import Flavour


def main() -> None:
    arguments = _parser().parse_args()
    scale = QUICK if arguments.quick else Scale()
    if arguments.full:
        scale = replace(scale, sample=scale.tenants)
    if arguments.rounds:
        scale = replace(scale, rounds=arguments.rounds)
    try:
        with lab(arguments.flavour, scale, _say, arguments.workers) as here:
            facts = machine(here.server) | {"rounds": _rounds(scale)}
            cases = [ALL[name](here) for name in arguments.only or ALL]
            outcomes = [(case, measure(case, scale.rounds, _say)) for case in cases]
    except (ScratchFailed, NotDone) as failure:
        raise SystemExit(str(failure)) from None
    if arguments.json:
        print(json.dumps(report.document(facts, outcomes), indent=2, ensure_ascii=False))
    else:
        print(report.text(facts, outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="ebhook beside a loop of `flask db upgrade`, and beside plain statements.",
    )
    parser.add_argument("--flavour", type=Flavour, choices=list(Flavour), default=Flavour.MYSQL)
    parser.add_argument("--quick", action="store_true", help="a minute or two, less precise")
    parser.add_argument("--full", action="store_true", help="time the whole loop, not a sample")
    parser.add_argument("--rounds", type=int, help="how often each contender runs")
    parser.add_argument("--workers", type=int, help="ebhook's workers, and plain connections")
    parser.add_argument("--only", action="append", choices=list(ALL), help="one case (repeatable)")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    return parser


def _rounds(scale: Scale) -> str:
    return f"{scale.rounds}, by turns; medians, and ratios to ebhook within a round"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
