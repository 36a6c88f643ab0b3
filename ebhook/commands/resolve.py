"""``resolve``: the operator's word on a statement of which nobody else can tell if it happened."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import click

from ebhook.aws.deployed import identify
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.errors import EbhookError, Exit, UsageFailed, worst
from ebhook.fleet.tenant_database import open_tenant
from ebhook.holder import Holder
from ebhook.journal.in_doubt import Verdict
from ebhook.journal.table import Entry, Journal
from ebhook.next_command import Next, ebhook, then
from ebhook.report.documents import error_document, print_json
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.report.tables import problems_text
from ebhook.settings import Settings
from ebhook.tenant import Tenant


class Word(StrEnum):
    """What a person says of a statement in doubt."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNDO = "undo"


@dataclass(frozen=True)
class Resolved:
    """What became of one tenant. `word` is what was recorded; `shown` is the statement in doubt with
    its objects, for people."""

    tenant: str
    entry: Entry | None = None
    verdict: Verdict | None = None
    shown: str = ""
    word: Word | None = None
    error: EbhookError | None = None

    @property
    def code(self) -> Exit:
        if self.error is not None:
            return self.error.exit_code
        return Exit.OK if self.word is not None else Exit.PERSON


def resolve(options: Options, *, names: Sequence[str], word: Word | None, yes: bool) -> Exit:
    """Shows each statement in doubt with its objects then and now; with a word, or after asking on a
    terminal, settles it. 2: something is still in doubt."""
    settings = load_settings(options)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not options.json and not yes
    results = []
    with reporter(options) as report:
        _, tenants = gather(settings, report, names)
        for tenant in tenants:
            result = _resolve(tenant, settings, word, report, asks=asks)
            results.append(result)
            report.log({"event": "Resolved", **_document(result, options.commands)})
        if len(results) == 1 and results[0].error is not None:
            raise results[0].error
        code = worst([result.code for result in results])
        if options.json:
            documents = [_document(result, options.commands) for result in results]
            print_json(report.hidden({"exit_code": int(code), "tenants": documents}))
        else:
            _tell(results, report, asks=asks)
    return code


def _resolve(
    tenant: Tenant, settings: Settings, word: Word | None, report: Reporter, *, asks: bool
) -> Resolved:
    """One tenant, under its lock: nobody goes on with it while a person thinks."""
    holder = identify("resolve", settings)
    try:
        with open_tenant(tenant, settings) as database:
            lock, journal = database.lock, database.journal
            if word is not Word.UNDO and journal.unfinished() is None:
                raise _decided(tenant)  # before a lock, and its table, is made for it
            with lock.held(holder, wait=0, emit=lambda event: None, done=lambda: False):
                if word is Word.UNDO:
                    return _take_back(tenant, journal, holder)
                found = _look(tenant, journal)
                if asks:
                    report.print(found.shown)
                    word = _ask(word)
                if word is not None:
                    assert found.entry is not None
                    journal.resolve(found.entry, holder, applied=word is Word.APPLIED)
                return replace(found, word=word)
    except EbhookError as error:
        return Resolved(tenant.name, error=error)


def _look(tenant: Tenant, journal: Journal) -> Resolved:
    entry = journal.unfinished()
    if entry is None or entry.pending is None:
        raise _decided(tenant)
    verdict = journal.inspector.verdict(entry.pending)
    if verdict is not Verdict.UNKNOWN and not entry.note:
        raise UsageFailed(
            f"{tenant.name}: nothing is in doubt: statement {entry.position + 1} of "
            f"{entry.revision} {verdict.value}.",
            next=then("Go on with: ", ebhook("upgrade", tenant.name)),
        )
    return Resolved(tenant.name, entry, verdict, _shown(tenant, entry, journal, verdict))


def _decided(tenant: Tenant) -> UsageFailed:
    see = then("See where it stands: ", ebhook("status", tenant.name))
    return UsageFailed(f"{tenant.name}: nothing is in doubt.", next=see)


def _take_back(tenant: Tenant, journal: Journal, holder: Holder) -> Resolved:
    entry = journal.take_back(holder)
    if entry is None or entry.pending is None:
        raise UsageFailed(
            f"{tenant.name}: there is no word to take back, or an upgrade has gone on from it.",
            next=then("See what was done: ", ebhook("history", tenant.name)),
        )
    verdict = journal.inspector.verdict(entry.pending)
    return Resolved(tenant.name, entry, verdict, word=Word.UNDO)


# Asking

_BELIEVED = (
    "applied: ebhook will believe that it is in the database, and never run it again.\n"
    "not applied: ebhook will believe that it is not, and run it with the next upgrade."
)


def _ask(word: Word | None) -> Word | None:
    """A person's word; None: they leave it open. `word` was said on the command line."""
    click.echo(f"\n{_BELIEVED}", err=True)
    try:
        if word is not None:
            sure = click.confirm(f"Does it count as {_text(word)}?", err=True)
            return word if sure else None
        answer = click.prompt(
            "Which is it?",
            type=click.Choice(["applied", "not applied", "leave it"]),
            default="leave it",
            err=True,
        )
    except click.Abort:
        click.echo(err=True)  # what comes next is not part of the question's line
        raise
    return {"applied": Word.APPLIED, "not applied": Word.NOT_APPLIED}.get(answer)


def _text(word: Word) -> str:
    return word.value.replace("_", " ")


# For people


def _tell(results: Sequence[Resolved], report: Reporter, *, asks: bool) -> None:
    for result in results:
        if result.shown and not asks:
            report.print(f"{result.shown}\n")
        if result.word is not None:
            report.print(_line(result, report.commands))
    problems = problems_text(((one.tenant, one.error) for one in results), report.commands)
    if problems:
        report.say(problems)
    left = [one.tenant for one in results if one.word is None and one.error is None]
    if left:
        report.print(report.commands.text(_how(left)))


def _how(left: Sequence[str]) -> Next:
    """What to type for those that are still in doubt. What is pasted shows, and asks."""
    return then(
        "Nothing was changed. To be asked: ",
        ebhook("resolve", *left),
        "\nWithout being asked, add --applied or --not-applied to that; then upgrade.",
    )


def _line(result: Resolved, commands: NextCommands) -> str:
    entry, name = result.entry, result.tenant
    assert entry is not None
    assert result.word is not None
    statement = f"{name}: statement {entry.position + 1} of {entry.revision}"
    if result.word is Word.UNDO:
        again = then("Say it again: ", ebhook("resolve", name))
        return f"{statement} is in doubt again. {commands.text(again)}"
    go_on = then("Go on with: ", ebhook("upgrade", name))
    back = then("To take that back before: ", ebhook("resolve", name, words=["--undo"]))
    return (
        f"{statement} counts as {_text(result.word)} now. {commands.text(go_on)}\n"
        f"  {commands.text(back)}"
    )


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


# For programs


def _document(result: Resolved, commands: NextCommands) -> dict[str, object]:
    entry = result.entry
    return {
        "tenant": result.tenant,
        "revision": entry.revision if entry else None,
        "statement": entry.position + 1 if entry else None,
        "sql": entry.pending.sql if entry and entry.pending else None,
        "verdict": result.verdict.value.replace(" ", "_") if result.verdict else None,
        "note": entry.note if entry else None,
        "resolved": result.word.value if result.word else None,
        "error": error_document(result.error, commands) if result.error else None,
    }
