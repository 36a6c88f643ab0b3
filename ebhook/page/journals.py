"""A story from the tenants' journals: of one holder (``i-0abc:412``), or of one bundle (its version label)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ebhook.errors import EbhookError, UsageFailed
from ebhook.fleet.tenant_database import open_tenant
from ebhook.journal.table import Entry
from ebhook.next_command import ebhook, then
from ebhook.page.story import FailureStory, Moment, RunStory, Story, TenantStory
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def read_journals(
    tenants: Sequence[Tenant], settings: Settings, run: str
) -> tuple[Story, list[tuple[str, EbhookError]]]:
    """The story of `run`, and the tenants whose journal could not be read.

    Raises:
        UsageFailed: no journal knows of it.
    """
    runs: dict[str, RunStory] = {}
    stories: list[TenantStory] = []
    titles: dict[str, str] = {}
    moments: list[Moment] = []
    unread: list[tuple[str, EbhookError]] = []
    for tenant in tenants:
        try:
            with open_tenant(tenant, settings) as database:
                found = [
                    entry
                    for entry in database.journal.entries()
                    if run in (entry.holder, entry.version_label) and entry.started_at is not None
                ]
        except EbhookError as error:
            unread.append((tenant.name, error))
            continue
        if found:
            stories.append(_tenant(tenant.name, found))
        for entry in found:
            _add(tenant.name, entry, runs, titles, moments)
    if not stories:
        raise UsageFailed(
            f"No journal has anything of {run!r}.",
            next=then(
                "Give a holder or a bundle's label, as in: ", ebhook("history", words=["--all"])
            ),
        )
    moments.sort(key=lambda one: one.at)
    story = Story(tuple(runs.values()), tuple(stories), tuple(titles), titles, tuple(moments))
    return story, unread


def _tenant(name: str, entries: Sequence[Entry]) -> TenantStory:
    story = TenantStory(name, "upgraded")
    upgrades = [entry for entry in entries if entry.kind in ("upgrade", "downgrade")]
    for entry in upgrades:
        began, ended = _times(entry)
        story.began = min(story.began or began, began)
        story.ended = max(story.ended or ended, ended)
        story.host = entry.holder or ""
        if entry.finished_at is None:
            story.outcome, story.failed_at = "failed", entry.revision
            story.failure = FailureStory(
                f"{name}: {entry.revision} is half done: {entry.position} statements are in. "
                f"{entry.note or ''}".strip(),
                "",
                "",
            )
        elif entry.revision is not None:
            story.revisions[entry.revision] = entry.seconds or 0.0
            story.after = entry.revision if entry.kind == "upgrade" else entry.down_revision
            story.before = story.before or entry.down_revision
            story.seconds += entry.seconds or 0.0
            if entry.kind == "downgrade":
                story.outcome = "downgraded"
    return story


def _add(
    tenant: str,
    entry: Entry,
    runs: dict[str, RunStory],
    titles: dict[str, str],
    moments: list[Moment],
) -> None:
    began, ended = _times(entry)
    id = entry.holder or "?"
    known = runs.get(id)
    runs[id] = RunStory(
        id,
        id,
        entry.command or "?",
        entry.version_label,
        min(known.began, began) if known else began,
        max(known.ended, ended) if known else ended,
    )
    if entry.revision is not None:
        titles.setdefault(entry.revision, "")
    kind = "RevisionDone" if entry.kind in ("upgrade", "downgrade") else entry.kind
    words = f"{entry.kind} {entry.revision or ''} {entry.note or ''}".strip()
    moments.append(Moment(ended, id, tenant, kind, words, entry.seconds))


def _times(entry: Entry) -> tuple[datetime, datetime]:
    assert entry.started_at is not None
    began = entry.started_at.replace(tzinfo=UTC)
    if entry.finished_at is not None:
        return began, entry.finished_at.replace(tzinfo=UTC)
    return began, began + timedelta(seconds=entry.seconds or 0.0)
