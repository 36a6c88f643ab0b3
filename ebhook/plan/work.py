"""Tenants with identical work, together: one of each group is asked by a dry run what would be sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision
from ebhook.errors import EbhookError
from ebhook.events import Emit, Event, PasswordRead, Printed
from ebhook.fleet.standing import Standing, State, UnfinishedRevision
from ebhook.holder import Holder
from ebhook.results import PlannedStatement
from ebhook.rollout.plan import Plan
from ebhook.rollout.scheduler import roll_out
from ebhook.settings import Settings
from ebhook.sql.statement import touched, written


@dataclass(frozen=True)
class WorkGroup:
    """Tenants that stand at `before`, in configured order, and what each of them needs.

    `statements` are those of the revisions themselves, without the keeping of the version table; the first
    `half.position` of them are in already. `error` says why the dry run failed.
    """

    tenants: tuple[str, ...]
    before: tuple[str, ...]
    half: UnfinishedRevision | None
    revisions: tuple[Revision, ...]
    statements: tuple[PlannedStatement, ...] = ()
    error: EbhookError | None = None

    @property
    def pending(self) -> tuple[PlannedStatement, ...]:
        """The statements that are still to run."""
        return self.statements[self.half.position if self.half is not None else 0 :]


def grouped(standings: Sequence[Standing], chain: Chain, target: str | None) -> list[WorkGroup]:
    """The groups, the largest first, without their statements. Tenants without work are in none."""
    found: dict[tuple[object, ...], list[Standing]] = {}
    for standing in standings:
        readable = standing.state in (State.BEHIND, State.EMPTY, State.AT_HEAD)
        if readable and (standing.half is not None or chain.missing(standing.revisions, target)):
            found.setdefault((standing.revisions, standing.half), []).append(standing)
    groups = [
        WorkGroup(
            tuple(one.tenant.name for one in members),
            members[0].revisions,
            members[0].half,
            chain.missing(members[0].revisions, target),
        )
        for members in found.values()
    ]
    return sorted(groups, key=lambda group: -len(group.tenants))


def with_statements(
    groups: Sequence[WorkGroup],
    standings: Sequence[Standing],
    chain: Chain,
    settings: Settings,
    target: str | None,
    emit: Emit,
) -> list[WorkGroup]:
    """The groups with the statements that a dry run on the first tenant of each would send."""
    firsts = {group.tenants[0] for group in groups}
    asked = [standing for standing in standings if standing.tenant.name in firsts]
    holder = Holder("plan", 0, None, None, "plan", "plan")
    dry = Plan(target, time.monotonic() + settings.rollout.deadline, dry_run=True)

    def quietly(event: Event) -> None:
        if isinstance(event, Printed | PasswordRead):
            emit(event)

    results = {
        result.tenant: result for result in roll_out(asked, chain, settings, holder, dry, quietly)
    }
    return [
        replace(
            group,
            statements=tuple(
                one for one in results[group.tenants[0]].statements if one.revision is not None
            ),
            error=results[group.tenants[0]].error,
        )
        for group in groups
    ]


def tables_of(statement: PlannedStatement) -> tuple[str, ...]:
    """The tables of this database that a statement is plainly about, as it names them."""
    found = touched(statement.sql)
    objects = found.objects if found is not None else ()
    if not objects:
        one = written(statement.sql)
        objects = (one,) if one is not None else ()
    return tuple(one.name for one in objects if one.kind == "TABLE" and one.schema is None)
