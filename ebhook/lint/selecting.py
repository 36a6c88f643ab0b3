"""Which rules are in force: ``lint.select`` and ``lint.ignore``, by id, by its beginning, or as a glob."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ebhook.errors import SettingsFailed
from ebhook.lint.rules import by_id
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings


def switched_off(settings: Settings) -> frozenset[str]:
    """The ids that the settings switch off: what is ignored, and what is not selected.

    The longer of two words that name a rule counts, as in ruff: ``select = ["EBH041"]`` with
    ``ignore = ["EBH04"]`` leaves EBH041. What breaks the chain is in force unless it is ignored.

    Raises:
        SettingsFailed: a word names no rule.
    """
    selected = _named("lint.select", settings.lint.select)
    ignored = _named("lint.ignore", settings.lint.ignore)
    return frozenset(
        id
        for id, rule in by_id().items()
        if (id not in selected and not rule.breaks_chain)
        or ignored.get(id, 0) >= max(selected.get(id, 0), 1)
    )


def _named(key: str, words: Iterable[str]) -> dict[str, int]:
    """Every rule that one of `words` names, with the length of the longest one."""
    found: dict[str, int] = {}
    for word in words:
        ids = [id for id in by_id() if _names(word, id)]
        if not ids:
            raise SettingsFailed(
                f"{key}: there is no rule {word}.",
                "Nothing was judged.",
                then("The rules are listed in docs/rules.md: ", ebhook("lint", words=["--rules"])),
            )
        for id in ids:
            found[id] = max(found.get(id, 0), _weight(word), 1)
    return found


def _weight(word: str) -> int:
    return 0 if word == "ALL" else len(word.rstrip("*"))


def _names(word: str, id: str) -> bool:
    return word == "ALL" or id.startswith(word) or fnmatchcase(id, word)
