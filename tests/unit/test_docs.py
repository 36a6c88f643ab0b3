"""README.md and docs/: every command, option, exit code, state and setting in them exists; and the
other way round."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ebhook.cli import cli
from ebhook.cli.options import COMMON
from ebhook.errors import Exit
from ebhook.events import Outcome
from ebhook.fleet.standing import State
from ebhook.settings import KEYS, VARIABLES

ROOT = Path(__file__).parents[2]
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
README, COMMANDS = TEXTS["README.md"], TEXTS["docs/commands.md"]

# What stands in code: between backticks on one line, or in a block.
CODE = re.compile(r"```.*?```|``.+?``|`[^`\n]+`", re.S)
# Up to the next command, or the end of the cell.
TYPED = re.compile(r"(?<![\w./=-])(?<!install )ebhook((?: +(?!ebhook\b|&&|\d)[^\s`|·#;]+)+)")


def verbs(command: click.Command = cli, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something: ``lock clear``, and not ``lock``."""
    if isinstance(command, click.Group):
        for word, inner in command.commands.items():
            yield from verbs(inner, f"{name} {word}".strip())
    else:
        yield name, command


VERBS = dict(verbs())


def options_of(command: click.Command) -> set[str]:
    return {
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


@pytest.mark.parametrize(
    "name", sorted(TEXTS.keys() - {"docs/benchmarks.md"})
)  # has ebhook's words
def test_what_is_to_be_typed_exists(name: str) -> None:
    """In code, what follows `ebhook` is a command, and its options are that command's."""
    for code in CODE.findall(TEXTS[name]):
        for line in code.splitlines():
            for typed in TYPED.findall(line):
                check(typed.split(), f"{name}: ebhook{typed}")


def check(words: list[str], where: str) -> None:
    command: click.Command = cli
    for word in words:
        word = word.strip("[](),.:\"'")
        if isinstance(command, click.Group) and re.fullmatch(r"[a-z]+", word):
            assert word in command.commands, where
            command = command.commands[word]
        elif re.fullmatch(r"--[a-z-]+|-[a-z]", word):
            assert word in {*options_of(command), "--help", "-h"}, where


# Other names of a command, documented with it.
SYNONYMS = ("current", "lock-clear")


def test_the_readme_has_every_command() -> None:
    """Its table, and no other in it."""
    table = README.partition("| command | does |")[2].partition("\n\n")[0]
    cells = " ".join(line.split("|")[1] for line in table.splitlines() if line.count("|") > 2)
    named = set(re.findall(r"`(?:ebhook )?((?:lock )?[a-z-]+)", cells))

    assert named == VERBS.keys()


@pytest.mark.parametrize("name", [name for name in VERBS if name not in SYNONYMS])
def test_every_option_is_documented(name: str) -> None:
    """docs/commands.md has a paragraph for each command, with its options and no others."""
    heading = f"### `ebhook {name}`\n"
    assert COMMANDS.count(heading) == 1
    paragraph = re.split(r"\n##", COMMANDS.partition(heading)[2])[0]
    listed = {
        option
        for row in re.findall(r"^\| (`-.+?) \|", paragraph, re.M)
        for option in re.findall(r"`(--?[a-z-]+)`", row)
    }

    assert listed == options_of(VERBS[name]) - set(COMMON)


def test_common_options_are_documented_once() -> None:
    """Above all commands; each command has them."""
    above = COMMANDS.partition("\n## ")[0]

    assert set(re.findall(r"^\| `(--[a-z-]+)`", above, re.M)) == {*COMMON, "--help"}
    for name, command in VERBS.items():
        assert set(COMMON) <= options_of(command), name


def test_every_exit_code_is_documented() -> None:
    """In the README's table, and no other; wherever a text says `exit N`, N is one of them."""
    table = README.partition("| exit code | means |")[2].partition("\n\n")[0]

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == set(Exit)
    for name, text in TEXTS.items():
        for code in re.findall(r"\bexits? (?:code )?(\d+)\b", text):
            assert int(code) in set(Exit), name


def test_every_setting_named_exists() -> None:
    """Variables, and keys as `section.key`."""
    sections = {key.partition(".")[0] for key in KEYS if "." in key}
    others = {"EBHOOK_CONFIG", "EBHOOK_COMPLETE"}
    for name, text in TEXTS.items():
        for variable in re.findall(r"(?<!\w)EBHOOK_[A-Z][A-Z_]*[A-Z]\b(?!_)", text):
            assert variable in VARIABLES or variable in others or "TEST" in variable, name
        for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)(?: = [^`]*)?`", text):
            if section in sections and key not in ("toml", "py", "md", "sum"):
                assert f"{section}.{key}" in KEYS, f"{name}: {section}.{key}"


@pytest.mark.parametrize(("heading", "kind"), [("state", State), ("outcome", Outcome)])
def test_every_word_of_the_documents_is_listed(
    heading: str, kind: type[State] | type[Outcome]
) -> None:
    """The states and outcomes that a script may meet, and no others."""
    table = COMMANDS.partition(f"| {heading} | |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.count("|") > 2]

    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == set(kind)


def test_the_examples_are_documents() -> None:
    """What docs/commands.md shows is JSON, with the keys that scripts depend on."""
    status, rollout = (
        json.loads(text) for text in re.findall(r"```json\n(.*?)```", COMMANDS, re.S)
    )

    assert {"tenant", "state", "revision", "behind", "lock"} <= status["tenants"][0].keys()
    (tenant,) = rollout["tenants"]
    assert list(tenant) == ["tenant", "outcome", "before", "after", "seconds", "error"]


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    """Those to files of the project."""
    for target in re.findall(r"\]\(([^)#\s]+)", TEXTS[name]):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), target
