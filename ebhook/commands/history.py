"""``history TENANT``: what was applied there, when, by whom and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.concurrency import in_threads
from ebhook.errors import EbhookError, Exit, worst
from ebhook.fleet.standing import Standing, Unfinished
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import open_tenant
from ebhook.journal.table import Entry
from ebhook.report.documents import print_json, unread_documents
from ebhook.report.lines import count
from ebhook.report.tables import problems_text, table
from ebhook.settings import Settings
from ebhook.tenant import Tenant

THREADS = 8


def history(options: Options, *, names: Sequence[str]) -> Exit:
    """The journals of the named tenants (all, when none is named), the oldest line first."""
    settings = load_settings(options)
    lines: list[HistoryLine] = []
    errors: list[tuple[str, EbhookError]] = []
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        for tenant, found in zip(tenants, _read(tenants, chain, settings), strict=True):
            if isinstance(found, EbhookError):
                errors.append((tenant.name, found))
            else:
                lines.extend(found)
    if options.json:
        document = {
            "head": chain.head,
            "history": [_document(line) for line in lines],
            "unread": unread_documents(errors, options.commands),
        }
        print_json(report.hidden(document))
    elif lines:
        headings = ("tenant", "when (UTC)", "what", "revision", "seconds", "by", "bundle", "note")
        report.print(table(headings, [_line(line) for line in lines]))
    elif len(errors) < len(tenants):
        print("No journal has a line yet.")
    if errors:
        report.say(problems_text(errors, options.commands))
    return worst([problem.exit_code for _, problem in errors])


@dataclass(frozen=True)
class HistoryLine:
    """An entry of a tenant's journal; `unfinished` is what it is as long as it has not ended."""

    tenant: str
    entry: Entry
    unfinished: Unfinished | None


def _read(
    tenants: Sequence[Tenant], chain: Chain, settings: Settings
) -> Iterator[list[HistoryLine] | EbhookError]:
    """The journals, in the order of `tenants`: many at once, and none on a server that is away."""

    def read(standing: Standing) -> list[HistoryLine] | EbhookError:
        if not standing.is_read and standing.error is not None:
            return standing.error
        try:
            entries = _entries(standing.tenant, settings)
        except EbhookError as error:
            return error
        name, state = standing.tenant.name, standing.unfinished
        return [HistoryLine(name, e, None if e.finished_at else state) for e in entries]

    return in_threads(read, survey(tenants, chain, settings, deep=True), THREADS)


def _entries(tenant: Tenant, settings: Settings) -> list[Entry]:
    with open_tenant(tenant, settings) as database:
        return sorted(database.journal.entries(), key=_at)


def _at(entry: Entry) -> datetime:
    """When it ended, or began where it has not ended."""
    return entry.finished_at or entry.started_at or datetime.min


def _document(line: HistoryLine) -> dict[str, object]:
    entry = line.entry
    return {
        "tenant": line.tenant,
        "kind": entry.kind,
        "revision": entry.revision,
        "down_revision": entry.down_revision,
        "started_at": entry.started_at.isoformat() if entry.started_at else None,
        "finished_at": entry.finished_at.isoformat() if entry.finished_at else None,
        "seconds": entry.seconds,
        "statements": entry.position,
        "holder": entry.holder,
        "environment": entry.environment,
        "version_label": entry.version_label,
        "command": entry.command,
        "note": entry.note,
        "state": line.unfinished.value if line.unfinished else None,
    }


def _line(line: HistoryLine) -> tuple[str, ...]:
    entry = line.entry
    at = entry.finished_at or entry.started_at
    what = entry.kind.replace("_", " ")
    if line.unfinished is not None:
        what += f" ({line.unfinished.words}, {count(entry.position, 'statement')} in)"
    return (
        line.tenant,
        f"{at:%Y-%m-%d %H:%M:%S}" if at else "-",
        what,
        entry.revision or "-",
        "-" if entry.seconds is None else f"{entry.seconds:.2f}",
        entry.holder or "-",
        entry.version_label or "-",
        entry.note or "-",
    )
