"""Writes next commands: as they can be pasted into the shell in which ebhook was typed.

A harmless command (`status`, `--dry-run`, `lock list`, …) prints only commands that are harmless, too:
what would change a tenant is printed in the form that looks at it first.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ebhook.errors import EbhookError
from ebhook.next_command import Again, Command, Next, ebhook, then

NAMED = 12  # tenants in one command, where none named means all of them
HARD = "\x1f"  # stands for a blank within a command: lines are not broken there


def plain(text: str) -> str:
    """`text` as it is written, when its lines are not broken."""
    return text.replace(HARD, " ")


class Effect(Enum):
    """What a command does that is typed as it stands."""

    LOOKS = "looks"
    FILES = "writes files of the application"
    FLEET = "changes tenants"


# Every verb there is. `effect_of` knows what their options change in that.
EFFECTS = {
    **dict.fromkeys(
        ("status", "current", "lock list", "history", "doctor", "config", "heads", "chain", "lint",
         "verify", "check", "demo", "schema", "plan", "drift", "rehearse", "report"),
        Effect.LOOKS,
    ),
    **dict.fromkeys(("migrate", "merge", "relink", "init"), Effect.FILES),
    **dict.fromkeys(
        ("boot", "upgrade", "downgrade", "resolve", "stamp", "lock clear", "lock-clear",
         "lock freeze"),
        Effect.FLEET,
    ),
}  # fmt: skip

# Whoever types these writes the chain: the remedies are files.
_AUTHORING = ("heads", "chain", "lint", "verify", "check", "migrate", "merge", "relink", "init")
# They run migrations on databases of their own, under this name.
_ON_SCRATCH = ("verify", "check", "migrate", "rehearse")
SCRATCH = "scratch"
# What takes one tenant, and what means all of them when none is named.
_ONE = ("downgrade",)
_ALL = ("upgrade", "status", "doctor", "lock list", "plan", "drift", "rehearse")
_WORDS_OF_RESOLVE = ("--applied", "--not-applied", "--undo")


def effect_of(verb: str, words: Sequence[str] = ()) -> Effect:
    """What `verb` with these options does; an unknown verb is a KeyError, a defect of ours."""
    effect = EFFECTS[verb]
    if {"--dry-run", "--check", "--help"} & set(words):
        return Effect.LOOKS
    if verb == "resolve" and not set(words) & set(_WORDS_OF_RESOLVE):
        return Effect.LOOKS  # it shows, and asks on a terminal
    if (verb == "chain" and "--write" in words) or (verb == "lint" and "--fix" in words):
        return Effect.FILES
    return effect


@dataclass(frozen=True)
class Invocation:
    """A command as it was typed.

    `words` are its own options, as typed; `config` is the settings file and `bundle` the
    bundle that it named.
    """

    verb: str = ""
    tenants: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    config: Path | None = None
    bundle: str | None = None

    @property
    def is_harmless(self) -> bool:
        return self.verb != "" and effect_of(self.verb, self.words) is Effect.LOOKS


class NextCommands:
    """The writer of next commands for one run of ebhook."""

    def __init__(self, invocation: Invocation | None = None) -> None:
        self._typed = invocation or Invocation()

    @property
    def typed(self) -> Invocation:
        return self._typed

    def began(self, invocation: Invocation) -> None:
        """The command line has been read."""
        self._typed = invocation

    def text(self, next: Next) -> str:
        """`next` as text. Commands in it have HARD in place of blanks; `plain` takes that out."""
        return "".join(
            part if isinstance(part, str) else self.command(part) for part in self._fit(next).parts
        )

    def plain(self, next: Next) -> str:
        return plain(self.text(next))

    def whole(self, error: EbhookError) -> str:
        """An error's three parts in one line."""
        return " ".join(part for part in (error.what, error.state, self.text(error.next)) if part)

    def command(self, part: Command | Again) -> str:
        """One command, quoted for a shell."""
        found = self._harmless(self._of_scratch(part))
        if found.verb in _ONE and len(found.tenants) > 1:
            each = (replace(found, tenants=(name,)) for name in found.tenants)
            return "; ".join(map(self._written, each))
        whole = found.verb in _ALL and not self._typed.tenants
        if whole and len(found.tenants) > NAMED:
            found = replace(found, tenants=())
        return self._written(found)

    def _written(self, found: Command) -> str:
        words = ["ebhook", *found.verb.split(), *found.tenants, *found.words]
        if self._typed.config is not None:
            words += ["--config", str(self._typed.config)]
        if self._typed.bundle is not None:
            words += ["--bundle", self._typed.bundle]
        return HARD.join(map(shlex.quote, words))

    def again(self) -> Command:
        """What was typed; `boot` is for hooks, and `upgrade` is the same by hand."""
        typed = self._typed
        if typed.verb in ("", "boot"):
            return ebhook("upgrade")
        return Command(typed.verb, typed.tenants, typed.words)

    def _of_scratch(self, part: Command | Again) -> Command:
        on_scratch = self._typed.verb in _ON_SCRATCH
        if isinstance(part, Again) or (on_scratch and part.tenants == (SCRATCH,)):
            return self.again()
        return part

    def _fit(self, next: Next) -> Next:
        """Files of a chain are not to be written by whoever only looks at a fleet."""
        typed = self._typed
        if not typed.is_harmless or typed.verb in _AUTHORING:
            return next
        writes = [one for one in next.commands if effect_of(one.verb, one.words) is Effect.FILES]
        if any(one.verb != "init" for one in writes):
            return then("Look at the chain: ", ebhook("chain"))
        return next

    def _harmless(self, found: Command) -> Command:
        """`found`, or, after a harmless command, what shows the same without changing it."""
        typed, effect = self._typed, effect_of(found.verb, found.words)
        if typed.is_harmless and "--dry-run" in typed.words and found.verb == typed.verb:
            return replace(found, words=tuple(dict.fromkeys((*found.words, "--dry-run"))))
        if typed.is_harmless and found.verb == "init" and typed.verb != "init":
            return replace(found, words=(*found.words, "--dry-run"))
        if not typed.is_harmless or effect is not Effect.FLEET:
            return found
        looking = _LOOKING.get(found.verb)
        return looking(found) if looking else replace(found, verb="status", words=())


_LOOKING: dict[str, Callable[[Command], Command]] = {
    "upgrade": lambda found: replace(found, words=(*found.words, "--dry-run")),
    "stamp": lambda found: replace(found, words=(*found.words, "--dry-run")),
    "boot": lambda found: Command("upgrade", (), ("--dry-run",)),
    "resolve": lambda found: replace(found, words=()),
    "lock clear": lambda found: Command("lock list", found.tenants),
    "lock freeze": lambda found: Command("lock list", found.tenants),
}
