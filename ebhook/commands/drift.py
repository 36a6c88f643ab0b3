"""``drift``: which tenants' schemas differ from the fleet, the chain or the models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.drift.fleet import Difference, differences
from ebhook.drift.reader import SchemaReading, read_schemas
from ebhook.errors import EbhookError, Exit, worst
from ebhook.fleet.discovery import select
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.next_command import ebhook
from ebhook.report.documents import print_json, unread_documents
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import problems_text, some
from ebhook.settings import Settings

SHOWN = 40  # lines of one difference that people are shown; --json has them all


@dataclass
class DriftFound:
    """What `drift` found.

    `alone` are tenants that could not be compared with others, and why; `unseen` are the tenants whose login is
    not shown a kind of thing.
    """

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    alone: dict[str, str] = field(default_factory=dict)
    unseen: dict[str, list[str]] = field(default_factory=dict)
    problems: list[tuple[str, EbhookError]] = field(default_factory=list)

    @property
    def exit_code(self) -> Exit:
        found = [Exit.FINDINGS] if self.differences else []
        return worst([*found, *(error.exit_code for _, error in self.problems)])


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
        found = compared_with_fleet(read, readings, settings, wanted)
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


def compared_with_fleet(
    standings: Sequence[Standing],
    readings: Mapping[str, SchemaReading],
    settings: Settings,
    wanted: set[str],
) -> DriftFound:
    """The tenants of `wanted` that differ from the others at the same revision."""
    found = _begun(readings, wanted)
    groups: dict[tuple[str, ...], list[str]] = {}
    for standing in standings:
        name = standing.tenant.name
        if readings[name].snapshot is None:
            continue
        if standing.half is not None:
            if name in wanted:
                found.alone[name] = f"{standing.half.revision} is half done there"
        else:
            groups.setdefault(standing.revisions, []).append(name)
    for at, names in groups.items():
        place = ", ".join(at) or "no revision"
        if len(names) == 1:
            found.alone.update(
                (name, f"no other is at {place}") for name in names if name in wanted
            )
            continue
        found.compared += len(wanted.intersection(names))
        schemas = {name: snapshot for name in names if (snapshot := readings[name].snapshot)}
        for one in differences(schemas, place, settings.drift.ignore):
            theirs = tuple(name for name in one.tenants if name in wanted)
            if theirs:
                found.differences.append(Difference(theirs, one.expected, one.lines, one.clear))
    return found


def _begun(readings: Mapping[str, SchemaReading], wanted: set[str]) -> DriftFound:
    found = DriftFound()
    for name, reading in readings.items():
        if name in wanted:
            if reading.error is not None:
                found.problems.append((name, reading.error))
            for kind in sorted(reading.unseen):
                found.unseen.setdefault(kind, []).append(name)
    return found


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
    told = f"{differing} {be}" if differing else "no difference"
    yield f"{count(found.compared, 'tenant')} compared: {told}, in {seconds:.2f} s"


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
