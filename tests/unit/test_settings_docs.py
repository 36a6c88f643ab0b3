"""docs/settings.md has every setting, and no other, with its variable, its default and an example."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ebhook.settings import KEYS, default_of, load, value_of, variable_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
TEXT = DOCUMENT.read_text("utf-8")
ROW = re.compile(
    r"^\| `(?P<key>[a-z_.]+)` \| `(?P<variable>\w+)` \| (?P<default>.+?) \| (?P<meaning>.+?) "
    r"\| `(?P<example>.+)` \|$",
    re.M,
)
ROWS = {match["key"]: match for match in ROW.finditer(TEXT)}


def toml(value: str) -> Any:
    return tomllib.loads(f"x = {value}")["x"]


EXAMPLES = {key: toml(row["example"]) for key, row in ROWS.items()}


def listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_every_key_is_documented() -> None:
    """And every key of the document is one."""
    assert list(ROWS) == sorted(ROWS, key=list(KEYS).index)
    assert ROWS.keys() == KEYS.keys()


def test_every_variable_is_real() -> None:
    """Also those in the text around the tables."""
    mentioned = set(re.findall(r"\bEBHOOK_[A-Z_]+\b", TEXT)) - {"EBHOOK_", "EBHOOK_CONFIG"}

    assert mentioned == {variable_of(key) for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_variable_and_default_are_right(key: str) -> None:
    """As they are in the code."""
    row = ROWS[key]

    assert row["variable"] == variable_of(key)
    default = None if row["default"] == "none" else toml(row["default"].strip("`"))
    assert default == listed(default_of(key))


@pytest.mark.parametrize("key", KEYS)
def test_the_example_is_no_default_and_valid(tmp_path: Path, key: str) -> None:
    """It can be copied into ebhook.toml as it stands."""
    section, _, name = key.rpartition(".")
    written = f"{f'[{section}]' if section else ''}\n{name} = {ROWS[key]['example']}\n"
    (tmp_path / "ebhook.toml").write_text(written, "utf-8")
    companions = {
        "tenants.url": {"EBHOOK_TENANTS_NAMES": "acme"},
        "tenants.names": {"EBHOOK_TENANTS_URL": "mysql://h/{tenant}"},
        "tenants.like": {"EBHOOK_TENANTS_URL": "mysql://h/{tenant}"},
        "tenants.query": {"EBHOOK_TENANTS_QUERY_URL": "mysql://h/registry"},
        "tenants.query_url": {"EBHOOK_TENANTS_QUERY": "SELECT 1"},
        "tenants.iam": {"EBHOOK_TLS_CA": "rds.pem"},
    }

    settings = load(companions.get(key, {}), directory=tmp_path)

    assert value_of(settings, key) != default_of(key)


def test_the_two_ways_to_write_it_are_one(tmp_path: Path) -> None:
    """The file and the variables at the top of the document say the same."""
    (file,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    (shell,) = re.findall(r"```sh\n(.*?)```", TEXT, re.S)
    variables = dict(word.split("=", 1) for word in shlex.split(shell))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "ebhook.toml").write_text(file, "utf-8")

    by_file = load({}, directory=tmp_path / "app")
    by_variables = load(variables, directory=tmp_path)

    assert {key: value_of(by_file, key) for key in KEYS} == {
        key: value_of(by_variables, key) for key in KEYS
    }
    assert by_file.origins.keys() - {"migrations"} == by_variables.origins.keys() - {"migrations"}
