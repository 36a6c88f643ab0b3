"""The tenants at the same revision, compared with each other: what most of them have is taken for right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from ebhook.drift.diff import diff
from ebhook.drift.fingerprint import fingerprint, of_table
from ebhook.drift.snapshot import Snapshot, TableSnapshot

T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """Tenants that differ in the same way from `expected`.

    `lines`: ``-`` is what was expected, ``+`` is what they have. `clear`: more than half of those compared
    agree on each thing that differs.
    """

    tenants: tuple[str, ...]
    expected: str  # "3 of 4 tenants at 9b00", "the chain at 9b00", "the models"
    lines: tuple[str, ...]
    clear: bool = True


def differences(
    readings: Mapping[str, Snapshot], place: str, ignore: Sequence[str] = ()
) -> list[Difference]:
    """How tenants at one place differ from what most of them have, alike ones together.

    Args:
        readings: tenant → its schema, in configured order: of two schemas that equally many have, the first
            tenant's is taken for the expected one, and `clear` is false.
        place: for people, such as ``9b00``.
        ignore: `reduced`'s.
    """
    schemas = {name: reduced(snapshot, ignore) for name, snapshot in readings.items()}
    if len({fingerprint(snapshot) for snapshot in schemas.values()}) < 2:
        return []
    expected, clear = _majority(list(schemas.values()))
    grouped: dict[tuple[str, ...], list[str]] = {}
    for name, snapshot in schemas.items():
        lines = diff(expected, snapshot)
        if lines:
            grouped.setdefault(lines, []).append(name)
    differing = sum(map(len, grouped.values()))
    whole = f"{len(schemas) - differing} of {len(schemas)} tenants at {place}"
    return [Difference(tuple(names), whole, lines, clear) for lines, names in grouped.items()]


def against(
    expected: Snapshot, readings: Mapping[str, Snapshot], words: str, ignore: Sequence[str] = ()
) -> list[Difference]:
    """How tenants differ from `expected` (which `words` names), alike ones together."""
    wanted = reduced(expected, ignore)
    grouped: dict[tuple[str, ...], list[str]] = {}
    for name, snapshot in readings.items():
        lines = diff(wanted, reduced(snapshot, ignore))
        if lines:
            grouped.setdefault(lines, []).append(name)
    return [Difference(tuple(names), words, lines) for lines, names in grouped.items()]


def _majority(snapshots: Sequence[Snapshot]) -> tuple[Snapshot, bool]:
    """What most have, thing by thing; and whether that is more than half for each."""
    tables, sure_tables = _most([one.tables for one in snapshots], of_table)
    others, sure_others = _most([one.others for one in snapshots], str)
    options, sure_options = _most([one.options for one in snapshots], str)
    return Snapshot(tables, others, options), sure_tables and sure_others and sure_options


def _most(values: Sequence[Mapping[str, T]], key: Callable[[T], str]) -> tuple[dict[str, T], bool]:
    found: dict[str, T] = {}
    sure = True
    for name in dict.fromkeys(name for one in values for name in one):
        given = [one.get(name) for one in values]
        votes = Counter(None if one is None else key(one) for one in given)
        winner, number = votes.most_common(1)[0]
        sure = sure and 2 * number > len(values)
        if winner is not None:
            found[name] = next(one for one in given if one is not None and key(one) == winner)
    return found, sure


# What is known


def reduced(snapshot: Snapshot, ignore: Sequence[str]) -> Snapshot:
    """`snapshot` without what a pattern of `ignore` names: ``clients``, ``clients.tier``, ``tmp_*``, ``view x``."""
    if not ignore:
        return snapshot
    tables = {
        name: TableSnapshot(
            {c: text for c, text in table.columns.items() if not _named(f"{name}.{c}", ignore)},
            {k: text for k, text in table.keys.items() if not _named(f"{name}.{k}", ignore)},
            table.options,
        )
        for name, table in snapshot.tables.items()
        if not _named(name, ignore)
    }
    others = {name: text for name, text in snapshot.others.items() if not _named(name, ignore)}
    return Snapshot(tables, others, snapshot.options)


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
