"""Next commands: as they can be pasted, and harmless where the command typed was."""

from __future__ import annotations

import ast
import pickle
import re
import shlex
from pathlib import Path

import pytest

import ebhook as ebhook_package
from ebhook.next_command import Again, Command, Next, as_next, ebhook, then
from ebhook.report.next_commands import (
    EFFECTS,
    NAMED,
    Effect,
    Invocation,
    NextCommands,
    effect_of,
)
from tests.unit.test_docs import VERBS

PACKAGE = Path(ebhook_package.__file__).parent
STAGING = Path("stag ing.toml")


def written(command: Command | Again, **typed: object) -> str:
    return NextCommands(Invocation(**typed)).plain(then(command))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["acme", "o'brien", "a b", "x`y", "$HOME", "semi;colon"])
def test_names_are_words_of_a_shell(name: str) -> None:
    """Whatever a tenant is called, a shell reads its name as one word."""
    assert shlex.split(written(ebhook("upgrade", name))) == ["ebhook", "upgrade", name]


def test_the_settings_file_is_kept() -> None:
    """Whoever typed --config staging.toml is not sent to production."""
    typed = written(ebhook("upgrade", "acme"), verb="upgrade", config=STAGING)

    assert typed == "ebhook upgrade acme --config 'stag ing.toml'"


def test_all_tenants_of_a_group_are_named() -> None:
    """None is left out; many of a whole fleet are written as none, which means all of them."""
    few, many = tuple("abcd"), tuple(f"t{n}" for n in range(NAMED + 1))

    assert written(ebhook("upgrade", *few)) == "ebhook upgrade a b c d"
    assert written(ebhook("upgrade", *many), verb="boot") == "ebhook upgrade"
    assert written(ebhook("upgrade", *many), verb="upgrade", tenants=many).split()[2:] == [*many]
    assert written(ebhook("resolve", *many)).split()[2:] == [*many]
    assert written(ebhook("downgrade", "a", "b", words=["-1"])) == (
        "ebhook downgrade a -1; ebhook downgrade b -1"
    )


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        (ebhook("upgrade", "a"), "ebhook upgrade a --dry-run"),
        (ebhook("boot"), "ebhook upgrade --dry-run"),
        (ebhook("resolve", "a", words=["--applied"]), "ebhook resolve a"),
        (ebhook("lock clear", "a", words=["--kill"]), "ebhook lock list a"),
        (ebhook("downgrade", "a", words=["-1"]), "ebhook status a"),
        (ebhook("chain", words=["--write"]), "Look at the chain: ebhook chain"),
        (ebhook("relink", words=["7f3a"]), "Look at the chain: ebhook chain"),
        (ebhook("doctor"), "ebhook doctor"),
    ],
)
def test_a_harmless_command_prints_harmless_ones(changes: Command, looks: str) -> None:
    """After status or a dry run, what would change something is written as what looks at it."""
    for typed in (Invocation("status"), Invocation("upgrade", ("a",), ("--dry-run",))):
        assert NextCommands(typed).plain(then(changes)) == looks


def test_whoever_writes_the_chain_is_told_how() -> None:
    """lint and chain name what mends files; they change no tenant."""
    write = ebhook("chain", words=["--write"])

    assert written(write, verb="lint") == "ebhook chain --write"
    assert written(ebhook("upgrade", "a"), verb="lint") == "ebhook upgrade a --dry-run"


def test_what_failed_on_a_scratch_database_is_tried_there_again() -> None:
    """verify does not send anybody to the fleet."""
    typed = {"verb": "verify", "words": ("--from", "7f3a"), "config": STAGING}
    again = "ebhook verify --from 7f3a --config 'stag ing.toml'"

    assert written(ebhook("upgrade", "scratch"), **typed) == again
    assert written(Again(), **typed) == again


def test_again_is_what_was_typed() -> None:
    """With its tenants and options; what a hook runs is written as what a person types."""
    assert written(Again(), verb="upgrade", tenants=("a",), words=("--to", "7f")) == (
        "ebhook upgrade a --to 7f"
    )
    assert written(Again(), verb="boot") == "ebhook upgrade"


def test_every_command_has_an_effect() -> None:
    """So that nothing can be printed of which it is not known what it does."""
    assert VERBS.keys() <= EFFECTS.keys()
    assert effect_of("resolve", ["--applied"]) is Effect.FLEET
    assert effect_of("resolve") is Effect.LOOKS
    with pytest.raises(KeyError):
        effect_of("obliterate")


def test_a_next_command_is_a_value() -> None:
    """It crosses a process border whole, is equal to its like, and empty when it says nothing."""
    next = then("Fix it, then: ", ebhook("upgrade", "acme"))

    assert pickle.loads(pickle.dumps(next)) == next
    assert str(next) == "Fix it, then: ebhook upgrade acme"
    assert next.for_any("acme") == then("Fix it, then: ", ebhook("upgrade", "b")).for_any("b")
    assert next.for_any("acme").for_all(["a", "b"]) == then(
        "Fix it, then: ", ebhook("upgrade", "a", "b")
    )
    assert not as_next("")
    assert not Next()


# Texts for files, and for help; ebhook's own names.
_NOT_TYPED = (
    "cli/",
    "lint/rules/",
    "lint/formats/",
    "report/notices.py",
    "commands/demo.py",
    "aws/bundle_checks.py",  # for an entry point
    "chain/checksums.py",  # the heading of chain.sum
)


def test_no_text_has_a_command_in_it() -> None:
    """What is to be typed is a value; a command in a text would be pasted as it is."""
    verbs = "|".join(sorted(EFFECTS, key=len, reverse=True))
    found = []
    command = re.compile(rf"\bebhook (?:{verbs})\b")
    for path in sorted(PACKAGE.rglob("*.py")):
        place = str(path.relative_to(PACKAGE))
        if place.startswith(_NOT_TYPED):
            continue
        module = ast.parse(path.read_text("utf-8"))
        docs = {id(n.value) for n in ast.walk(module) if isinstance(n, ast.Expr)}
        for node in ast.walk(module):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docs
                and command.search(node.value)
            ):
                found.append(f"{place}, line {node.lineno}: {node.value}")
    assert not found
