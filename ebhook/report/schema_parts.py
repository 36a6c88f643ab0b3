"""What several documents of ``--json`` have."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ebhook.fleet.standing import Unfinished


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """All its keys are there, and no others."""


class ErrorDocument(Document, frozen=True):
    """What happened, the state now, what to type next; and where in a chain it was."""

    error: str
    what: str
    state: str
    next: str
    exit_code: int
    revision: str | None
    statement: int | None
    errno: int | None
    stands_at: str | None


class Unread(ErrorDocument, frozen=True):
    """A tenant that could not be read."""

    tenant: str


class FailureDocument(Document, frozen=True):
    """The whole command failed: instead of its own document."""

    head: None
    exit_code: int
    tenants: tuple[()]
    error: ErrorDocument


class Lock(Document, frozen=True):
    holder: str | None
    since: str | None
    alive: bool
    frozen: bool
    token: str | None
    pid: int | None
    connection_id: int | None
    environment: str | None
    version_label: str | None
    command: str | None


class HalfAppliedDocument(Document, frozen=True):
    revision: str
    kind: Literal["upgrade", "downgrade"]
    statements: int
    state: Unfinished
