"""Where one tenant stands, seen from this bundle's chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ebhook.chain.graph import Chain
from ebhook.errors import EbhookError, RevisionUnknown, TryAgain
from ebhook.lock.row import LockRow
from ebhook.next_command import ebhook, then
from ebhook.tenant import Tenant


class State(StrEnum):
    """Where one tenant stands, seen from this bundle's chain."""

    AT_HEAD = "at_head"
    BEHIND = "behind"
    AHEAD = "ahead"
    EMPTY = "empty"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNKNOWN_REVISION = "unknown_revision"


class Unfinished(StrEnum):
    """What a revision that has begun and not ended is: the same words in every view."""

    UNDER_WAY = "under_way"
    BEING_UNDONE = "being_undone"
    HALF_APPLIED = "half_applied"
    HALF_UNDONE = "half_undone"
    IN_DOUBT = "in_doubt"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True)
class UnfinishedRevision:
    """A revision that is half applied (or half undone): `position` statements of it are in.

    `in_doubt`: nobody but a person can tell whether the next one is. Only a deep survey looks.
    """

    kind: str
    revision: str
    parents: tuple[str, ...]
    position: int
    in_doubt: bool = False

    def state(self, lock: LockRow | None) -> Unfinished:
        """What it is, while `lock` is the tenant's."""
        up = self.kind == "upgrade"
        if lock is not None and lock.alive and not lock.frozen:
            return Unfinished.UNDER_WAY if up else Unfinished.BEING_UNDONE
        if self.in_doubt:
            return Unfinished.IN_DOUBT
        return Unfinished.HALF_APPLIED if up else Unfinished.HALF_UNDONE


@dataclass(frozen=True)
class Standing:
    """One tenant as it was read. `behind` counts revisions; None when that cannot be known.

    `ahead` counts the revisions that only a newer bundle knows; `half` is the revision that a crash
    or a failure left half done; `edited` are those whose files changed after they were applied.
    """

    tenant: Tenant
    state: State
    revisions: tuple[str, ...] = ()
    behind: int | None = None
    lock: LockRow | None = None
    error: EbhookError | None = None
    ahead: int = 0
    half: UnfinishedRevision | None = None
    edited: tuple[str, ...] = ()

    @property
    def revision(self) -> str | None:
        return ",".join(self.revisions) or None

    @property
    def is_read(self) -> bool:
        """False: where it stands is not known, and `error` says why."""
        return self.state not in (State.UNREACHABLE, State.REFUSED)

    @property
    def unfinished(self) -> Unfinished | None:
        return self.half.state(self.lock) if self.half is not None else None


@dataclass(frozen=True)
class TenantReading:
    """What the server said of one tenant, before the chain is asked what it means."""

    revisions: tuple[str, ...] = ()
    lock: LockRow | None = None
    error: EbhookError | None = None
    half: UnfinishedRevision | None = None
    applied: Mapping[str, AppliedRevision] = field(default_factory=dict)


@dataclass(frozen=True)
class AppliedRevision:
    """What the journal keeps of a revision that was applied."""

    parents: tuple[str, ...]
    checksum: str | None


def unknown_revision(
    tenant: Tenant, at: tuple[str, ...], known: frozenset[str] | None = None
) -> RevisionUnknown:
    """The error for a database that stands at a revision that this bundle does not have.

    Args:
        known: where its journal's lineage leads back to, when it leads to this chain at all.
    """
    lineage = "no journal tells what it builds on"
    if known is not None:
        lineage = f"it builds on {', '.join(sorted(known)) or 'base'}, not on this bundle's head"
    return RevisionUnknown(
        f"{tenant.name}: stands at {', '.join(at)}, which this bundle's chain does not know; "
        f"{lineage}.",
        "It was not changed.",
        then("Deploy the bundle that has it, or merge its branch; see: ", ebhook("history")),
    )


def judge(tenant: Tenant, read: TenantReading, chain: Chain) -> Standing:
    if read.error is not None:
        passes = isinstance(read.error, TryAgain)
        return Standing(tenant, State.UNREACHABLE if passes else State.REFUSED, error=read.error)
    at = read.revisions
    if not chain.knows(at):
        known, ahead = _back_to_known(at, read.applied, chain)
        if known is not None and chain.head in known:
            return Standing(tenant, State.AHEAD, at, 0, read.lock, ahead=ahead, half=read.half)
        error = unknown_revision(tenant, at, known)
        return Standing(tenant, State.UNKNOWN_REVISION, at, lock=read.lock, error=error)
    half = read.half
    if half is not None and (half.revision in chain.lineage(at)) == (half.kind == "upgrade"):
        half = None  # the version has moved past it: somebody did the rest by other means
    # A half undone revision is not there any more.
    stands = half.parents if half is not None and half.kind == "downgrade" else at
    behind = len(chain.missing(stands, chain.head))
    state = State.AT_HEAD if behind == 0 else State.BEHIND if at else State.EMPTY
    edited = tuple(
        id
        for id in chain.revisions
        if id in read.applied
        and id in chain.lineage(at)
        and read.applied[id].checksum not in (None, chain.revisions[id].checksum)
    )
    return Standing(tenant, state, at, behind, read.lock, half=half, edited=edited)


def _back_to_known(
    at: tuple[str, ...], applied: Mapping[str, AppliedRevision], chain: Chain
) -> tuple[frozenset[str] | None, int]:
    """The revisions that this chain knows, going back from `at` by the journal's lineage, and how
    many it does not know on the way; None when the lineage breaks off."""
    known: set[str] = set()
    unknown: set[str] = set()
    todo = list(at)
    while todo:
        id = todo.pop()
        if id in chain.revisions:
            known.add(id)
        elif id in applied:
            if id not in unknown:
                unknown.add(id)
                todo.extend(applied[id].parents)
        else:
            return None, 0
    return frozenset(known), len(unknown)
