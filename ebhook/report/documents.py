"""Documents for programs: a contract."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from ebhook.errors import EbhookError, Exit, FailedAt
from ebhook.fleet.standing import Standing, UnfinishedRevision
from ebhook.lock.row import LockRow
from ebhook.report.next_commands import NextCommands
from ebhook.results import Result


def error_document(error: EbhookError, commands: NextCommands) -> dict[str, Any]:
    at = error.at or FailedAt()
    return {
        "error": type(error).__name__,
        "what": error.what,
        "state": error.state,
        "next": commands.plain(error.next),
        "exit_code": int(error.exit_code),
        "revision": at.revision,
        "statement": at.statement,
        "errno": at.errno,
        "stands_at": at.stands_at,
    }


def rollout_document(
    head: str | None, code: Exit, results: Sequence[Result], commands: NextCommands
) -> dict[str, Any]:
    tenants = []
    for result in results:
        document: dict[str, Any] = {
            "tenant": result.tenant,
            "outcome": result.outcome.value,
            "before": result.before,
            "after": result.after,
            "seconds": round(result.seconds, 3),
            "error": error_document(result.error, commands) if result.error is not None else None,
        }
        if result.statements:
            document["sql"] = [statement.sql for statement in result.statements]
        tenants.append(document)
    return {"head": head, "exit_code": int(code), "tenants": tenants}


def status_document(
    head: str | None, standings: Sequence[Standing], commands: NextCommands
) -> dict[str, Any]:
    return {
        "head": head,
        "tenants": [
            {
                "tenant": standing.tenant.name,
                "state": standing.state.value,
                "revision": standing.revision,
                "behind": standing.behind,
                "ahead": standing.ahead,
                "lock": lock_document(standing.lock),
                "half_applied": half_document(standing.half, standing.lock),
                "edited": list(standing.edited),
                "error": (
                    error_document(standing.error, commands) if standing.error is not None else None
                ),
            }
            for standing in standings
        ],
    }


def half_document(
    half: UnfinishedRevision | None, lock: LockRow | None = None
) -> dict[str, Any] | None:
    if half is None:
        return None
    return {
        "revision": half.revision,
        "kind": half.kind,
        "statements": half.position,
        "state": half.state(lock).value,
    }


def lock_document(lock: LockRow | None) -> dict[str, Any] | None:
    if lock is None:
        return None
    return {
        "holder": lock.holder,
        "since": lock.since.replace(tzinfo=UTC).isoformat() if lock.since is not None else None,
        "alive": lock.alive,
        "frozen": lock.frozen,
        "token": lock.token,
        "pid": lock.pid,
        "connection_id": lock.connection_id,
        "environment": lock.environment,
        "version_label": lock.version_label,
        "command": lock.command,
    }


def unread_documents(
    problems: Iterable[tuple[str, EbhookError]], commands: NextCommands
) -> list[dict[str, Any]]:
    """The tenants that a command could not read, and why."""
    return [{"tenant": name, **error_document(error, commands)} for name, error in problems]


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of a command, on stdout."""
    try:
        text = msgspec.json.format(msgspec.json.encode(document)).decode()
    except UnicodeEncodeError:  # a path, or a word of the command line, that is not UTF-8
        text = json.dumps(document, indent=2)
    sys.stdout.write(text + "\n")
