"""What to do next, as a value: prose with ebhook commands in it.

Whoever raises an error knows which verb helps and for which tenants, but not how ebhook was called.
So it gives a value, and ebhook/report/next_commands.py writes it: with the settings file that was
named, quoted for a shell, and harmless where the command typed was harmless.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Command:
    """An ebhook command: its verb (``lock clear``), the tenants it is for, and its other words."""

    verb: str
    tenants: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return shlex.join(["ebhook", *self.verb.split(), *self.tenants, *self.words])


@dataclass(frozen=True)
class Again:
    """The command that was typed, once more, with the same options."""

    def __str__(self) -> str:
        return "the same command again"


Part = str | Command | Again


@dataclass(frozen=True)
class Next:
    """What to do next: text, and commands to type, in their order."""

    parts: tuple[Part, ...] = ()

    @property
    def commands(self) -> tuple[Command, ...]:
        return tuple(part for part in self.parts if isinstance(part, Command))

    def __str__(self) -> str:
        return "".join(map(str, self.parts))

    def __bool__(self) -> bool:
        return any(self.parts)

    def then(self, *parts: Part) -> Next:
        """The same, and `parts` after it."""
        return Next((*self.parts, *parts))

    def for_any(self, tenant: str) -> Next:
        """The same for no tenant in particular: what is equal for two tenants can be said once."""
        return self._each(lambda part: part.tenants == (tenant,), ("",))

    def for_all(self, tenants: Sequence[str]) -> Next:
        """What `for_any` left open, for these tenants."""
        return self._each(lambda part: part.tenants == ("",), tuple(tenants))

    def map(self, change: Callable[[str], str]) -> Next:
        """The same, with its prose changed."""
        return Next(tuple(change(part) if isinstance(part, str) else part for part in self.parts))

    def _each(self, chosen: Callable[[Command], bool], tenants: tuple[str, ...]) -> Next:
        return Next(
            tuple(
                replace(part, tenants=tenants)
                if isinstance(part, Command) and chosen(part)
                else part
                for part in self.parts
            )
        )


def then(*parts: Part) -> Next:
    """``then("Fix it, then: ", ebhook("upgrade", "acme"))``."""
    return Next(parts)


def ebhook(verb: str, *tenants: str, words: Iterable[str] = ()) -> Command:
    """``ebhook("resolve", "acme", words=["--applied"])``."""
    return Command(verb, tenants, tuple(words))


def as_next(next: Next | str) -> Next:
    return next if isinstance(next, Next) else Next((next,) if next else ())
