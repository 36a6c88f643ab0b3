"""``lock list`` and ``lock clear``: who holds what, and clearing what nobody holds any more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ebhook.aws.deployed import identify
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather_tenants, load_settings, reporter
from ebhook.commands.lock_processes import end_process
from ebhook.errors import EbhookError, Exit, LockHeld, UsageFailed, worst
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import open_tenant
from ebhook.lock.clearing import clear, kill_holder
from ebhook.lock.row import LockRow
from ebhook.next_command import ebhook, then
from ebhook.report.documents import error_document, lock_document, print_json, unread_documents
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import lock_text, problems_text, table
from ebhook.report.waiting import sign_of_life
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def lock_list(options: Options, *, names: Sequence[str]) -> Exit:
    """Every lock there is."""
    settings = load_settings(options)
    with reporter(options) as report:
        tenants = gather_tenants(settings, report, names)
        with sign_of_life(report, tenants):
            standings = survey(tenants, Chain({}), settings, deep=True)
    held = [standing for standing in standings if standing.lock is not None]
    unread = [standing for standing in standings if not standing.is_read]
    broken = [(s.tenant.name, s.error) for s in unread if s.error is not None]
    if options.json:
        locks = [{"tenant": s.tenant.name, "lock": lock_document(s.lock)} for s in held]
        print_json(
            report.hidden({"locks": locks, "unread": unread_documents(broken, options.commands)})
        )
    elif held:
        lines = [
            (
                s.tenant.name,
                lock_text(s.lock),
                (s.lock.command if s.lock else None) or "-",
                (s.lock.token if s.lock else None) or "-",
            )
            for s in held
        ]
        report.print(table(("tenant", "lock", "command", "id"), lines))
    elif len(broken) < len(standings):
        print("No tenant is locked." if not broken else "No other tenant is locked.")
    if broken:
        report.say(problems_text(broken, options.commands))
    return worst([error.exit_code for _, error in broken])


@dataclass(frozen=True)
class Cleared:
    """What became of one tenant's lock. `process` says what became of the process behind it."""

    tenant: str
    lock: LockRow | None
    cleared: bool
    error: EbhookError | None = None
    process: str | None = None


def lock_clear(
    options: Options,
    *,
    names: Sequence[str],
    all: bool,
    kill: bool,
    frozen: bool,
    id: str | None = None,
) -> Exit:
    """Clears what is stale; a living holder only with `kill`; freezes by name, or with `frozen`.

    Args:
        id: clears nothing but the lock with this id, as `lock list` shows it.
    """
    if bool(names) == all:
        raise UsageFailed(
            "lock clear wants the tenants' names, or --all (not both).",
            next=then("See who holds what: ", ebhook("lock list")),
        )
    settings = load_settings(options)
    results = []
    with reporter(options) as report:
        tenants = gather_tenants(settings, report, names)
        for standing in survey(tenants, Chain({}), settings, deep=True):
            if not standing.is_read:
                result = Cleared(standing.tenant.name, None, False, standing.error)
            elif standing.lock is None:
                result = Cleared(standing.tenant.name, None, False)
            else:
                wanted = ClearRequest(kill, frozen or not all, id)
                result = _clear(standing.tenant, settings, wanted)
            results.append(result)
            report.log({"event": "LockCleared", **_document(result, options.commands)})
    if options.json:
        print_json(
            report.hidden({"locks": [_document(result, options.commands) for result in results]})
        )
    else:
        for result in results:
            line = _line(result)
            if line is not None:
                report.print(line)
            if result.process is not None:
                report.print(f"{result.tenant}: {result.process}")
                keep = ebhook("lock freeze", result.tenant, words=["-m", "its lock was cleared"])
                report.say(f"To keep every instance away: {options.commands.command(keep)}")
        if not any(result.lock or result.error for result in results):
            print("No tenant is locked.")
        problems = problems_text(
            ((result.tenant, result.error) for result in results), options.commands
        )
        if problems:
            report.say(problems)
    return worst([result.error.exit_code for result in results if result.error is not None])


@dataclass(frozen=True)
class ClearRequest:
    """What may be cleared: also of the living, also freezes; `id`: only this one."""

    kill: bool
    frozen: bool
    id: str | None


def _clear(tenant: Tenant, settings: Settings, wanted: ClearRequest) -> Cleared:
    row, process = None, None
    try:
        with open_tenant(tenant, settings) as database:
            row = database.lock.read()
            if row is None:
                return Cleared(tenant.name, None, False)
            if wanted.id is not None and row.token != wanted.id:
                raise LockHeld(
                    f"{tenant.name}: its lock has another id now: {row} (id {row.token or '-'}).",
                    "It was left as it is.",
                    then("See who holds what: ", ebhook("lock list", tenant.name)),
                )
            if row.frozen and not wanted.frozen:
                raise LockHeld(
                    f"{tenant.name}: frozen by hand: {row}.",
                    "It was left as it is.",
                    then("When that is over: ", ebhook("lock clear", tenant.name)),
                )
            if row.alive and wanted.kill:
                process = end_process(row, identify("lock clear", settings).name)
                kill_holder(database.lock, row, until=time.monotonic() + settings.connect_timeout)
            cleared = clear(database.lock, row)
            if cleared:
                holder = identify("lock clear", settings)
                words = f"the lock of {row} (id {row.token or '-'})"
                database.journal.note("lock_cleared", holder, words)
            return Cleared(tenant.name, row, cleared, process=process)
    except LockHeld as error:
        return Cleared(tenant.name, row, False, error)
    except EbhookError as error:
        return Cleared(tenant.name, None, False, error)


def _document(result: Cleared, commands: NextCommands) -> dict[str, object]:
    return {
        "tenant": result.tenant,
        "cleared": result.cleared,
        "process": result.process,
        "lock": lock_document(result.lock),
        "error": error_document(result.error, commands) if result.error is not None else None,
    }


def _line(result: Cleared) -> str | None:
    if result.error is not None or result.lock is None:
        return None
    identity = f" (id {result.lock.token})" if result.lock.token else ""
    if result.cleared:
        return f"{result.tenant}: cleared the lock of {lock_text(result.lock)}{identity}"
    return f"{result.tenant}: the lock of {result.lock}{identity} was gone already"
