"""A plan as JSON; read again, it says whether a tenant's work is still what was planned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebhook.authoring.ticket import ticket_of
from ebhook.errors import Refused, UsageFailed
from ebhook.next_command import ebhook, then
from ebhook.plan.fleet_plan import FleetPlan, PlannedGroup
from ebhook.plan.work import WorkGroup
from ebhook.report.documents import half_document, unread_documents
from ebhook.report.next_commands import NextCommands
from ebhook.settings import Settings

FORMAT = 1  # of a plan's file; another one is refused


def plan_document(plan: FleetPlan, settings: Settings, commands: NextCommands) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "head": plan.head,
        "target": plan.target,
        "exit_code": int(plan.exit_code),
        "tenants": plan.tenants,
        "groups": [_group(group, plan, settings) for group in plan.groups],
        "order": {
            "canary": list(plan.canary),
            "waves": [{"name": one.name, "tenants": list(one.tenants)} for one in plan.waves],
            "workers": plan.workers,
            "max_failures": plan.max_failures,
        },
        "in_the_way": [
            {"tenant": one.tenant, "what": one.what, "next": commands.plain(one.next)}
            for one in plan.obstacles
        ],
        "rules": _verdict(plan),
        "not_seen": list(plan.look.unseen),
        "estimate": {"seconds": _rounded(plan.seconds), "not_known_for": list(plan.untimed)},
        "unread": unread_documents(plan.problems, commands),
    }


def _verdict(plan: FleetPlan) -> dict[str, Any] | None:
    """What the last gate says; None when there is nothing to judge, or boot.rules is off."""
    if plan.verdict is None:
        return None
    return {
        "refuses": plan.refuses and not plan.verdict.passes,
        "problem": plan.verdict.problem,
        "findings": [
            {
                "rule": one.rule,
                "revision": one.revision,
                "file": one.file,
                "line": one.line,
                "message": one.message,
            }
            for one in plan.verdict.findings
        ],
    }


def _group(group: PlannedGroup, plan: FleetPlan, settings: Settings) -> dict[str, Any]:
    work = group.work
    return {
        "tenants": list(work.tenants),
        "before": list(work.before),
        "half_applied": half_document(work.half),
        "server": str(group.server) if group.server else None,
        "revisions": [
            {
                "revision": revision.id,
                "ticket": ticket_of(revision.message, settings),
                "message": revision.message,
                "checksum": revision.checksum,
                "seconds_elsewhere": _rounded(plan.look.seconds(revision.id)),
                "statements": [
                    {
                        "sql": answer.sent,
                        "planned": statement.sql,
                        "algorithm": answer.algorithm,
                        "why": answer.why,
                        "fails": answer.fails,
                    }
                    for statement, answer in zip(work.pending, group.answers, strict=True)
                    if statement.revision == revision.id
                ],
            }
            for revision in work.revisions
        ],
        "largest": [
            {"table": one.table, "tenant": one.tenant, "rows": one.rows, "mib": round(one.mib, 1)}
            for one in group.sizes
        ],
        "error": str(work.error) if work.error is not None else None,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


# A plan's file


@dataclass(frozen=True)
class SavedPlan:
    """What a plan's file says of each tenant: where it stood, and what would be sent."""

    path: Path
    target: str | None
    work: Mapping[str, tuple[Any, ...]]  # tenant → as `_work` makes it

    def refusal(self, tenant: str, group: WorkGroup | None) -> Refused | None:
        """Why `tenant` may not be upgraded by this plan; None when its work (`group`) is what was planned."""
        if group is None:
            return None  # it has come there meanwhile
        if tenant not in self.work:
            what = f"it is behind, and {self.path.name} has no work for it"
        elif _work(group) != self.work[tenant]:
            what = f"its work is not what {self.path.name} says: {self._difference(tenant, group)}"
        else:
            return None
        return Refused(
            f"{tenant}: {what}.",
            next=then("Plan again, and look at it: ", ebhook("plan", tenant)),
        )

    def _difference(self, tenant: str, group: WorkGroup) -> str:
        for name, now, before in zip(
            (
                "it stands elsewhere",
                "a revision is half done",
                "other revisions",
                "other statements",
            ),
            _work(group),
            self.work[tenant],
            strict=True,
        ):
            if now != before:
                return name
        return "it differs"


def _work(group: WorkGroup) -> tuple[Any, ...]:
    half = group.half
    return (
        tuple(group.before),
        (half.revision, half.position) if half is not None else None,
        tuple((revision.id, revision.checksum) for revision in group.revisions),
        tuple(statement.sql for statement in group.pending),
    )


def read_plan(path: Path) -> SavedPlan:
    """Raises `UsageFailed` for what is no plan of this format."""
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"it has format {document['format']}, and this ebhook reads {FORMAT}")
        work = {
            str(tenant): _saved(group)
            for group in document["groups"]
            for tenant in group["tenants"]
        }
        return SavedPlan(path, document["target"], work)
    except (OSError, ValueError, KeyError, TypeError) as error:
        words = f"{error.strerror}" if isinstance(error, OSError) else f"{error}"
        raise UsageFailed(
            f"{path} is not a plan: {words}.",
            next=then("Make one: ", ebhook("plan", words=["--out", str(path)])),
        ) from None


def _saved(group: Mapping[str, Any]) -> tuple[Any, ...]:
    half = group["half_applied"]
    revisions: Sequence[Mapping[str, Any]] = group["revisions"]
    return (
        tuple(group["before"]),
        (half["revision"], half["statements"]) if half else None,
        tuple((one["revision"], one["checksum"]) for one in revisions),
        tuple(statement["planned"] for one in revisions for statement in one["statements"]),
    )
