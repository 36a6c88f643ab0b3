"""``resolve``: the operator's word on a statement of which nobody else can tell if it happened."""

from __future__ import annotations

import difflib

from ebhook.aws.deployed import identify
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.errors import Exit, UsageFailed
from ebhook.fleet.tenant_database import open_tenant
from ebhook.journal.in_doubt import Verdict
from ebhook.journal.table import Entry, Journal
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json
from ebhook.report.next_commands import plain
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def resolve(options: Options, *, tenant: str, applied: bool | None) -> Exit:
    """Shows the statement in doubt with its objects then and now; with `applied`, settles it."""
    settings = load_settings(options)
    with reporter(options) as report:
        _, (found,) = gather(settings, report, [tenant])
        entry, verdict, shown, settled = _settle(found, settings, applied)
        document = {
            "tenant": tenant,
            "revision": entry.revision,
            "statement": entry.position + 1,
            "sql": entry.pending.sql if entry.pending else None,
            "verdict": verdict.value.replace(" ", "_"),
            "note": entry.note,
            "resolved": None if not settled else "applied" if applied else "not_applied",
        }
        report.log({"event": "Resolved", **document})
    if options.json:
        print_json(report.hidden(document))
        return Exit.OK if settled else Exit.PERSON
    report.print(shown)
    if not settled:
        print("\nNothing was changed. Say which, then upgrade:")
        for what, word in (("is", "--applied"), ("is not", "--not-applied")):
            typed = options.commands.command(ebhook("resolve", tenant, words=[word]))
            print(plain(f"  it {what} in the database: {typed}"))
        return Exit.PERSON
    go_on = options.commands.command(ebhook("upgrade", tenant))
    print(
        f"\n{tenant}: statement {entry.position + 1} of {entry.revision} counts as "
        f"{'applied' if applied else 'not applied'} now. Go on with: {plain(go_on)}"
    )
    return Exit.OK


def _settle(
    tenant: Tenant, settings: Settings, applied: bool | None
) -> tuple[Entry, Verdict, str, bool]:
    holder = identify("resolve", settings)
    with open_tenant(tenant, settings) as database:
        journal = database.journal
        with database.lock.held(holder, wait=0, emit=lambda event: None, done=lambda: False):
            entry = journal.unfinished()
            if entry is None or entry.pending is None:
                raise UsageFailed(
                    f"{tenant.name}: nothing is in doubt.",
                    next=then("See where it stands: ", ebhook("status", tenant.name)),
                )
            verdict = journal.inspector.verdict(entry.pending)
            shown = _shown(tenant, entry, journal, verdict)
            if verdict is not Verdict.UNKNOWN and not entry.note:
                raise UsageFailed(
                    f"{tenant.name}: nothing is in doubt: statement {entry.position + 1} of "
                    f"{entry.revision} {verdict.value}.",
                    next=then("Go on with: ", ebhook("upgrade", tenant.name)),
                )
            if applied is not None:
                journal.resolve(entry, holder, applied=applied)
            return entry, verdict, shown, applied is not None


def _shown(tenant: Tenant, entry: Entry, journal: Journal, verdict: Verdict) -> str:
    """The statement, and how its objects looked before it and look now."""
    pending = entry.pending
    assert pending is not None
    parts = [
        f"{tenant.name}: the {entry.kind} of revision {entry.revision} stopped at statement "
        f"{entry.position + 1}:",
        "    " + pending.sql.strip().replace("\n", "\n    "),
        f"Whether it happened: {verdict.value}."
        + (f" The server said: {entry.note}." if entry.note else ""),
    ]
    objects = pending.objects or ()
    for one, before, now in zip(
        objects, pending.before, journal.inspector.look(objects), strict=False
    ):
        name = f"{one.kind.lower()} {one.name}"
        if before == now:
            parts.append(f"{name}, then and now:\n{now or '(is not there)'}")
            continue
        difference = difflib.unified_diff(
            (before or "(was not there)").splitlines(),
            (now or "(is not there)").splitlines(),
            "then",
            "now",
            lineterm="",
            n=99,
        )
        parts.append(f"{name}:\n" + "\n".join(difference))
    return "\n\n".join(parts)
