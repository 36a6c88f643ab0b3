"""``schema``: the JSON Schema of what a command prints with ``--json``."""

from __future__ import annotations

from ebhook.commands.context import Options
from ebhook.errors import Exit, UsageFailed
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json
from ebhook.report.schemas import SCHEMAS, json_schema


def schema(options: Options, *, command: str) -> Exit:
    """The schema is JSON with and without ``--json``."""
    if command not in SCHEMAS:
        known = ", ".join(SCHEMAS)
        raise UsageFailed(
            f"There is no command {command!r} with a document; there are: {known}.",
            next=then("Like: ", ebhook("schema", words=["status"])),
        )
    document = json_schema(command)
    options.log.write({"event": "Report", **document})
    print_json(document)
    return Exit.OK
