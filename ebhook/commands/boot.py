"""``boot`` and ``upgrade``: survey, roll out, report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ebhook.beanstalk import identify
from ebhook.commands.gather import Options, gather, load_settings, look, reporter
from ebhook.errors import Exit
from ebhook.report import print_json, rollout_document, rollout_text
from ebhook.rollout import Plan, canary_of, exit_code, roll_out


def boot(options: Options) -> Exit:
    """What the predeploy hook runs: every tenant to head."""
    return bring(options, command="boot")


def bring(
    options: Options,
    *,
    command: str,
    names: Sequence[str] = (),
    to: str | None = None,
    dry_run: bool = False,
) -> Exit:
    """Brings the named tenants (all, when none is named) to head, or to `to`."""
    began = time.monotonic()
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        target = chain.find(to).id if to is not None else chain.head
        plan = Plan(
            target=target,
            deadline=began + settings.rollout.deadline,
            dry_run=dry_run,
            canary=() if dry_run else canary_of(settings, tenants, chosen=bool(names)),
        )
        standings = look(tenants, chain, settings, report)
        if dry_run:
            report.say("dry run: nothing is changed")
        holder = identify(command, settings)
        results = roll_out(standings, chain, settings, holder, plan, report.emit)
        code = exit_code(results)
        document = rollout_document(chain.head, code, results)
        report.log({"event": "Report", **document})
    if options.json:
        print_json(report.hidden(document))
        return code
    for result in results:
        if result.statements:
            print(f"-- {result.tenant}")
            print("\n".join(f"{statement.strip()};" for statement in result.statements))
    if not dry_run:
        seconds = time.monotonic() - began
        print(report.hide(rollout_text(chain.head, results, seconds, target=target)))
    return code
