"""A story from lines of JSON logs: of one instance, or of several that booted together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ebhook.errors import UsageFailed
from ebhook.next_command import ebhook, then
from ebhook.page.story import GOOD, FailureStory, Moment, RunStory, Story, TenantStory

_EARLIER = ("locked", "skipped", "unknown")  # another instance's word on a tenant counts for more


def read_logs(paths: Iterable[Path], only: str | None = None) -> Story:
    """A log that several boots were added to is all of them, or `only` one run, host or bundle.

    Raises `UsageFailed` for a file that cannot be read, or has no event (of `only`).
    """
    reader = LogReader(only)
    for path in paths:
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            raise UsageFailed(
                f"{path} cannot be read: {error.strerror}.",
                next=then(
                    "Give the files of --log-file; see: ", ebhook("report", words=["--help"])
                ),
            ) from None
        before = reader.lines
        for line in text.splitlines():
            reader.line(line)
        if reader.lines == before:
            raise UsageFailed(
                f"{path} has no event of {'ebhook' if only is None else only}.",
                next=then(
                    "Give the files of --log-file; see: ", ebhook("report", words=["--help"])
                ),
            )
    return reader.story()


@dataclass
class LogReader:
    """Takes line after line; what is no event of ebhook is counted, and left out.

    `only`: a run, a host or a bundle's label; None: all lines.
    """

    only: str | None = None
    lines: int = 0
    unread: int = 0
    runs: dict[str, RunStory] = field(default_factory=dict)
    tenants: dict[str, TenantStory] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)

    def line(self, text: str) -> None:
        """One line of a log."""
        if not text.strip():
            return
        try:
            event = json.loads(text)
            at = datetime.fromisoformat(event["time"])
            kind = str(event["event"])
        except (ValueError, KeyError, TypeError):
            self.unread += 1
            return
        facts = (event.get("run"), event.get("host"), event.get("version_label"))
        if self.only is not None and self.only not in facts:
            return
        self.lines += 1
        run = self._run(event, at)
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(self, event, at, run)

    def story(self) -> Story:
        moments = sorted(self.moments, key=lambda one: one.at)
        return Story(
            tuple(sorted(self.runs.values(), key=lambda run: run.began)),
            tuple(sorted(self.tenants.values(), key=lambda one: one.name)),
            tuple(self.titles),
            self.titles,
            tuple(moments),
            self.unread,
        )

    def _run(self, event: Mapping[str, Any], at: datetime) -> RunStory:
        id = str(event.get("run") or "?")
        known = self.runs.get(id)
        host = str(event.get("host") or (known.host if known else "") or "?")
        label = event.get("version_label") or (known.version_label if known else None)
        if known is None:
            command = str(event.get("command") or "?")
            known = RunStory(id, host, command, label, at, at)
        known = replace(
            known,
            host=host,
            version_label=label,
            began=min(known.began, at),
            ended=max(known.ended, at),
        )
        self.runs[id] = known
        return known

    def _tenant(self, event: Mapping[str, Any]) -> TenantStory:
        name = str(event.get("tenant"))
        return self.tenants.setdefault(name, TenantStory(name))

    def _note(
        self,
        event: Mapping[str, Any],
        at: datetime,
        run: RunStory,
        text: str,
        seconds: float | None = None,
    ) -> None:
        tenant = event.get("tenant")
        name = str(tenant) if tenant else None
        self.moments.append(Moment(at, run.id, name, str(event["event"]), text, seconds))

    # Events

    def survey(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        words = f"{event.get('tenants')} tenants surveyed, {event.get('behind')} behind"
        self._note(event, at, run, words, _number(event.get("seconds")))

    def wave(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        names = event.get("tenants") or ()
        self._note(event, at, run, f"wave {event.get('name')}: {len(names)} tenants")

    def started(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        story = self._tenant(event)
        story.began = min(story.began or at, at)
        self._note(event, at, run, "begun")

    def waiting(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._tenant(event)
        self._note(event, at, run, f"waits for {event.get('holder')}, who has the lock")

    def taken_over(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._tenant(event)
        holder = event.get("holder")
        self._note(event, at, run, f"took over the lock of {holder}, whose session is gone")

    def revision_started(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        revision, title = str(event.get("revision")), str(event.get("message") or "")
        self._tenant(event).failed_at = revision  # until it is done
        self.titles.setdefault(revision, title)
        self._note(event, at, run, f"{revision} {title}")

    def revision_done(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        revision, seconds = str(event.get("revision")), _number(event.get("seconds")) or 0.0
        story = self._tenant(event)
        story.revisions[revision] = seconds
        story.failed_at = None
        self.titles.setdefault(revision, "")
        self._note(event, at, run, f"{revision} done", seconds)

    def statement_done(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._note(event, at, run, str(event.get("statement")), _number(event.get("seconds")))

    def retried(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._tenant(event).retries += 1
        by = f"; in the way: {event['blocker']}" if event.get("blocker") else ""
        words = f"tried again, {event.get('reason')}{by}: {event.get('statement')}"
        self._note(event, at, run, words)

    def fallback(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        words = (
            f"not possible {event.get('refused')} ({event.get('reason')}): {event.get('statement')}"
        )
        self._note(event, at, run, words)

    def put_back(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._note(event, at, run, f"put back: {event.get('why')}")

    def printed(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._note(event, at, run, f"| {event.get('line')}")

    def stopping(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self._note(event, at, run, f"nothing new is started: {event.get('why')}")

    def tenant_done(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        story, outcome = self._tenant(event), str(event.get("outcome"))
        error = event.get("error")
        failure = _failure(error)
        words = outcome.replace("_", " ") + (f": {failure.what}" if failure else "")
        self._note(event, at, run, words, _number(event.get("seconds")))
        known = story.ended is not None
        if known and (outcome in _EARLIER or (outcome == "at_head" and story.outcome in GOOD)):
            return  # another instance has brought it there
        story.outcome, story.host, story.ended = outcome, run.host, at
        story.after = event.get("after")
        story.before = event.get("before") if story.before is None else story.before
        story.seconds = _number(event.get("seconds")) or 0.0
        story.failure = failure
        if outcome in GOOD:
            story.failed_at = None

    def report(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        self.runs[run.id] = replace(run, exit_code=event.get("exit_code"))

    def failed(self, event: Mapping[str, Any], at: datetime, run: RunStory) -> None:
        code = event.get("exit_code")
        self.runs[run.id] = replace(run, exit_code=code)
        self._note(event, at, run, f"the run ended: {event.get('what')}")


_HANDLERS: dict[str, Callable[[LogReader, Mapping[str, Any], datetime, RunStory], None]] = {
    "SurveyDone": LogReader.survey,
    "WaveStarted": LogReader.wave,
    "UpgradeStarted": LogReader.started,
    "LockWaiting": LogReader.waiting,
    "LockTakenOver": LogReader.taken_over,
    "RevisionStarted": LogReader.revision_started,
    "RevisionDone": LogReader.revision_done,
    "StatementDone": LogReader.statement_done,
    "StatementRetried": LogReader.retried,
    "AlgorithmFallback": LogReader.fallback,
    "PutBack": LogReader.put_back,
    "Printed": LogReader.printed,
    "Stopping": LogReader.stopping,
    "TenantDone": LogReader.tenant_done,
    "Report": LogReader.report,
    "Error": LogReader.failed,
}


def _failure(error: Any) -> FailureStory | None:
    if not error:
        return None
    if isinstance(error, Mapping):
        parts = (str(error.get(key) or "") for key in ("what", "state", "next"))
        return FailureStory(*parts)
    return FailureStory(str(error), "", "")


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
