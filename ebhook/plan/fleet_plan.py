"""The plan of a fleet as one value, and how it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass

from pymysql.err import MySQLError

from ebhook.chain.graph import Chain
from ebhook.concurrency import BackgroundCall
from ebhook.database.connection import connect, scalar
from ebhook.errors import EbhookError, Exit, worst
from ebhook.events import Emit
from ebhook.fleet.last_gate import gate_for
from ebhook.fleet.standing import Standing
from ebhook.lint.gate import TIMEOUT, GateVerdict
from ebhook.next_command import ebhook, then
from ebhook.plan.algorithms import Answer, ServerKind, ask, scratch_like, unknown
from ebhook.plan.look import Obstacle, ServerLook, ServerQuestion, TableSize, look_at_servers
from ebhook.plan.work import WorkGroup, grouped, tables_of, with_statements
from ebhook.results import PlannedStatement
from ebhook.rollout.plan import canary_of
from ebhook.rollout.waves import belongs
from ebhook.scratch.copies import SchemaCopy, read_copy
from ebhook.settings import Settings
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class PlannedGroup:
    """Tenants with the same work. `answers` are for `work.pending`, in that order; `sizes` the largest tables."""

    work: WorkGroup
    answers: tuple[Answer, ...]
    sizes: tuple[TableSize, ...]
    server: ServerKind | None

    @property
    def failing(self) -> Answer | None:
        """The statement that does not work on this schema, whatever its rows."""
        return next((one for one in self.answers if one.fails is not None), None)


@dataclass(frozen=True)
class PlannedWave:
    """A wave of the settings, and the tenants of it that have work."""

    name: str
    tenants: tuple[str, ...]


@dataclass(frozen=True)
class FleetPlan:
    """`tenants` is how many were asked for. `problems` are those that could not be planned for.

    `verdict` is the last gate's on the pending revisions (None: there is nothing to judge, or boot.rules is off),
    and `refuses` says whether a boot would then touch nothing.
    """

    head: str | None
    target: str | None
    tenants: int
    groups: tuple[PlannedGroup, ...]
    canary: tuple[str, ...]
    waves: tuple[PlannedWave, ...]  # without canary and rest
    workers: int
    max_failures: int
    obstacles: tuple[Obstacle, ...]
    look: ServerLook
    verdict: GateVerdict | None
    refuses: bool
    problems: tuple[tuple[str, EbhookError], ...]

    @property
    def exit_code(self) -> Exit:
        """0: nothing is known that would stop it."""
        broken = self.verdict is not None and not self.verdict.passes
        stopping = broken or any(group.failing is not None for group in self.groups)
        errors = [group.work.error for group in self.groups if group.work.error is not None]
        errors += [error for _, error in self.problems]
        return worst(
            [
                *([Exit.FINDINGS] if stopping else []),
                *([Exit.CHAIN] if broken and self.refuses else []),
                *(error.exit_code for error in errors),
            ]
        )

    @property
    def untimed(self) -> tuple[str, ...]:
        """The revisions of which no journal tells how long they took."""
        ids = dict.fromkeys(r.id for group in self.groups for r in group.work.revisions)
        return tuple(id for id in ids if id not in self.look.took)

    @property
    def seconds(self) -> float | None:
        """How long it may take by what the journals say; None when one revision is not in any."""
        if self.untimed:
            return None
        each = [
            (
                len(group.work.tenants),
                sum(self.look.seconds(r.id) or 0 for r in group.work.revisions),
            )
            for group in self.groups
        ]
        longest = max((seconds for _, seconds in each), default=0.0)
        return max(longest, sum(number * seconds for number, seconds in each) / self.workers)


def make_plan(
    tenants: Sequence[Tenant],
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    target: str | None,
    emit: Emit,
    *,
    chosen: bool,
) -> FleetPlan:
    """Reads what there is to know; nothing is written to any tenant.

    Args:
        standings: of `tenants`, with their locks (``survey(…, deep=True)``).
        chosen: the tenants were named by hand.
    """
    groups = grouped(standings, chain, target)
    behind = frozenset(name for group in groups for name in group.tenants)
    known = {tenant.name: tenant for tenant in tenants}
    look = ServerLook()
    planned: list[PlannedGroup] = []
    verdict = None
    if groups:
        with gate_for(settings, chain, standings, target) or nullcontext() as gate:
            look, planned = _planned(groups, standings, known, chain, settings, target, emit)
            verdict = gate.verdict(TIMEOUT) if gate is not None else None
    canary = tuple(name for name in canary_of(settings, tenants, chosen=chosen) if name in behind)
    return FleetPlan(
        chain.head,
        target,
        len(tenants),
        tuple(planned),
        canary,
        tuple(_waves(tenants, behind - set(canary), settings)),
        settings.rollout.workers,
        settings.rollout.max_failures,
        (*_held(standings, behind), *look.obstacles),
        look,
        verdict,
        settings.boot.rules == "refuse",
        tuple((s.tenant.name, s.error) for s in standings if s.error is not None),
    )


def _waves(
    tenants: Sequence[Tenant], behind: frozenset[str], settings: Settings
) -> Iterator[PlannedWave]:
    left = [tenant for tenant in tenants if tenant.name in behind]
    for wave in settings.rollout.waves:
        members = [tenant for tenant in left if belongs(tenant, wave)]
        left = [tenant for tenant in left if tenant not in members]
        yield PlannedWave(wave.name, tuple(tenant.name for tenant in members))


def _planned(
    groups: Sequence[WorkGroup],
    standings: Sequence[Standing],
    known: dict[str, Tenant],
    chain: Chain,
    settings: Settings,
    target: str | None,
    emit: Emit,
) -> tuple[ServerLook, list[PlannedGroup]]:
    kind = _server_of(known[groups[0].tenants[0]], settings)
    with ExitStack() as stack:
        # A server takes a second to start: it does while the dry run loads the application.
        scratch = BackgroundCall(lambda: stack.enter_context(scratch_like(kind, settings)))
        try:
            work = with_statements(groups, standings, chain, settings, target, emit)
            look = look_at_servers(
                [s.tenant for s in standings if s.error is None], _question(work), settings
            )
        finally:
            bench = scratch.result()
        found = []
        for group in work:
            server = ServerKind.of(look.versions[group.tenants[0]]) if look.versions else None
            why = bench if isinstance(bench, str) else None
            if server is None or server.series != kind.series:
                why = f"the tenants' servers differ, and only {kind} was asked"
            answers = unknown(group.pending, settings, why or "")
            if why is None and not isinstance(bench, str):
                copy = _copy(known[group.tenants[0]], group.pending, settings)
                answers = (
                    unknown(group.pending, settings, copy)
                    if isinstance(copy, str)
                    else ask(bench, copy, group.pending, settings)
                )
            tables = frozenset(t for statement in group.pending for t in tables_of(statement))
            sizes = tuple(look.largest(tables, group.tenants))
            found.append(PlannedGroup(group, tuple(answers), sizes, server))
        return look, found


def _server_of(tenant: Tenant, settings: Settings) -> ServerKind:
    with closing(connect(tenant.url, database=None, timeout=settings.connect_timeout)) as one:
        return ServerKind.of(str(scalar(one, "SELECT @@version")))


def _question(groups: Sequence[WorkGroup]) -> ServerQuestion:
    return ServerQuestion(
        frozenset(t for group in groups for one in group.pending for t in tables_of(one)),
        frozenset(revision.id for group in groups for revision in group.revisions),
        frozenset(name for group in groups if group.half for name in group.tenants),
        frozenset(name for group in groups for name in group.tenants),
    )


def _copy(
    tenant: Tenant, statements: Sequence[PlannedStatement], settings: Settings
) -> SchemaCopy | str:
    """The tables whose names are anywhere in the statements; or why they could not be read."""
    text = "\n".join(statement.sql for statement in statements).lower()
    try:
        with closing(
            connect(tenant.url, database=tenant.database, timeout=settings.connect_timeout)
        ) as connection:
            return read_copy(connection, tenant.database, named_in=text)
    except (EbhookError, MySQLError) as error:
        return f"its tables could not be read: {error}"


def _held(standings: Sequence[Standing], behind: frozenset[str]) -> list[Obstacle]:
    """Frozen, held and half-applied tenants that have work."""
    found = []
    for standing in standings:
        name, lock, half = standing.tenant.name, standing.lock, standing.half
        if name not in behind:
            continue
        if lock is not None and lock.frozen:
            found.append(
                Obstacle(name, f"frozen by {lock}", then("See: ", ebhook("lock list", name)))
            )
        elif lock is not None and lock.alive:
            found.append(
                Obstacle(name, f"its lock is held by {lock}", then("See: ", ebhook("status", name)))
            )
        if half is not None:
            done = "applied" if half.kind == "upgrade" else "undone"
            found.append(
                Obstacle(
                    name,
                    f"{half.revision} is half {done}, {half.position} statements are in",
                    then("See: ", ebhook("history", name)),
                )
            )
    return found
