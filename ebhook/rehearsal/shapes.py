"""Tenants with the same schema, the same revision and the same half-done work, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ebhook.chain.graph import Chain
from ebhook.drift.fingerprint import fingerprint
from ebhook.drift.reader import SchemaReading
from ebhook.fleet.standing import Standing, State
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class Shape:
    """Tenants, in configured order, that a rehearsal of the first one speaks for."""

    fingerprint: str
    tenants: tuple[Tenant, ...]
    standing: Standing  # of the first

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(tenant.name for tenant in self.tenants)

    @property
    def before(self) -> str:
        return self.standing.revision or "base"


def shapes_behind(
    standings: Sequence[Standing],
    readings: Mapping[str, SchemaReading],
    chain: Chain,
    target: str | None,
) -> list[Shape]:
    """Every shape that has work to do, the most frequent first."""
    found: dict[tuple[object, ...], list[Standing]] = {}
    for standing in standings:
        reading = readings.get(standing.tenant.name)
        readable = standing.state in (State.BEHIND, State.EMPTY, State.AT_HEAD)
        if reading is None or reading.snapshot is None or not readable:
            continue
        if standing.half is not None or chain.missing(standing.revisions, target):
            key = (fingerprint(reading.snapshot), standing.revisions, standing.half)
            found.setdefault(key, []).append(standing)
    shapes = [
        Shape(str(key[0]), tuple(one.tenant for one in members), members[0])
        for key, members in found.items()
    ]
    return sorted(shapes, key=lambda shape: -len(shape.tenants))
