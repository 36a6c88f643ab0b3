"""What happened in some runs, as values: the page and the Markdown are written from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

GOOD = ("at_head", "upgraded", "downgraded", "ahead")


@dataclass(frozen=True)
class RunStory:
    """One run of ebhook on one host."""

    id: str
    host: str
    command: str
    version_label: str | None
    began: datetime
    ended: datetime
    exit_code: int | None = None


@dataclass(frozen=True)
class Moment:
    """Something that happened. `kind` is the event's name; `seconds` is how long it took."""

    at: datetime
    run: str
    tenant: str | None
    kind: str
    text: str
    seconds: float | None = None


@dataclass(frozen=True)
class FailureStory:
    what: str
    state: str
    next: str


@dataclass
class TenantStory:
    """One tenant over all runs. `revisions`: id → seconds, of those that were applied in these runs."""

    name: str
    outcome: str = "unknown"
    before: str | None = None
    after: str | None = None
    seconds: float = 0.0
    host: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    revisions: dict[str, float] = field(default_factory=dict)
    failed_at: str | None = None  # the revision
    failure: FailureStory | None = None
    retries: int = 0

    @property
    def is_good(self) -> bool:
        return self.outcome in GOOD


@dataclass(frozen=True)
class Story:
    """`revisions` in the order in which they ran; `moments` by time. `unread` counts lines that are no events."""

    runs: tuple[RunStory, ...]
    tenants: tuple[TenantStory, ...]
    revisions: tuple[str, ...]
    titles: dict[str, str]
    moments: tuple[Moment, ...]
    unread: int = 0

    @property
    def began(self) -> datetime | None:
        return min((run.began for run in self.runs), default=None)

    @property
    def work_began(self) -> datetime | None:
        """When the first tenant was begun."""
        return min((one.began for one in self.tenants if one.began), default=None)

    @property
    def work_ended(self) -> datetime | None:
        """When the last tenant ended."""
        return max((one.ended for one in self.tenants if one.ended), default=None)

    @property
    def failures(self) -> list[TenantStory]:
        return [one for one in self.tenants if not one.is_good]

    def slowest(self, most: int = 20) -> list[Moment]:
        """The statements and revisions that took longest; statements where they are known."""
        timed = [one for one in self.moments if one.seconds is not None and one.kind in _TIMED]
        return sorted(timed, key=lambda one: -(one.seconds or 0.0))[:most]

    def sums(self) -> Iterator[tuple[str, int]]:
        """How many tenants ended how."""
        counted: dict[str, int] = {}
        for one in self.tenants:
            counted[one.outcome] = counted.get(one.outcome, 0) + 1
        yield from sorted(counted.items(), key=lambda pair: -pair[1])


_TIMED = ("StatementDone", "RevisionDone")
