"""What lint has to say: a rule, a place, why it matters here, and the corrected code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from ebhook.errors import Exit
from ebhook.lint.source import Edit, Span


class Severity(StrEnum):
    """How much a finding weighs. Advice alone does not fail a run."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True)
class Rule:
    """`id` is for ever. `breaks_chain`: nothing can be booted; it cannot be allowed by a comment.

    `protects`: it protects running code and data, so a boot holds pending revisions against it.
    """

    id: str
    title: str
    severity: Severity = Severity.ERROR
    breaks_chain: bool = False
    protects: bool = False

    @property
    def exit_code(self) -> Exit:
        if self.breaks_chain:
            return Exit.CHAIN
        return Exit.OK if self.severity is Severity.ADVICE else Exit.FINDINGS


@dataclass(frozen=True)
class Finding:
    """`message` says what breaks, and for whom.

    The corrected code is `edits` to the file, or `example` where the file cannot simply be edited.
    `sql` is the statement that ran; `also` are the other calls that led there.
    """

    rule: Rule
    path: Path
    span: Span
    message: str
    edits: tuple[Edit, ...] = ()
    example: str = ""
    sql: str = ""
    revision: str | None = None
    also: tuple[Span, ...] = field(default=())
    allowed: str | None = None  # the reason that a comment gives
