"""``downgrade``: one tenant, some revisions back, after asking."""

from __future__ import annotations

import re
import sys
import time

import click

from ebhook.aws.deployed import identify
from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather, load_settings, look, reporter
from ebhook.errors import Exit, RevisionUnknown, UsageFailed
from ebhook.fleet.standing import Standing, State
from ebhook.next_command import Command, ebhook, then
from ebhook.report.documents import print_json, rollout_document
from ebhook.report.tables import rollout_text
from ebhook.results import exit_code
from ebhook.rollout.plan import Plan
from ebhook.rollout.scheduler import roll_out


def downgrade(options: Options, *, tenant: str, revision: str, yes: bool) -> Exit:
    """Takes one tenant back to `revision`: an id, ``base``, or ``-N``."""
    began = time.monotonic()
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, [tenant])
        (standing,) = standings = look(tenants, chain, settings, report)
        target: str | None
        if standing.error is not None:
            raise standing.error
        if standing.state is State.AHEAD:
            raise RevisionUnknown(
                f"{tenant}: stands at {standing.revision}, which only a newer bundle knows how to undo.",
                next=then("Go back with that bundle: ", _typed(tenant, revision)),
            )
        if revision == "base":
            target = None
        elif re.fullmatch(r"-\d+", revision):
            target = _back(chain, standing, int(revision[1:]))
        else:
            target = chain.find(revision).id
        here = chain.lineage(standing.revisions)
        if target is not None and target not in here:
            raise UsageFailed(
                f"{tenant} stands at {standing.revision or 'base'}, which is before {target}.",
                next=then("To go up: ", ebhook("upgrade", tenant, words=["--to", target])),
            )
        chain.check_downgrade(standing.revisions, target, tenant)
        undone = chain.undone(standing.revisions, target)
        if undone and not yes:
            _ask(tenant, revision, [f"{one.id}  {one.message}" for one in undone])
        plan = Plan(target, began + settings.rollout.deadline, downgrade=True)
        holder = identify("downgrade", settings)
        results = roll_out(standings, chain, settings, holder, plan, report.emit)
        code = exit_code(results)
        document = rollout_document(chain.head, code, results, options.commands)
        report.log({"event": "Report", **document})
    if options.json:
        print_json(report.hidden(document))
    else:
        seconds = time.monotonic() - began
        text = rollout_text(chain.head, results, seconds, options.commands, target=target or "base")
        report.print(text)
    return code


def _back(chain: Chain, standing: Standing, steps: int) -> str | None:
    try:
        return chain.back(standing.revisions, steps)
    except UsageFailed as error:
        error.next = then("To undo everything: ", _typed(standing.tenant.name, "base"))
        raise


def _typed(tenant: str, *words: str) -> Command:
    return ebhook("downgrade", tenant, words=words)


def _ask(tenant: str, revision: str, undone: list[str]) -> None:
    listed = "\n".join(f"  {line}" for line in undone)
    if not sys.stdin.isatty():
        raise UsageFailed(
            f"{tenant}: going back would undo, with the data in what is dropped:\n{listed}",
            "Nothing was changed.",
            then("Nobody is there to ask. To say yes: ", _typed(tenant, revision, "--yes")),
        )
    click.echo(f"{tenant}: this undoes, with the data in what is dropped:\n{listed}", err=True)
    try:
        agreed = click.confirm("Go back?", err=True)
    except click.Abort:
        click.echo(err=True)  # what comes next is not part of the question's line
        raise
    if not agreed:
        raise UsageFailed(
            "Not confirmed.", next=then("See where it stands: ", ebhook("status", tenant))
        )
