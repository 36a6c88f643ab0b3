"""The commands that ebhook prints: found in what it said, read as ebhook reads them, judged."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import click

from ebhook.cli import cli
from ebhook.report.next_commands import EFFECTS, Effect, effect_of

# `boot` is for hooks: nothing says to type it.
_VERBS = "|".join(sorted(EFFECTS.keys() - {"boot"}, key=len, reverse=True))
# A command goes on until its line or its sentence ends.
_COMMAND = re.compile(
    rf"\bebhook ((?:{_VERBS})(?= |$|[.,;)])(?: (?:'[^']*'|\"[^\"]*\"|[^\s'\"(`]+))*)"
)
_ENDS = re.compile(r"[.,;)]+$")


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each command in `text`, less ``ebhook`` itself."""
    for line in text.splitlines():
        for found in _COMMAND.findall(line):
            words: list[str] = []
            for word in re.findall(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"])+", found):
                words.append(_ENDS.sub("", word))
                if _ENDS.search(word):
                    break
            yield shlex.split(" ".join(words))


def nexts_in(document: Any) -> Iterator[str]:
    """All ``next`` of a JSON document."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "next" and isinstance(value, str):
                yield value
            else:
                yield from nexts_in(value)
    elif isinstance(document, list):
        for value in document:
            yield from nexts_in(value)


def read(words: Sequence[str]) -> tuple[str, list[str]]:
    """The verb and the options of a command, as the command line reads it; what it would not take is a
    UsageError."""
    command: click.Command = cli
    rest, verb = list(words), []
    while isinstance(command, click.Group):
        verb.append(rest.pop(0))
        command = command.commands[verb[-1]]
    if "--help" in rest:
        return " ".join(verb), rest
    # Below `cli`, whose settings it takes over: a command keeps the help option that it is first read with.
    above = click.Context(cli, info_name="ebhook", **cli.context_settings)
    with command.make_context(" ".join(verb), list(rest), parent=above):
        pass
    return " ".join(verb), [word for word in rest if word.startswith("-")]


def check_commands(arguments: Sequence[str], stdout: str, stderr: str) -> None:
    """Whatever a test is about: each command that it sees printed is one that ebhook takes, and after
    a harmless command it is harmless, too."""
    if "--help" in arguments or "-h" in arguments or arguments[:1] in (["demo"], ["schema"]):
        return
    texts = [stderr]
    if "--json" in arguments and stdout:
        texts += nexts_in(json.loads(stdout))
    elif "--format" not in arguments:
        texts.append(stdout)
    typed = next((v for v in (" ".join(arguments[:2]), *arguments[:1]) if v in EFFECTS), None)
    harmless = typed is not None and effect_of(typed, arguments) is Effect.LOOKS
    authoring = typed in ("heads", "chain", "lint", "verify")
    for text in texts:
        for words in commands_in(text):
            try:
                verb, options = read(words)
            except (click.UsageError, KeyError, IndexError) as error:
                raise AssertionError(f"printed, and no command: {words}: {error}") from None
            allowed = (Effect.LOOKS, Effect.FILES) if authoring else (Effect.LOOKS,)
            if harmless:
                assert effect_of(verb, options) in allowed, f"{typed} printed {words}"
