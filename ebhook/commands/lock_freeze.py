"""``lock freeze``: keeps every instance away from some tenants, until ``lock clear``."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence

from ebhook.aws.deployed import identify
from ebhook.commands.context import Options, gather_tenants, load_settings, reporter
from ebhook.errors import EbhookError, Exit, UsageFailed, worst
from ebhook.events import Emit
from ebhook.fleet.tenant_database import open_tenant
from ebhook.holder import Holder
from ebhook.lock.clearing import freeze
from ebhook.next_command import ebhook, then
from ebhook.report.documents import error_document, print_json
from ebhook.report.tables import problems_text
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def lock_freeze(options: Options, *, names: Sequence[str], message: str) -> Exit:
    """Freezes the named tenants. `message` says why, to everybody who meets the freeze.

    A tenant that somebody is at work in is waited for, `lock.wait` seconds at most.
    """
    message = " ".join(message.split())
    if not names or not message:
        raise UsageFailed(
            "lock freeze wants the tenants' names, and why: -m 'restoring a dump'.",
            next=then("See which there are: ", ebhook("status")),
        )
    settings = load_settings(options)
    results: list[tuple[str, EbhookError | None]] = []
    with reporter(options) as report:
        tenants = gather_tenants(settings, report, names)
        holder = identify("lock freeze", settings)
        words = f"{_person()}@{holder.name}: {message}"
        for tenant in tenants:
            error = _freeze(tenant, settings, holder, words, report.emit)
            results.append((tenant.name, error))
            frozen = {"event": "TenantFrozen", "tenant": tenant.name, "frozen": error is None}
            report.log({**frozen, "why": words})
        if options.json:
            documents = [
                {
                    "tenant": name,
                    "frozen": error is None,
                    "error": error_document(error, options.commands) if error else None,
                }
                for name, error in results
            ]
            print_json(report.hidden({"why": words, "tenants": documents}))
        else:
            for name, error in results:
                if error is None:
                    report.print(f"{name}: frozen: {words}")
            problems = problems_text(
                ((name, error) for name, error in results if error is not None), options.commands
            )
            if problems:
                report.say(problems)
    return worst([error.exit_code for _, error in results if error is not None])


def _freeze(
    tenant: Tenant, settings: Settings, holder: Holder, words: str, emit: Emit
) -> EbhookError | None:
    try:
        with open_tenant(tenant, settings) as database:
            freeze(database.lock, holder, words, wait=settings.lock.wait, emit=emit)
            database.journal.note("frozen", holder, words)
    except EbhookError as error:
        return error
    return None


def _person() -> str:
    """Who typed it, also by sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
