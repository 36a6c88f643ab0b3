"""The rules: every module of this folder is one, with a RULE and its check.

`check(subject)` looks at one revision, `check_chain(whole)` at the chain.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import Subject, WholeChain


@dataclass(frozen=True)
class Checked:
    """A rule with what checks it."""

    rule: Rule
    revision: Callable[[Subject], Iterator[Finding]] | None
    chain: Callable[[WholeChain], Iterator[Finding]] | None


@cache
def rules() -> tuple[Checked, ...]:
    """All rules, by id."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    ]
    found = [
        Checked(one.RULE, getattr(one, "check", None), getattr(one, "check_chain", None))
        for one in modules
    ]
    return tuple(sorted(found, key=lambda one: one.rule.id))


@cache
def by_id() -> dict[str, Rule]:
    return {one.rule.id: one.rule for one in rules()}
