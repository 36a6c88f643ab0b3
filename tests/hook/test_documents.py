"""docs/elastic-beanstalk.md: every command, file, setting and metric in it exists."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ebhook.aws import beanstalk
from ebhook.aws.bundle import EXTENSION, HOOKS, SETTINGS, template
from ebhook.cli import cli
from ebhook.errors import Exit
from ebhook.holder import Holder
from ebhook.report import notices
from ebhook.settings import KEYS, VARIABLES

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {
    name: (DOCS / name).read_text("utf-8")
    for name in ("elastic-beanstalk.md", "iam.md", "privileges.md")
}
TEXT = TEXTS["elastic-beanstalk.md"]


def test_every_command_exists() -> None:
    """With its subcommands and options."""
    found = re.findall(r"ebhook ((?:[a-z]+ ?|--[a-z-]+ ?)+)", "\n".join(TEXTS.values()))
    seen = set()
    for words in found:
        command: click.Command = cli
        for word in words.split():
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
                seen.add(word)
            elif word.startswith("--"):
                options = {name for parameter in command.params for name in parameter.opts}
                assert word in options, words
    assert {"boot", "init", "doctor", "config", "status", "upgrade", "lock", "clear"} <= seen


def test_every_setting_exists() -> None:
    """Keys as `section.key`, and variables."""
    sections = {key.partition(".")[0] for key in KEYS}
    text = "\n".join(TEXTS.values())
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)(?: = [^`]*)?`", text):
        assert section not in sections or f"{section}.{key}" in KEYS, f"{section}.{key}"
    for variable in re.findall(r"EBHOOK_[A-Z_]+", text):
        assert variable in VARIABLES


def test_every_file_is_the_one_in_use() -> None:
    """Names of files, here and in the code."""
    for name in (HOOKS[0], EXTENSION, SETTINGS):
        assert name in TEXT
    for path in (beanstalk.GET_CONFIG, beanstalk.ENV, beanstalk.LOG):
        assert str(path) in TEXT
    seconds = re.search(r'Timeout: "(\d+)"', template(EXTENSION))
    assert seconds is not None
    assert f"{seconds[1]} s in the file" in TEXT


def test_every_metric_is_listed() -> None:
    """And no other."""
    table = TEXT.partition("| metric | |")[2].partition("\n\n")[0]
    holder = Holder("i", 1, None, None, "boot", "t")
    measured = notices.metrics(notices.Ended(None, (), 0, 0.0, Exit.OK, False, holder))

    assert set(re.findall(r"`(\w+)`", table)) == measured.keys()


def test_every_check_of_the_doctor_is_listed() -> None:
    """And no other."""
    table = TEXT.partition("| check | |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if "|" in line]
    listed = {check for row in rows for check in re.findall(r"`(\w+)`", row)}
    folder = Path(notices.__file__).parents[1]
    sources = [*(folder / "doctor").glob("*.py"), folder / "commands" / "doctor.py"]
    made = {
        name
        for source in sources
        for name in re.findall(r'\b(?:ok|warn|fail|failed)\(\s*"(\w+)"', source.read_text())
    }

    assert listed == made
