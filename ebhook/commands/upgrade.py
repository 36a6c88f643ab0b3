"""``upgrade``: survey, roll out, report; by hand."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ebhook.aws.deployed import identify
from ebhook.commands.context import Options, load_settings, reporter
from ebhook.commands.rollout_run import RolloutOrder, RolloutRun, bring, text_of
from ebhook.concurrency import Budget
from ebhook.errors import Exit
from ebhook.fleet.standing import UnfinishedRevision
from ebhook.report.documents import print_json, rollout_document
from ebhook.report.lines import count
from ebhook.report.tables import problems_text
from ebhook.results import PlannedStatement, exit_code

if TYPE_CHECKING:
    pass


def upgrade(
    options: Options,
    *,
    names: Sequence[str] = (),
    to: str | None = None,
    dry_run: bool = False,
    plan: Path | None = None,
) -> Exit:
    """Brings the named tenants (all, when none is named) to head, or to `to`; or does what `plan` says."""
    began = time.monotonic()
    settings = load_settings(options)
    with reporter(options) as report:
        holder = identify("upgrade", settings)
        budget = Budget(began + settings.rollout.deadline, settings.rollout.grace)
        order = RolloutOrder(names, to, dry_run, plan_file=plan)
        if dry_run:
            report.say("dry run: nothing is changed")
        run = bring(order, settings, report, holder, budget)
        code = exit_code(run.results)
        document = rollout_document(run.head, code, run.results, options.commands)
        report.log({"event": "Report", **document})
    if options.json:
        print_json(report.hidden(document))
        return code
    if dry_run:
        sys.stdout.write(report.hide("".join(f"{line}\n" for line in _script(run))))
        problems = problems_text(((r.tenant, r.error) for r in run.results), options.commands)
        if problems:
            report.say(problems)
    else:
        report.print(text_of(run, began, options.commands))
    return code


def _script(run: RolloutRun) -> Iterator[str]:
    """The SQL of a dry run, with its tenants above it; what is the same for several, once."""
    scripts: dict[tuple[UnfinishedRevision | None, tuple[PlannedStatement, ...]], list[str]] = {}
    for result in run.results:
        if result.statements:
            script = (run.halves.get(result.tenant), result.statements)
            scripts.setdefault(script, []).append(result.tenant)
    for (half, statements), names in scripts.items():
        yield f"-- {', '.join(names)}"
        if half is not None and half.position:
            yield (
                f"-- {half.revision} is half applied: its first {count(half.position, 'statement')} "
                "will be skipped"
            )
        for statement in statements:
            yield f"{statement.sql.strip()};"
