"""How often was struck, and how it ended: counted in every process, told once at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

_KEY, _KEY_LONGEST, _BETWEEN = "ebhook_tally", "ebhook_longest", ": "
_counted: Counter[str] = Counter()
_longest: dict[str, int] = {}


def count(flavour: str, what: str, number: int = 1) -> None:
    """Adds to the tally: ``count("mysql", "kill -9 of the worker")``."""
    _counted[f"{flavour}{_BETWEEN}{what}"] += number


def longest(flavour: str, what: str, seconds: float) -> None:
    """Keeps the longest time that something took, in milliseconds."""
    key = f"{flavour}{_BETWEEN}{what} (ms)"
    _longest[key] = max(_longest.get(key, 0), round(1000 * seconds))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its tally to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY], output[_KEY_LONGEST] = dict(_counted), dict(_longest)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    _counted.update(output.get(_KEY, {}))
    for key, milliseconds in output.get(_KEY_LONGEST, {}).items():
        _longest[key] = max(_longest.get(key, 0), milliseconds)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    told = {**_counted, **_longest}
    if not told:
        return
    terminalreporter.section("faults")
    table: dict[str, dict[str, int]] = {}
    for key, number in sorted(told.items()):
        flavour, _, what = key.partition(_BETWEEN)
        table.setdefault(what, {})[flavour] = number
    for what, by_flavour in table.items():
        numbers = "  ".join(f"{flavour} {number:>5}" for flavour, number in by_flavour.items())
        terminalreporter.write_line(f"{what:<60} {numbers}")
