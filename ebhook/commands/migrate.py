"""``migrate``: what the models have and the chain lacks, as a revision that only adds."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path

import click
from msgspec.structs import replace

from ebhook.authoring.additive import Kept, Question
from ebhook.authoring.generate import Answer, Generated, autogenerate, write_empty
from ebhook.authoring.scratch_chain import connect_to, open_project
from ebhook.authoring.scratch_chain import migrate as bring
from ebhook.authoring.ticket import check_message
from ebhook.chain import checksums
from ebhook.chain.folder import check_chain, read_chain, read_revisions
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, finish, load_settings, reporter
from ebhook.database.connection import connect_patiently, versions
from ebhook.errors import Exit, RevisionUnknown, SettingsFailed, TryAgain, UsageFailed, worst
from ebhook.fleet.discovery import discover, select
from ebhook.lint.checking import Report as Judged
from ebhook.lint.checking import check
from ebhook.lint.formats import FORMATS
from ebhook.next_command import ebhook, then
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.scratch.databases import benches
from ebhook.settings import Settings
from ebhook.tenant import Tenant


def migrate(
    options: Options,
    *,
    message: str,
    against: str | None,
    empty: bool,
    defaults: Sequence[str],
) -> Exit:
    """Writes the revision and chain.sum. 1: lint objects, or nothing of what differs is an addition."""
    settings = load_settings(options)
    text = check_message(message, settings)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    answer = _answers(defaults, may_ask=not options.json)
    with reporter(options) as report:
        if empty:
            made = Generated((write_empty(settings, text),), Kept((), (), ()))
        else:
            made = _compare(settings, chain, text, against, answer, report)
    head, judged = chain.head, None
    if made.files:
        after = check_chain(read_revisions(settings.folder, env_py=settings.env_py))
        checksums.write(settings.folder, after.revisions.values())
        head = after.head
        # That it does nothing yet goes without saying.
        ignore = (*settings.lint.ignore, *["EBH030"] * empty)
        judged = check(
            replace(settings, lint=replace(settings.lint, ignore=ignore)),
            only=after.revisions.keys() - chain.revisions.keys(),
        )
    text = _text(made, head, judged, options.commands, empty=empty)
    finish(options, _document(made, head, judged), text)
    codes = [judged.exit_code] if judged is not None else []
    return worst([*codes, *[Exit.FINDINGS] * bool(made.kept.left_out and not made.files)])


def _compare(
    settings: Settings,
    chain: Chain,
    message: str,
    against: str | None,
    answer: Answer,
    report: Reporter,
) -> Generated:
    if not settings.env_py:
        raise SettingsFailed(
            "env_py is false: without env.py nobody says what the models are.",
            "Nothing was written.",
            then(
                "Set env_py = true (EBHOOK_ENV_PY); or write a revision by hand: ",
                ebhook("migrate", words=["--empty", "-m", "JMS-1234 …"]),
            ),
        )
    # What the application prints is not what we print.
    with redirect_stdout(sys.stderr), _at_head(settings, chain, against, report) as tenant:
        project = open_project(settings, chain, tenant)
        if against is None:
            report.say(
                f"bringing it to {chain.head or 'base'}: {count(len(chain.revisions), 'revision')}"
            )
            with closing(connect_to(tenant, settings)) as connection:
                bring(project, tenant, connection, chain.head)
        return autogenerate(project, tenant, message, answer)


@contextmanager
def _at_head(
    settings: Settings, chain: Chain, against: str | None, report: Reporter
) -> Iterator[Tenant]:
    """What the models are compared with: a scratch database, still empty, or a tenant at head."""
    if against is None:
        flavour = settings.scratch_flavours[0]
        with benches(settings, [flavour], report.say) as (bench,), bench.database() as tenant:
            report.say(
                f"comparing the models with a scratch database ({bench.flavour} {bench.version})"
            )
            yield tenant
        return
    tenants = discover(settings)
    report.knows(tenants)
    (tenant,) = select(tenants, [against])
    connection = connect_patiently(
        tenant.url,
        database=tenant.database,
        timeout=settings.connect_timeout,
        deadline=time.monotonic() + settings.connect_timeout,
    )
    with closing(connection):
        at = versions(connection, tenant.database, settings.version_table)
    if not chain.knows(at):
        raise RevisionUnknown(
            f"{against}: stands at {', '.join(at)}, which this chain does not know.",
            "Nothing was written.",
            "Merge the branch that has it first; or leave --against out.",
        )
    behind = chain.missing(at, chain.head)
    if behind:
        raise TryAgain(
            f"{against}: stands at {', '.join(at) or 'base'}, {count(len(behind), 'revision')} "
            "behind: all of them would show as changes once more.",
            "Nothing was written.",
            then("Leave --against out; or bring it to head first: ", ebhook("upgrade", against)),
        )
    report.say(f"comparing the models with {against}")
    yield tenant


def _answers(defaults: Sequence[str], *, may_ask: bool) -> Answer:
    """Server defaults from ``--server-default table.column=value``, else from the terminal."""
    given = {}
    for text in defaults:
        name, equals, value = text.partition("=")
        if not equals or "." not in name:
            raise UsageFailed(
                f"--server-default {text!r} is not table.column=value.",
                next="For example: --server-default clients.tier=standard (or =null)",
            )
        given[name] = value

    def answer(question: Question, problem: str | None) -> str:
        if question.name in given:
            if problem is None:
                return given[question.name]
            raise UsageFailed(
                f"--server-default {question.name}={given[question.name]}: {problem} "
                f"({question.type}).",
                "Nothing was written.",
                "Give another value, or null to let the column be NULL.",
            )
        if not may_ask or not sys.stdin.isatty():
            raise UsageFailed(
                f"{question.name} ({question.type}) is NOT NULL and has no server default: INSERTs "
                "of instances that still run the old code would fail (1364).",
                "Nothing was written.",
                "Say in the model server_default=… or nullable=True; or here: "
                f"--server-default {question.name}=VALUE (or =null)",
            )
        if problem is not None:
            click.echo(problem, err=True)
        else:
            click.echo(
                f"{question.name} ({question.type}) is NOT NULL and has no server default: INSERTs "
                "of instances that still run the old code would fail.",
                err=True,
            )
        return str(
            click.prompt("Server default (a value, an (expression), or null)", err=True, type=str)
        )

    return answer


def _text(
    made: Generated, head: str | None, judged: Judged | None, commands: NextCommands, *, empty: bool
) -> str:
    kept = made.kept
    parts = [f"{path}" for path in made.files]
    if kept.does:
        parts.append("\n".join(f"  {line}" for line in kept.does))
    if kept.left_out:
        parts.append(
            "Left out, since a revision only adds:\n"
            + "\n".join(f"  {one.what}\n    {one.why}." for one in kept.left_out)
        )
    if kept.corrected:
        parts.append("Corrected:\n" + "\n".join(f"  {line}" for line in kept.corrected))
    parts.extend(_content(path) for path in made.files)
    if judged is not None:
        parts.append(FORMATS["text"](judged, Path.cwd()).strip())
    if made.files:
        todo = then("Look at it, then commit it with chain.sum")
        if empty:
            write, look = ebhook("chain", words=["--write"]), ebhook("lint")
            todo = then("Fill it, then: ", write, "; and: ", look, ". Commit it with chain.sum")
        parts.append(f"{commands.plain(todo)}. The head is now {head}.")
    elif kept.left_out:
        parts.append("The models add nothing to the chain. Nothing was written.")
    else:
        parts.append("The models have nothing that the chain lacks. Nothing was written.")
    return "\n\n".join(parts)


def _content(path: Path) -> str:
    return "\n".join(f"    {line}".rstrip() for line in path.read_text("utf-8").splitlines())


def _document(made: Generated, head: str | None, judged: Judged | None) -> dict[str, object]:
    return {
        "head": head,
        "files": [str(path) for path in made.files],
        "does": list(made.kept.does),
        "left_out": [{"what": one.what, "why": one.why} for one in made.kept.left_out],
        "corrected": list(made.kept.corrected),
        "lint": json.loads(FORMATS["json"](judged, Path.cwd())) if judged is not None else None,
    }
