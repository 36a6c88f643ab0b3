"""``config``: what is in force, and where each value came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ebhook.commands.context import Options, finish, load_settings
from ebhook.database.url import parse_url
from ebhook.errors import Exit
from ebhook.report.tables import table
from ebhook.secret import Secret
from ebhook.settings import KEYS, value_of, variable_of


def config(options: Options) -> Exit:
    """Every key with its value, secrets hidden, and its origin."""
    settings = load_settings(options)
    values = {key: (_shown(value_of(settings, key)), settings.origins.get(key)) for key in KEYS}
    document = {
        "file": str(settings.file) if settings.file else None,
        "root": str(settings.root),
        "settings": {
            key: {"value": value, "from": origin or "default", "variable": variable_of(key)}
            for key, (value, origin) in values.items()
        },
    }
    lines = [(key, _text(value), origin or "default") for key, (value, origin) in values.items()]
    file = f"file: {settings.file or 'none (no ebhook.toml here or above)'}"
    finish(options, document, f"{file}\n\n{table(('key', 'value', 'from'), lines)}")
    return Exit.OK


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        text = value.reveal().replace("{tenant}", "ebhook-tenant")
        return str(parse_url(text)).replace("ebhook-tenant", "{tenant}")
    if isinstance(value, tuple):
        return list(msgspec.to_builtins(value))
    return str(value) if isinstance(value, Path) else value


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(one if isinstance(one, str) else one["name"] for one in value) or "(none)"
    return str(value)
