"""What a shell may offer for the next word: tenants and revisions, from files alone.

Nothing here may ask a database, AWS or the platform: a shell waits for the answer. What files do
not say, or say wrongly, is simply not offered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ebhook.errors import EbhookError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ebhook.settings import Settings


def tenants(context: click.Context, _: click.Parameter, word: str) -> list[CompletionItem]:
    """The tenants that the settings name one by one, less those that were typed already."""
    from click.shell_completion import CompletionItem

    settings = _settings(context)
    if settings is None:
        return []
    names: Iterable[str] = settings.tenants.names
    if not names and settings.tenants.url is not None:
        from ebhook.database.url import UrlInvalid, parse_url

        try:
            database = parse_url(settings.tenants.url.reveal()).database
        except UrlInvalid:
            database = None
        names = [database] if database and "{tenant}" not in database else []
    typed = context.params.get("tenant") or ()
    return [CompletionItem(name) for name in names if name.startswith(word) and name not in typed]


def revisions(context: click.Context, _: click.Parameter, word: str) -> list[CompletionItem]:
    """The chain's revisions, the newest first, with their messages."""
    settings = _settings(context)
    if settings is None:
        return []
    from click.shell_completion import CompletionItem

    from ebhook.chain.folder import read_revisions
    from ebhook.chain.graph import in_order

    try:
        found = in_order(read_revisions(settings.folder, env_py=settings.env_py))
    except EbhookError:
        return []
    return [
        CompletionItem(one.id, help=one.message)
        for one in reversed(list(found.values()))
        if one.id.startswith(word)
    ]


def _settings(context: click.Context) -> Settings | None:
    """The settings of ebhook.toml and of this shell; of nothing that would have to be asked."""
    from ebhook.aws.deployed import choose
    from ebhook.settings import load

    try:
        folder = choose(context.params.get("bundle"), Path.cwd()).folder
        return load(os.environ, directory=folder, config=context.params.get("config"))
    except (EbhookError, OSError):
        return None
