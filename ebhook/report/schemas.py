"""The documents of ``--json``, as types: what ``ebhook schema`` prints, and what the tests hold each
document against that they see.

A key that is not here is not written; more may be added, and none is taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import field

from ebhook.events import Outcome
from ebhook.fleet.standing import State, Unfinished
from ebhook.report.chain_schemas import (
    ChainDrawing,
    ChainHistory,
    ChainOverview,
    ChainWritten,
    Heads,
    Lint,
    Merge,
    Migrate,
    Relink,
    Rules,
    Verify,
)
from ebhook.report.fleet_schemas import (
    DriftDocument,
    PlanDocument,
    RehearsalDocument,
    ReportDocument,
    StampDocument,
)
from ebhook.report.schema_parts import (
    Document,
    ErrorDocument,
    FailureDocument,
    HalfAppliedDocument,
    Lock,
    Unread,
)

# The fleet


class RolloutTenant(Document, frozen=True):
    tenant: str
    outcome: Outcome
    before: str | None
    after: str | None
    seconds: float
    error: ErrorDocument | None
    sql: list[str] | None = None


class Rollout(Document, frozen=True):
    head: str | None
    exit_code: int
    tenants: list[RolloutTenant]
    excused: int | None = None


class StatusTenant(Document, frozen=True):
    tenant: str
    state: State
    revision: str | None
    behind: int | None
    ahead: int
    lock: Lock | None
    half_applied: HalfAppliedDocument | None
    edited: list[str]
    error: ErrorDocument | None


class Status(Document, frozen=True):
    head: str | None
    tenants: list[StatusTenant]


class HeldLock(Document, frozen=True):
    tenant: str
    lock: Lock


class LockList(Document, frozen=True):
    locks: list[HeldLock]
    unread: list[Unread]


class ClearedLock(Document, frozen=True):
    tenant: str
    cleared: bool
    process: str | None
    lock: Lock | None
    error: ErrorDocument | None


class LockClear(Document, frozen=True):
    locks: list[ClearedLock]


class FrozenTenant(Document, frozen=True):
    tenant: str
    frozen: bool
    error: ErrorDocument | None


class LockFreeze(Document, frozen=True):
    why: str
    tenants: list[FrozenTenant]


class ResolvedTenant(Document, frozen=True):
    tenant: str
    revision: str | None
    statement: int | None
    sql: str | None
    verdict: str | None
    note: str | None
    resolved: Literal["applied", "not_applied", "undo"] | None
    error: ErrorDocument | None


class Resolve(Document, frozen=True):
    exit_code: int
    tenants: list[ResolvedTenant]


class HistoryEntry(Document, frozen=True):
    tenant: str
    kind: str
    revision: str | None
    down_revision: str | None
    started_at: str | None
    finished_at: str | None
    seconds: float | None
    statements: int
    holder: str | None
    environment: str | None
    version_label: str | None
    command: str | None
    note: str | None
    state: Unfinished | None


class TenantHistory(Document, frozen=True):
    head: str | None
    history: list[HistoryEntry]
    unread: list[Unread]


# This application, this machine


class Setting(Document, frozen=True):
    value: Any
    from_: str = field(name="from")
    variable: str


class Config(Document, frozen=True):
    file: str | None
    root: str
    settings: dict[str, Setting]


class DoctorFindingDocument(Document, frozen=True):
    check: str
    subject: str
    level: Literal["ok", "warn", "fail"]
    text: str
    next: str


class Doctor(Document, frozen=True):
    findings: list[DoctorFindingDocument]
    exit_code: int


class BundleFileDocument(Document, frozen=True):
    file: str
    state: str


class Init(Document, frozen=True):
    files: list[BundleFileDocument]
    warnings: list[str]
    exit_code: int


class DemoInstance(Document, frozen=True):
    instance: str
    exit_code: int | None
    seconds: float
    tenants: dict[str, int]


class Demo(Document, frozen=True):
    exit_code: int
    agencies: int
    locks_left: int
    instances: list[DemoInstance]


# Command → what it may print: one of these, or a `FailureDocument`.
SCHEMAS: Mapping[str, tuple[type[Document], ...]] = {
    "boot": (Rollout,),
    "upgrade": (Rollout,),
    "downgrade": (Rollout,),
    "status": (Status,),
    "current": (Status,),
    "lock list": (LockList,),
    "lock clear": (LockClear,),
    "lock-clear": (LockClear,),
    "lock freeze": (LockFreeze,),
    "resolve": (Resolve,),
    "history": (ChainHistory, TenantHistory),
    "heads": (Heads,),
    "chain": (ChainOverview, ChainDrawing, ChainWritten),
    "lint": (Lint, Rules),
    "migrate": (Migrate,),
    "merge": (Merge,),
    "relink": (Relink,),
    "check": (Lint,),
    "verify": (Verify,),
    "config": (Config,),
    "doctor": (Doctor,),
    "init": (Init,),
    "demo": (Demo,),
    "drift": (DriftDocument,),
    "plan": (PlanDocument,),
    "rehearse": (RehearsalDocument,),
    "stamp": (StampDocument,),
    "report": (ReportDocument,),
}


def json_schema(command: str) -> dict[str, Any]:
    """The JSON Schema of what `command` prints with ``--json``."""
    kinds = SCHEMAS[command]
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    title |= {"title": f"ebhook {command} --json"}
    schemas, components = msgspec.json.schema_components(
        [*kinds, FailureDocument], ref_template="#/$defs/{name}"
    )
    return {**title, "anyOf": list(schemas), "$defs": components}


def fits(command: str, document: Any) -> str | None:
    """What is wrong with a document of `command`; None: nothing."""
    kinds = SCHEMAS[command]
    return _best(document, (*kinds, FailureDocument))


def _best(document: Any, kinds: Iterable[type[Document]]) -> str | None:
    problems = []
    for kind in kinds:
        try:
            msgspec.convert(document, kind)
        except msgspec.ValidationError as error:
            problems.append(f"{kind.__name__}: {error}")
        else:
            return None
    return "; ".join(problems)
