"""The documents of the chain's commands (`history`, `heads`, `chain`, `lint`, `migrate`, `merge`, `relink`,
`verify`), as types."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from ebhook.report.schema_parts import Document


class ListedRevision(Document, frozen=True):
    revision: str
    parents: list[str]
    message: str
    date: str | None
    file: str


class ChainHistory(Document, frozen=True):
    head: str | None
    revisions: list[ListedRevision]


class Heads(Document, frozen=True):
    heads: list[str]


class ChainRevision(Document, frozen=True):
    revision: str
    parents: list[str]
    ticket: str | None
    date: str | None
    message: str
    file: str
    does: list[str]
    problems: list[str]
    findings: list[str]
    head: bool


class ChainOverview(Document, frozen=True):
    heads: list[str]
    problems: list[str]
    next: str | None
    revisions: list[ChainRevision]


class ChainDrawing(Document, frozen=True):
    format: Literal["mermaid", "dot"]
    graph: str


class ChainWritten(Document, frozen=True):
    head: str | None
    file: str
    written: bool


class SpanDocument(Document, frozen=True):
    line: int
    column: int
    end_line: int
    end_column: int


class EditDocument(SpanDocument, frozen=True):
    text: str


class LintFinding(SpanDocument, frozen=True, kw_only=True):
    rule: str
    title: str
    revision: str | None
    file: str
    message: str
    sql: str | None
    corrected: str | None
    edits: list[EditDocument]
    called_from: list[SpanDocument]
    severity: str
    reason: str | None = None


class Lint(Document, frozen=True):
    exit_code: int
    judged: int
    revisions: int
    seconds: float
    absent_modules: list[str]
    findings: list[LintFinding]
    allowed: list[LintFinding]


class RuleDocument(Document, frozen=True):
    rule: str
    title: str


class Rules(Document, frozen=True):
    rules: list[RuleDocument]


class LeftOutDocument(Document, frozen=True):
    what: str
    why: str


class Migrate(Document, frozen=True):
    head: str | None
    files: list[str]
    does: list[str]
    left_out: list[LeftOutDocument]
    corrected: list[str]
    lint: Lint | None


class Merge(Document, frozen=True):
    head: str | None
    file: str
    merged: list[str]


class Relink(Document, frozen=True):
    revision: str
    file: str
    from_: list[str] = field(name="from")
    onto: str
    heads: list[str]


class VerifyProblem(Document, frozen=True):
    fault: str
    what: str | None
    diff: list[str]


class VerifiedRevision(Document, frozen=True):
    revision: str
    message: str
    reached: bool
    up_seconds: float | None
    down_seconds: float | None
    again_seconds: float | None
    problems: list[VerifyProblem]


class VerifiedWhole(Document, frozen=True):
    up_seconds: float | None
    down_seconds: float | None
    up_error: str | None
    down_error: str | None
    left: list[str]
    against_steps: list[str]


class VerifyDrift(Document, frozen=True):
    side: str
    what: str


class VerifyServer(Document, frozen=True):
    flavour: str
    version: str
    clean: bool
    revisions: list[VerifiedRevision]
    whole: VerifiedWhole
    models: str
    drift: list[VerifyDrift]


class Verify(Document, frozen=True):
    head: str | None
    exit_code: int
    servers: list[VerifyServer]
