"""``plan``: what an upgrade would do, where; and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.errors import Exit, UsageFailed
from ebhook.fleet.survey import survey
from ebhook.next_command import ebhook, then
from ebhook.plan.document import plan_document
from ebhook.plan.fleet_plan import make_plan
from ebhook.plan.show import plan_markdown, plan_text
from ebhook.report.documents import print_json


def plan(
    options: Options,
    *,
    names: Sequence[str],
    to: str | None,
    out: Path | None,
    markdown: bool,
) -> Exit:
    """0 when nothing is known that would stop it; 1 when a statement would fail; worse as for a boot.

    Args:
        out: where the plan is written, too, for ``upgrade --plan``.
        markdown: for a pull request, in place of the text for a terminal.
    """
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        target = chain.find(to).id if to is not None else chain.head
        standings = survey(tenants, chain, settings, deep=True)
        made = make_plan(
            tenants, standings, chain, settings, target, report.emit, chosen=bool(names)
        )
        document = report.hidden(plan_document(made, settings, options.commands))
        report.log({"event": "Plan", **document})
        if out is not None:
            _write(out, document)
            report.say(f"written to {out}, for upgrade --plan")
    if options.json:
        print_json(document)
    else:
        show = plan_markdown if markdown else plan_text
        report.print(show(made, options.commands))
    return made.exit_code


def _write(path: Path, document: object) -> None:
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise UsageFailed(
            f"{path}: the plan cannot be written: {error.strerror}.",
            next=then("Give another place: ", ebhook("plan", words=["--out", "plan.json"])),
        ) from None
