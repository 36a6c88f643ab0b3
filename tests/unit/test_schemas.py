"""The JSON Schemas of what commands print: one for each command, and as the documents are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner

from ebhook.cli import cli
from ebhook.errors import Exit, LockHeld
from ebhook.report.documents import error_document
from ebhook.report.next_commands import NextCommands
from ebhook.report.schemas import SCHEMAS, fits, json_schema
from tests.unit.test_docs import COMMANDS, VERBS


def test_every_command_has_a_schema() -> None:
    """A command that is added says what it prints; `schema` itself prints schemas."""
    assert SCHEMAS.keys() == VERBS.keys() - {"schema"}


@pytest.mark.parametrize("command", SCHEMAS)
def test_a_schema_is_one_document(command: str) -> None:
    """Each reference in it leads somewhere, and no key is allowed that it does not name."""
    schema = json_schema(command)

    text = json.dumps(schema)
    for name in re.findall(r'"#/\$defs/(\w+)"', text):
        assert name in schema["$defs"]
    for definition in schema.get("$defs", {}).values():
        if definition.get("type") == "object":
            assert definition["additionalProperties"] is False


def test_the_schema_of_a_command_is_printed() -> None:
    """`ebhook schema lock list`; another word is a wrong command line."""
    ran = CliRunner().invoke(cli, ["schema", "lock", "list"])

    assert json.loads(ran.stdout) == json_schema("lock list")


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", COMMANDS, re.S))
def test_the_documentation_shows_such_documents(block: str) -> None:
    """The examples have the keys of the schema, as far as they go."""
    document = json.loads(block)
    command = "status" if "state" in document["tenants"][0] else "upgrade"

    problem = fits(command, _completed(document))

    assert problem is None, problem


def _completed(document: Any) -> Any:
    """An example leaves out most of a lock."""
    rest = ("frozen", "token", "pid", "connection_id", "environment", "version_label", "command")
    for tenant in document["tenants"]:
        if tenant.get("lock"):
            tenant["lock"] = {**dict.fromkeys(rest), "frozen": False, **tenant["lock"]}
    return document


def test_a_failed_command_has_its_own_document() -> None:
    """One shape for every command."""
    error = error_document(LockHeld("Held.", "State.", "Wait."), NextCommands())
    document: dict[str, Any] = {
        "head": None,
        "exit_code": int(Exit.TRY_AGAIN),
        "tenants": [],
        "error": error,
    }

    assert all(fits(command, document) is None for command in SCHEMAS)
    assert fits("status", {**document, "more": 1}) is not None
