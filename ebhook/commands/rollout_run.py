"""One rollout as a recipe, for ``boot`` and ``upgrade``: chain, tenants, survey, gate, roll out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ebhook.chain.graph import Chain
from ebhook.commands.context import check_unknown, gather, look
from ebhook.commands.gate import last_gate
from ebhook.concurrency import Budget
from ebhook.errors import Transient, Unreachable, UsageFailed
from ebhook.fleet.broken import is_broken
from ebhook.fleet.standing import Standing, State, UnfinishedRevision
from ebhook.holder import Holder
from ebhook.next_command import ebhook, then
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.report.tables import rollout_text
from ebhook.results import Result
from ebhook.rollout.plan import Plan, canary_of
from ebhook.rollout.scheduler import roll_out
from ebhook.rollout.waiting import wait_for_others
from ebhook.rollout.waves import belongs
from ebhook.settings import Settings
from ebhook.tenant import Tenant

if TYPE_CHECKING:
    from ebhook.plan.document import SavedPlan


@dataclass(frozen=True)
class RolloutOrder:
    """What a rollout is asked for.

    `names` are the tenants (all, when it is empty), `to` a revision (None: head). `lenient`: a tenant
    that cannot be reached is no canary, since it would stop all others; `skips_frozen`: nor is one that
    is frozen. `reads_only`: others migrate
    (`boot.mode`). `plan_file`: a plan that was made before; what differs from it is refused. `drift`:
    what becomes of tenants whose tables are not as the others have them (`boot.drift`).
    """

    names: Sequence[str] = ()
    to: str | None = None
    dry_run: bool = False
    lenient: bool = False
    reads_only: bool = False
    plan_file: Path | None = None
    drift: str = "off"
    skips_frozen: bool = False


@dataclass(frozen=True)
class RolloutRun:
    """What a rollout was for, and how it ended. Before it, `behind` is how many tenants were that, and
    `halves` what was half done in some."""

    head: str | None = None
    target: str | None = None
    behind: int = 0
    results: Sequence[Result] = ()
    halves: Mapping[str, UnfinishedRevision] = field(default_factory=dict)


def bring(
    order: RolloutOrder, settings: Settings, report: Reporter, holder: Holder, budget: Budget
) -> RolloutRun:
    """Brings the tenants where `order` wants them.

    Raises:
        SettingsFailed, ChainBroken, UsageFailed: before any tenant is touched.
    """
    chain, tenants = gather(settings, report, order.names, budget)
    saved = _saved_plan(order, chain)
    target = saved.target if saved is not None else _target(order, chain)
    standings = look(tenants, chain, settings, report, budget)
    check_unknown(settings, standings, report)
    _say_what_is_nobody(order, settings, tenants, report)
    plan = _plan(order, settings, target, standings, budget)
    if order.reads_only:
        patient = settings.boot.mode == "wait"
        results = wait_for_others(standings, chain, settings, plan, report.emit, patient=patient)
    else:
        standings = _guarded(order, saved, standings, chain, settings, target, report)
        with last_gate(
            settings, chain, standings, target, report, deadline=plan.deadline
        ) as permit:
            results = roll_out(standings, chain, settings, holder, plan, report.emit, permit)
    behind = sum(standing.state in (State.BEHIND, State.EMPTY) for standing in standings)
    halves = {s.tenant.name: s.half for s in standings if s.half is not None}
    return RolloutRun(chain.head, target, behind, results, halves)


def text_of(run: RolloutRun, began: float, commands: NextCommands) -> str:
    """The report for people; `began` is in monotonic seconds."""
    seconds = time.monotonic() - began
    return rollout_text(run.head, run.results, seconds, commands, target=run.target)


def _target(order: RolloutOrder, chain: Chain) -> str | None:
    return chain.find(order.to).id if order.to is not None else chain.head


def _saved_plan(order: RolloutOrder, chain: Chain) -> SavedPlan | None:
    path, to = order.plan_file, order.to
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


def _say_what_is_nobody(
    order: RolloutOrder, settings: Settings, tenants: Sequence[Tenant], report: Reporter
) -> None:
    """Names in the settings of the rollout that no tenant has."""
    if order.names:
        return
    strangers = set(settings.rollout.canary or ()) - {tenant.name for tenant in tenants}
    if strangers:
        report.say(f"rollout.canary: there is no tenant {', '.join(sorted(strangers))}")
    for wave in settings.rollout.waves:
        if not any(belongs(tenant, wave) for tenant in tenants):
            report.say(f"rollout.waves: no tenant is in {wave.name!r}")


def _plan(
    order: RolloutOrder,
    settings: Settings,
    target: str | None,
    standings: Sequence[Standing],
    budget: Budget,
) -> Plan:
    tenants = [standing.tenant for standing in standings]
    lost = {s.tenant.name for s in standings if isinstance(s.error, Unreachable | Transient)}
    # One agency's broken secret must not stop all others: the next tenant proves the bundle.
    first = [t for t in tenants if not is_broken(t) and not (order.lenient and t.name in lost)]
    return Plan(
        target=target,
        deadline=budget.deadline,
        dry_run=order.dry_run,
        canary=() if order.dry_run else _canary(settings, first, tenants, chosen=bool(order.names)),
        skips_frozen=order.skips_frozen,
    )


def _guarded(
    order: RolloutOrder,
    saved: SavedPlan | None,
    standings: list[Standing],
    chain: Chain,
    settings: Settings,
    target: str | None,
    report: Reporter,
) -> list[Standing]:
    """The standings, with an error where a tenant differs from the plan or from its peers."""
    if saved is None and order.drift == "off":
        return standings
    from ebhook.plan.guards import guarded  # late: a boot without either has no use for it

    return guarded(
        standings, chain, settings, target, report.emit, report.say, saved=saved, drift=order.drift
    )


def _canary(
    settings: Settings, first: Sequence[Tenant], tenants: Sequence[Tenant], *, chosen: bool
) -> tuple[str, ...]:
    """The canary among `first`; somebody else when all that were meant are not there."""
    wanted = canary_of(settings, tenants, chosen=chosen)
    if settings.rollout.canary and not wanted and not chosen:
        wanted = (tenants[0].name,)  # one was asked for: a wrong name must not mean none
    names = [tenant.name for tenant in first]
    return tuple(name for name in wanted if name in names) or tuple(names[:1] if wanted else ())
