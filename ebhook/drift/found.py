"""What a look for drift found, of whatever was compared with whatever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ebhook.drift.fleet import Difference, differences
from ebhook.drift.reader import SchemaReading
from ebhook.errors import EbhookError, Exit, worst
from ebhook.fleet.standing import Standing
from ebhook.settings import Settings


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


def compared_with_fleet(
    standings: Sequence[Standing],
    readings: Mapping[str, SchemaReading],
    settings: Settings,
    wanted: set[str],
) -> DriftFound:
    """The tenants of `wanted` that differ from the others at the same revision."""
    found = begun(readings, wanted)
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


def begun(readings: Mapping[str, SchemaReading], wanted: set[str]) -> DriftFound:
    """Nothing is compared yet; what could not be read, or was not shown, is noted."""
    found = DriftFound()
    for name, reading in readings.items():
        if name in wanted:
            if reading.error is not None:
                found.problems.append((name, reading.error))
            for kind in sorted(reading.unseen):
                found.unseen.setdefault(kind, []).append(name)
    return found
