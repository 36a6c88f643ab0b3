"""``lint``: the rules of the house, held against the chain."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ebhook.commands.context import Options, finish, load_settings
from ebhook.errors import Exit
from ebhook.lint.checking import check
from ebhook.lint.formats import FORMATS
from ebhook.lint.rules import rules
from ebhook.settings import Settings


def lint(
    options: Options,
    *,
    revisions: Iterable[str] = (),
    since: str | None = None,
    format: str = "text",
    applied: bool = False,
    run: bool = True,
) -> Exit:
    """Judges the chain; exits with what the worst finding says."""
    settings = load_settings(options)
    report = check(
        settings,
        since=since,
        only=revisions,
        applied=_edited(options, settings) if applied else None,
        run=run,
    )
    text = FORMATS["json" if options.json else format](report, Path.cwd())
    if options.log.is_open:
        document = json.loads(FORMATS["json"](report, Path.cwd()))
        options.log.write({"event": "Report", **document})
    sys.stdout.write(text)
    return report.exit_code


def list_rules(options: Options) -> Exit:
    """Every rule with its title."""
    listed = [{"rule": one.rule.id, "title": one.rule.title} for one in rules()]
    text = "\n".join(f"{one['rule']}  {one['title']}" for one in listed)
    finish(options, {"rules": listed}, text)
    return Exit.OK


def _edited(options: Options, settings: Settings) -> dict[str, str]:
    """The revisions whose files differ from what a tenant's journal says was applied."""
    from ebhook.commands.context import gather, look, reporter

    with reporter(replace(options, json=True)) as report:
        chain, tenants = gather(settings, report, ())
        standings = look(tenants, chain, settings, report)
    found: dict[str, list[str]] = {}
    for standing in standings:
        for id in standing.edited:
            found.setdefault(id, []).append(standing.tenant.name)
    return {
        id: f"{names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)} had another file applied"
        for id, names in found.items()
    }
