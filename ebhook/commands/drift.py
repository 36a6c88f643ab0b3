"""``drift``: which tenants' schemas differ from the fleet, the chain or the models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.drift.fleet import Difference
from ebhook.drift.found import DriftFound, compared_with_fleet
from ebhook.drift.reader import read_schemas
from ebhook.errors import Exit
from ebhook.fleet.discovery import select
from ebhook.fleet.survey import survey
from ebhook.next_command import ebhook
from ebhook.report.documents import print_json, unread_documents
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import problems_text, some

SHOWN = 40  # lines of one difference that people are shown; --json has them all


def drift(options: Options, *, names: Sequence[str], against: str) -> Exit:
    """0 when no schema differs, 1 when one does, worse when a tenant cannot be read.

    Args:
        against: fleet, chain or models.
    """
    began = time.monotonic()
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, ())
        chosen = select(tenants, names)
        standings = survey(tenants if against == "fleet" else chosen, chain, settings)
        read = [s for s in standings if s.is_read]
        readings = read_schemas([standing.tenant for standing in read], settings)
        wanted = {tenant.name for tenant in chosen}
        if against == "fleet":
            found = compared_with_fleet(read, readings, settings, wanted)
        else:
            from ebhook.rehearsal import expected  # late: they need SQLAlchemy

            compare = (
                expected.compared_with_chain
                if against == "chain"
                else expected.compared_with_models
            )
            found = compare(read, readings, chain, settings, report.say)
        found.problems += [
            (s.tenant.name, s.error) for s in standings if s.error is not None and s not in read
        ]
        document = report.hidden(_document(against, found, options.commands))
        report.log({"event": "Drift", **document})
    if options.json:
        print_json(document)
    else:
        report.print("\n\n".join(_parts(found, time.monotonic() - began, options.commands)))
    return found.exit_code


# For people


def _parts(found: DriftFound, seconds: float, commands: NextCommands) -> Iterator[str]:
    for one in found.differences:
        yield "\n".join(_paragraph(one, commands))
    problems = problems_text(found.problems, commands)
    if problems:
        yield problems
    notes = list(_notes(found))
    if notes:
        yield "\n".join(notes)
    differing = sum(len(one.tenants) for one in found.differences)
    be = "differs" if differing == 1 else "differ"
    told = f": {differing} {be}" if differing else ": no difference" if found.compared else ""
    yield f"{count(found.compared, 'tenant')} compared{told}, in {seconds:.2f} s"


def _paragraph(one: Difference, commands: NextCommands) -> Iterator[str]:
    be = "differs" if len(one.tenants) == 1 else "differ"
    yield f"{some(one.tenants, 5)} {be} from {one.expected}:"
    yield from (f"  {line}" for line in one.lines[:SHOWN])
    if len(one.lines) > SHOWN:
        see = commands.command(ebhook("drift", *one.tenants, words=["--json"]))
        yield f"  … {len(one.lines) - SHOWN} more lines: {see}"
    if not one.clear:
        yield "  Not more than half of the tenants agree: which of them is right is not known."


def _notes(found: DriftFound) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for name, why in found.alone.items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield f"not compared: {some(names)}: {why}"
    for kind, names in found.unseen.items():
        yield (
            f"{kind} were not compared for {some(names)}: the login is not shown them "
            "(docs/privileges.md)"
        )


# For programs


def _document(against: str, found: DriftFound, commands: NextCommands) -> dict[str, Any]:
    return {
        "exit_code": int(found.exit_code),
        "against": against,
        "compared": found.compared,
        "differences": [
            {
                "tenants": list(one.tenants),
                "expected": one.expected,
                "majority": one.clear,
                "lines": list(one.lines),
            }
            for one in found.differences
        ],
        "not_compared": [{"tenant": name, "why": why} for name, why in found.alone.items()],
        "unseen": {kind: list(names) for kind, names in found.unseen.items()},
        "unread": unread_documents(found.problems, commands),
    }
