"""The differences of two schemas, line by line: ``-`` was there before, ``+`` is there after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ebhook.drift.snapshot import Snapshot, TableSnapshot


def diff(before: Snapshot, after: Snapshot, *, order: bool = True) -> tuple[str, ...]:
    """The lines of the difference; none when the two are the same.

    Args:
        order: whether the order of columns counts.
    """
    return tuple(_lines(before, after, order))


def _lines(before: Snapshot, after: Snapshot, order: bool) -> Iterator[str]:
    yield from _under("database", list(_mapping(before.options, after.options, named=True)))
    for name in sorted(before.tables.keys() | after.tables.keys()):
        old, new = before.tables.get(name), after.tables.get(name)
        if old is None:
            yield f"+ table {name}"
        elif new is None:
            yield f"- table {name}"
        else:
            yield from _under(f"table {name}", list(_table(old, new, order)))
    for name in sorted(before.others.keys() | after.others.keys()):
        text, now = before.others.get(name), after.others.get(name)
        if text is None:
            yield f"+ {name}"
        elif now is None:
            yield f"- {name}"
        elif text != now:
            yield from _under(name, [f"- {text}", f"+ {now}"])


def _table(old: TableSnapshot, new: TableSnapshot, order: bool) -> Iterator[str]:
    yield from _mapping(old.columns, new.columns)
    yield from _mapping(old.keys, new.keys)
    yield from _mapping(old.options, new.options, named=True)
    kept = [name for name in old.columns if name in new.columns]
    now = [name for name in new.columns if name in old.columns]
    if order and kept != now:
        yield f"- columns in order: {', '.join(kept)}"
        yield f"+ columns in order: {', '.join(now)}"


def _mapping(
    old: Mapping[str, str], new: Mapping[str, str], *, named: bool = False
) -> Iterator[str]:
    for name in [*old, *(name for name in new if name not in old)]:
        if old.get(name) == new.get(name):
            continue
        for sign, text in (("-", old.get(name)), ("+", new.get(name))):
            if text is not None:
                yield f"{sign} {name} {text}" if named else f"{sign} {text}"


def _under(heading: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield heading
        yield from (f"  {line}" for line in lines)
