"""``upgrade``: survey, roll out, report; by hand."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ebhook.aws.deployed import identify
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, check_unknown, gather, load_settings, look, reporter
from ebhook.commands.gate import last_gate
from ebhook.concurrency import Budget
from ebhook.errors import Exit, Transient, Unreachable, UsageFailed
from ebhook.fleet.standing import State, UnfinishedRevision
from ebhook.holder import Holder
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json, rollout_document
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.report.tables import problems_text, rollout_text
from ebhook.results import PlannedStatement, Result, exit_code
from ebhook.rollout.plan import Plan, canary_of
from ebhook.rollout.scheduler import roll_out
from ebhook.rollout.waiting import wait_for_others
from ebhook.rollout.waves import belongs
from ebhook.settings import Settings
from ebhook.tenant import Tenant

if TYPE_CHECKING:
    from ebhook.plan.document import SavedPlan


@dataclass(frozen=True)
class RolloutRun:
    """What a rollout was for, and how it ended. Before it, `behind` is how many tenants were that, and
    `halves` what was half done in some."""

    head: str | None
    target: str | None
    behind: int
    results: Sequence[Result]
    halves: Mapping[str, UnfinishedRevision] = field(default_factory=dict)


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
        run = bring(
            settings,
            report,
            holder,
            budget=Budget(began + settings.rollout.deadline, settings.rollout.grace),
            names=names,
            to=to,
            dry_run=dry_run,
            plan_file=plan,
        )
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


def bring(
    settings: Settings,
    report: Reporter,
    holder: Holder,
    *,
    budget: Budget,
    names: Sequence[str] = (),
    to: str | None = None,
    dry_run: bool = False,
    lenient: bool = False,
    reads_only: bool = False,
    plan_file: Path | None = None,
    drift: str = "off",
) -> RolloutRun:
    """The rollout of `upgrade` and `boot`.

    Args:
        plan_file: a plan that was made before; what differs from it is refused.
        drift: what is done about tables that are not as the other tenants have them (boot.drift).
        budget: the time for all of it.
        lenient: a tenant that cannot be reached is no canary: it would stop all others.
        reads_only: others migrate (`boot.mode`).
    """
    chain, tenants = gather(settings, report, names, budget)
    saved = _saved(plan_file, to, chain)
    target = chain.find(to).id if to is not None else chain.head
    target = saved.target if saved is not None else target
    standings = look(tenants, chain, settings, report, budget)
    check_unknown(settings, standings, report)
    unreachable = {s.tenant.name for s in standings if isinstance(s.error, Unreachable | Transient)}
    first = [t for t in tenants if not lenient or t.name not in unreachable]
    strangers = set(settings.rollout.canary or ()) - {tenant.name for tenant in tenants}
    if strangers and not names:
        report.say(f"rollout.canary: there is no tenant {', '.join(sorted(strangers))}")
    for wave in settings.rollout.waves:
        if not names and not any(belongs(tenant, wave) for tenant in tenants):
            report.say(f"rollout.waves: no tenant is in {wave.name!r}")
    plan = Plan(
        target=target,
        deadline=budget.deadline,
        dry_run=dry_run,
        canary=() if dry_run else _canary(settings, first, tenants, chosen=bool(names)),
    )
    if dry_run:
        report.say("dry run: nothing is changed")
    if reads_only:
        patient = settings.boot.mode == "wait"
        results = wait_for_others(standings, chain, settings, plan, report.emit, patient=patient)
    else:
        if saved is not None or drift != "off":
            from ebhook.plan.guards import guarded  # late: a boot without either has no use for it

            standings = guarded(
                standings,
                chain,
                settings,
                target,
                report.emit,
                report.say,
                saved=saved,
                drift=drift,
            )
        with last_gate(
            settings, chain, standings, target, report, deadline=plan.deadline
        ) as permit:
            results = roll_out(standings, chain, settings, holder, plan, report.emit, permit)
    behind = sum(standing.state in (State.BEHIND, State.EMPTY) for standing in standings)
    halves = {s.tenant.name: s.half for s in standings if s.half is not None}
    return RolloutRun(chain.head, target, behind, results, halves)


def _saved(path: Path | None, to: str | None, chain: Chain) -> SavedPlan | None:
    if path is None:
        return None
    from ebhook.plan.document import read_plan

    if to is not None:
        raise UsageFailed(
            "A plan says itself where to go.",
            next=then("Leave --to out, or plan again: ", ebhook("plan", words=["--to", to])),
        )
    saved = read_plan(path)
    if saved.target is not None and not chain.knows([saved.target]):
        raise UsageFailed(
            f"{path} leads to {saved.target}, which this chain does not have.",
            next=then("Plan again: ", ebhook("plan", words=["--out", str(path)])),
        )
    return saved


def _canary(
    settings: Settings, first: Sequence[Tenant], tenants: Sequence[Tenant], *, chosen: bool
) -> tuple[str, ...]:
    """The canary among `first`; somebody else when all that were meant are not there."""
    wanted = canary_of(settings, tenants, chosen=chosen)
    if settings.rollout.canary and not wanted and not chosen:
        wanted = (tenants[0].name,)  # one was asked for: a wrong name must not mean none
    names = [tenant.name for tenant in first]
    return tuple(name for name in wanted if name in names) or tuple(names[:1] if wanted else ())


def text_of(run: RolloutRun, began: float, commands: NextCommands) -> str:
    """The report for people."""
    seconds = time.monotonic() - began
    return rollout_text(run.head, run.results, seconds, commands, target=run.target)
