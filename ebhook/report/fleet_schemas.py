"""The documents of `plan`, `drift`, `rehearse`, `stamp` and `report`, as types."""

from __future__ import annotations

from typing import Literal

from ebhook.report.schema_parts import Document, ErrorDocument, HalfAppliedDocument, Unread

# drift


class DifferenceDocument(Document, frozen=True):
    """`majority`: more than half of those compared agree on what was expected."""

    tenants: list[str]
    expected: str
    majority: bool
    lines: list[str]


class NotCompared(Document, frozen=True):
    tenant: str
    why: str


class DriftDocument(Document, frozen=True):
    """`unseen`: kind of thing → the tenants whose login is not shown it."""

    exit_code: int
    against: Literal["fleet", "chain", "models"]
    compared: int
    differences: list[DifferenceDocument]
    not_compared: list[NotCompared]
    unseen: dict[str, list[str]]
    unread: list[Unread]


# plan


class PlannedStatementDocument(Document, frozen=True):
    """`sql` is what is sent, `planned` what the revision says; `why`: why the algorithm is not known."""

    sql: str
    planned: str
    algorithm: str | None
    why: str | None
    fails: str | None


class PlannedRevision(Document, frozen=True):
    """`seconds_elsewhere` is the median of the journals."""

    revision: str
    ticket: str | None
    message: str
    checksum: str
    seconds_elsewhere: float | None
    statements: list[PlannedStatementDocument]


class TableSizeDocument(Document, frozen=True):
    table: str
    tenant: str
    rows: int
    mib: float


class PlannedWork(Document, frozen=True):
    tenants: list[str]
    before: list[str]
    half_applied: HalfAppliedDocument | None
    server: str | None
    revisions: list[PlannedRevision]
    largest: list[TableSizeDocument]
    error: str | None


class PlannedWaveDocument(Document, frozen=True):
    name: str
    tenants: list[str]


class PlannedOrder(Document, frozen=True):
    """`waves` without the canary and the rest."""

    canary: list[str]
    waves: list[PlannedWaveDocument]
    workers: int
    max_failures: int


class InTheWay(Document, frozen=True):
    tenant: str
    what: str
    next: str


class PlannedRule(Document, frozen=True):
    rule: str
    revision: str | None
    file: str
    line: int
    message: str


class PlannedRules(Document, frozen=True):
    """`refuses`: a boot would touch nothing."""

    refuses: bool
    problem: str | None
    findings: list[PlannedRule]


class Estimate(Document, frozen=True):
    seconds: float | None
    not_known_for: list[str]


class PlanDocument(Document, frozen=True):
    """Also what ``plan --out`` writes. `rules` is null when nothing is to be judged, or boot.rules is off."""

    format: int
    head: str | None
    target: str | None
    exit_code: int
    tenants: int
    groups: list[PlannedWork]
    order: PlannedOrder
    in_the_way: list[InTheWay]
    rules: PlannedRules | None
    not_seen: list[str]
    estimate: Estimate
    unread: list[Unread]


# rehearse


class ShapeDocument(Document, frozen=True):
    """`differs`: how the schema differs from the others' at this revision, when it does not pass."""

    tenants: list[str]
    before: str
    fingerprint: str
    passes: bool
    server: str
    tenants_server: str
    error: ErrorDocument | None
    differs: list[str]


class DependsOnRows(Document, frozen=True):
    revision: str
    sql: str
    why: str


class RowsDocument(Document, frozen=True):
    """`bad` is null where it could not be looked at."""

    tenant: str
    revision: str
    sql: str
    bad: bool | None
    why: str


class RehearsalDocument(Document, frozen=True):
    exit_code: int
    target: str | None
    tenants: int
    shapes: list[ShapeDocument]
    depends_on_rows: list[DependsOnRows]
    rows: list[RowsDocument]
    not_copied: dict[str, list[str]]
    unread: list[Unread]


# stamp


class StampedTenant(Document, frozen=True):
    """`tables_compared` is null when nothing was."""

    tenant: str
    before: str | None
    after: str | None
    tables_compared: int | None
    error: ErrorDocument | None


class StampDocument(Document, frozen=True):
    """After a dry run, `after` is where a stamp would lead."""

    exit_code: int
    revision: str
    tenants: list[StampedTenant]


# report


class ReportedRun(Document, frozen=True):
    run: str
    host: str
    command: str
    version_label: str | None
    began: str
    seconds: float
    exit_code: int | None


class ReportedTenant(Document, frozen=True):
    """`revisions`: id → seconds."""

    tenant: str
    outcome: str
    before: str | None
    after: str | None
    seconds: float
    host: str
    revisions: dict[str, float]
    what: str | None
    next: str | None


class ReportDocument(Document, frozen=True):
    exit_code: int
    page: str | None
    runs: list[ReportedRun]
    revisions: list[str]
    tenants: list[ReportedTenant]
    unread: list[Unread]
