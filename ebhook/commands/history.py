"""``history TENANT``: what was applied there, when, by whom and how long it took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.concurrency import in_threads
from ebhook.errors import EbhookError, Exit, worst
from ebhook.fleet.standing import Standing, State
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import open_tenant
from ebhook.journal.table import Entry
from ebhook.report.documents import print_json, unread_documents
from ebhook.report.tables import problems_text, table
from ebhook.settings import Settings
from ebhook.tenant import Tenant

THREADS = 8


def history(options: Options, *, names: Sequence[str]) -> Exit:
    """The journals of the named tenants (all, when none is named), the oldest line first."""
    settings = load_settings(options)
    lines: list[tuple[str, Entry]] = []
    errors: list[tuple[str, EbhookError]] = []
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        for tenant, found in zip(tenants, _read(tenants, chain, settings), strict=True):
            if isinstance(found, EbhookError):
                errors.append((tenant.name, found))
            else:
                lines.extend((tenant.name, entry) for entry in found)
    if options.json:
        document = {
            "head": chain.head,
            "history": [_document(*line) for line in lines],
            "unread": unread_documents(errors, options.commands),
        }
        print_json(report.hidden(document))
    elif lines:
        headings = ("tenant", "when (UTC)", "what", "revision", "seconds", "by", "bundle", "note")
        report.print(table(headings, [_line(*line) for line in lines]))
    elif len(errors) < len(tenants):
        print("No journal has a line yet.")
    if errors:
        report.say(problems_text(errors, options.commands))
    return worst([problem.exit_code for _, problem in errors])


def _read(
    tenants: Sequence[Tenant], chain: Chain, settings: Settings
) -> Iterator[list[Entry] | EbhookError]:
    """The journals, in the order of `tenants`: many at once, and none on a server that is away."""

    def read(standing: Standing) -> list[Entry] | EbhookError:
        if standing.state is State.UNREACHABLE and standing.error is not None:
            return standing.error
        try:
            return _entries(standing.tenant, settings)
        except EbhookError as error:
            return error

    return in_threads(read, survey(tenants, chain, settings), THREADS)


def _entries(tenant: Tenant, settings: Settings) -> list[Entry]:
    with open_tenant(tenant, settings) as database:
        return sorted(database.journal.entries(), key=_at)


def _at(entry: Entry) -> datetime:
    """When it ended, or began where it has not ended."""
    return entry.finished_at or entry.started_at or datetime.min


def _document(tenant: str, entry: Entry) -> dict[str, object]:
    return {
        "tenant": tenant,
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
    }


def _line(tenant: str, entry: Entry) -> tuple[str, ...]:
    at = entry.finished_at or entry.started_at
    what = entry.kind.replace("_", " ")
    if entry.finished_at is None:
        what += f" (half done, {entry.position} in)"
    return (
        tenant,
        f"{at:%Y-%m-%d %H:%M:%S}" if at else "-",
        what,
        entry.revision or "-",
        "-" if entry.seconds is None else f"{entry.seconds:.2f}",
        entry.holder or "-",
        entry.version_label or "-",
        entry.note or "-",
    )
