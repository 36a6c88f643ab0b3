"""How often was struck, and how it ended: counted in every process, told once at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

_KEY, _BETWEEN = "ebhook_tally", ": "
_counted: Counter[str] = Counter()


def count(flavour: str, what: str, number: int = 1) -> None:
    """Adds to the tally: ``count("mysql", "kill -9 of the worker")``."""
    _counted[f"{flavour}{_BETWEEN}{what}"] += number


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its tally to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = dict(_counted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _counted.update(getattr(node, "workeroutput", {}).get(_KEY, {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _counted:
        return
    terminalreporter.section("faults")
    table: dict[str, dict[str, int]] = {}
    for key, number in sorted(_counted.items()):
        flavour, _, what = key.partition(_BETWEEN)
        table.setdefault(what, {})[flavour] = number
    for what, by_flavour in table.items():
        numbers = "  ".join(f"{flavour} {number:>5}" for flavour, number in by_flavour.items())
        terminalreporter.write_line(f"{what:<60} {numbers}")
