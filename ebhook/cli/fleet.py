"""The verbs that look at databases or change them."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import click

from ebhook.cli.completion import revisions, tenants
from ebhook.cli.options import common_options, one_tenant, options, some_tenants
from ebhook.cli.root import cli
from ebhook.errors import Exit


@cli.command()
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page of what happened there, at the end.",
)
@common_options
def boot(report: Path | None, **common: Any) -> Exit:
    """Bring every tenant to head: what the predeploy hook runs.

    \b
    Examples:
      ebhook boot
      ebhook boot --json --log-file /var/log/ebhook.log
    """
    from ebhook.commands.boot import boot

    return boot(options(**common), page=report)


@cli.command()
@some_tenants
@click.option(
    "--to", metavar="REV", shell_complete=revisions, help="Stop at this revision, not at head."
)
@click.option("--dry-run", is_flag=True, help="Print the SQL that would run; change nothing.")
@click.option(
    "--plan",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Do what this file of ebhook plan --out says; refuse a tenant that differs from it.",
)
@common_options
def upgrade(
    tenant: tuple[str, ...], to: str | None, dry_run: bool, plan: Path | None, **common: Any
) -> Exit:
    """Bring tenants (all, when none is named) to head, by hand.

    \b
    Examples:
      ebhook upgrade
      ebhook upgrade acme --dry-run
      ebhook upgrade acme zenith --to 7f3a
      ebhook upgrade --plan plan.json
    """
    from ebhook.commands.upgrade import upgrade

    return upgrade(options(**common), names=tenant, to=to, dry_run=dry_run, plan=plan)


@cli.command(context_settings={"ignore_unknown_options": True})
@one_tenant
@click.argument("revision", shell_complete=revisions)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def downgrade(tenant: str, revision: str, yes: bool, **common: Any) -> Exit:
    """Take one tenant back to REVISION: an id, -N, or base. Asks first.

    \b
    Examples:
      ebhook downgrade acme -1
      ebhook downgrade acme 7f3a --yes
    """
    from ebhook.commands.downgrade import downgrade

    return downgrade(options(**common), tenant=tenant, revision=revision, yes=yes)


@cli.command(short_help="Show where every tenant stands, and who holds its lock.")
@some_tenants
@click.option("--behind", is_flag=True, help="Only those that are behind.")
@click.option("--failed", is_flag=True, help="Only those that are half done, or cannot be read.")
@click.option("--locked", is_flag=True, help="Only those that somebody has the lock of.")
@click.option("--watch", is_flag=True, help="Look again and again, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: how long to wait between two looks.",
)
@common_options
def status(
    tenant: tuple[str, ...],
    behind: bool,
    failed: bool,
    locked: bool,
    watch: bool,
    every: float,
    **common: Any,
) -> Exit:
    """Show where every tenant stands: revision, how far behind, who holds its lock.

    The exit code is that of the tenants that are shown.

    \b
    Examples:
      ebhook status
      ebhook status acme --json
      ebhook status --failed
      ebhook status --watch
    """
    from ebhook.commands.status import status, watch_status

    if watch:
        return watch_status(options(**common), names=tenant, every=every)
    kinds = {"behind": behind, "failed": failed, "locked": locked}
    only = [kind for kind, is_wanted in kinds.items() if is_wanted]
    return status(options(**common), names=tenant, only=only)


@cli.command(short_help="Show what an upgrade would do where, and what is in its way.")
@some_tenants
@click.option(
    "--to", metavar="REV", shell_complete=revisions, help="Plan up to this revision, not to head."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the plan there, for upgrade --plan.",
)
@click.option("--markdown", is_flag=True, help="For a pull request.")
@common_options
def plan(
    tenant: tuple[str, ...], to: str | None, out: Path | None, markdown: bool, **common: Any
) -> Exit:
    """Show what an upgrade would do where: tenants with the same work together, its statements,
    how the server would run them, and what is in the way now. Nothing is changed.

    How a server runs a statement is asked of a scratch server of the same version, on empty copies
    of the tables; where there is none, it is not known.

    \b
    Examples:
      ebhook plan
      ebhook plan acme --to 7f3a
      ebhook plan --out plan.json
      ebhook plan --markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from ebhook.commands.plan import plan

    return plan(options(**common), names=tenant, to=to, out=out, markdown=markdown)


@cli.command(short_help="Show which tenants' schemas differ from the others', or from the chain.")
@some_tenants
@click.option(
    "--against",
    type=click.Choice(["fleet", "chain", "models"]),
    default="fleet",
    show_default=True,
    help="The tenants at the same revision; what the chain makes; what env.py's models say.",
)
@common_options
def drift(tenant: tuple[str, ...], against: str, **common: Any) -> Exit:
    """Show which tenants' schemas differ from the tenants at the same revision.

    Only reads, and needs no more than `status` does. The chain and the models are compared on a
    scratch server, as verify does. Exits 1 when one differs.

    \b
    Examples:
      ebhook drift
      ebhook drift acme --json
      ebhook drift --against chain
    """
    from ebhook.commands.drift import drift

    return drift(options(**common), names=tenant, against=against)


@cli.command(short_help="Run what is pending on scratch copies of the tenants' schemas.")
@some_tenants
@click.option(
    "--to",
    metavar="REV",
    shell_complete=revisions,
    help="Rehearse up to this revision, not to head.",
)
@click.option(
    "--with-data",
    is_flag=True,
    help="Also look, in the tenants, for rows that would make a statement fail.",
)
@common_options
def rehearse(tenant: tuple[str, ...], to: str | None, with_data: bool, **common: Any) -> Exit:
    """Run what is pending on scratch copies, without rows, of each different schema that is behind.

    The tenants are only read: SELECT is enough. Exits 1 when a tenant would fail. What depends on
    rows is named; with --with-data it is looked up.

    \b
    Examples:
      ebhook rehearse
      ebhook rehearse acme --to 7f3a
      ebhook rehearse --with-data --json
    """
    from ebhook.commands.rehearse import rehearse

    return rehearse(options(**common), names=tenant, to=to, with_data=with_data)


@cli.command(short_help="Adopt databases that were not made by migrations.")
@click.argument("tenant", nargs=-1, required=True, shell_complete=tenants)
@click.argument("revision", shell_complete=revisions)
@click.option("--unchecked", is_flag=True, help="Write the version, whatever the schema is.")
@click.option("--dry-run", is_flag=True, help="Compare; write nothing.")
@common_options
def stamp(
    tenant: tuple[str, ...], revision: str, unchecked: bool, dry_run: bool, **common: Any
) -> Exit:
    """Put TENANT… at REVISION without running anything: for databases made by create_all or by hand.

    Each is compared first with what the chain makes at REVISION, on a scratch server; one that
    differs is refused, with the difference. The version and the journal are written.

    \b
    Examples:
      ebhook stamp acme 7f3a --dry-run
      ebhook stamp acme 7f3a
      ebhook stamp acme zenith head
      ebhook stamp acme 7f3a --unchecked
    """
    from ebhook.commands.stamp import stamp

    return stamp(
        options(**common), names=tenant, revision=revision, unchecked=unchecked, dry_run=dry_run
    )


@cli.command(short_help="Make a page of what happened, from JSON logs or from the journals.")
@click.argument("log", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--run",
    metavar="ID",
    help="Only this run, host or bundle of the logs. Without logs: of the journals, a holder or bundle.",
)
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the page there."
)
@click.option("--markdown", is_flag=True, help="For a ticket or a pull request.")
@common_options
def report(
    log: tuple[Path, ...], run: str | None, html: Path | None, markdown: bool, **common: Any
) -> Exit:
    """Show what happened in one or several runs, from their JSON logs (LOG…) or from the journals.

    The page is one file that asks no network: every tenant and revision, who did what when, what
    took longest, and each failure with its next command.

    \b
    Examples:
      ebhook report /var/log/ebhook.log --html report.html
      ebhook report i-0abc.log i-0def.log --markdown
      ebhook report --run v512 --html report.html
    """
    from ebhook.commands.report import report

    return report(options(**common), logs=log, run=run, html=html, as_markdown=markdown)


current = copy(status)
current.short_help = "The same as status."
cli.add_command(current, "current")


@cli.group()
def lock() -> None:
    """See who holds a tenant, clear what nobody holds any more, keep everybody away."""


@lock.command("list", short_help="List every lock: its holder, since when, and its id.")
@some_tenants
@common_options
def lock_list(tenant: tuple[str, ...], **common: Any) -> Exit:
    """List every lock: holder, since when, whether its session still lives, and its id."""
    from ebhook.commands.lock import lock_list

    return lock_list(options(**common), names=tenant)


@lock.command("clear")
@some_tenants
@click.option("--all", "everything", is_flag=True, help="Every stale lock of every tenant.")
@click.option("--kill", is_flag=True, help="Also end the session of a holder that is alive.")
@click.option("--frozen", is_flag=True, help="With --all: also freezes, and rows made by hand.")
@click.option("--id", metavar="ID", help="Only the lock with this id, as `lock list` shows it.")
@common_options
def lock_clear(
    tenant: tuple[str, ...],
    everything: bool,
    kill: bool,
    frozen: bool,
    id: str | None,
    **common: Any,
) -> Exit:
    """Clear the lock of TENANT… (or --all), or end its freeze. A living holder's lock is refused
    without --kill, which also stops its process where that is on this machine.

    \b
    Examples:
      ebhook lock clear acme
      ebhook lock clear --all
      ebhook lock clear acme --kill
      ebhook lock clear acme --id 0f3a…
    """
    from ebhook.commands.lock import lock_clear

    return lock_clear(
        options(**common), names=tenant, all=everything, kill=kill, frozen=frozen, id=id
    )


# The manual's word for it.
lock_clear_synonym = copy(lock_clear)
lock_clear_synonym.short_help = "The same as lock clear."
cli.add_command(lock_clear_synonym, "lock-clear")


@lock.command("freeze", short_help="Keep every instance away from TENANT…, until lock clear.")
@some_tenants
@click.option("-m", "--message", required=True, metavar="WHY", help="Why: shown to all who come.")
@common_options
def lock_freeze(tenant: tuple[str, ...], message: str, **common: Any) -> Exit:
    """Keep every instance away from TENANT… until `ebhook lock clear`.

    Waits for whoever is at work there (`lock.wait`). Nobody waits for a frozen tenant.

    \b
    Examples:
      ebhook lock freeze acme -m "restoring a dump"
      ebhook lock clear acme
    """
    from ebhook.commands.lock_freeze import lock_freeze

    return lock_freeze(options(**common), names=tenant, message=message)


@cli.command(short_help="List the revisions, or what was applied where, when, by whom.")
@some_tenants
@click.option("--all", "everything", is_flag=True, help="What was applied to every tenant.")
@common_options
def history(tenant: tuple[str, ...], everything: bool, **common: Any) -> Exit:
    """List the chain's revisions; with TENANT… or --all, what was applied there, when, by whom.

    \b
    Examples:
      ebhook history
      ebhook history acme
    """
    if tenant or everything:
        from ebhook.commands.history import history as applied

        return applied(options(**common), names=tenant)
    from ebhook.commands.chain import history

    return history(options(**common))


@cli.command(short_help="Say whether a statement in doubt happened.")
@click.argument("tenant", nargs=-1, required=True, shell_complete=tenants)
# Flags that say nothing when they are not there: of a flag with two names, some releases of click
# make a "no".
@click.option("--applied", is_flag=True, help="Your word: the statement is in the database.")
@click.option("--not-applied", is_flag=True, help="Your word: it is not in the database.")
@click.option("--undo", is_flag=True, help="Take your word back, until the next upgrade.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
def resolve(
    tenant: tuple[str, ...],
    applied: bool,
    not_applied: bool,
    undo: bool,
    yes: bool,
    **common: Any,
) -> Exit:
    """Settle a statement of which ebhook cannot tell whether it happened before a crash.

    It shows the statement, and its table then and now. On a terminal it asks; elsewhere your word is
    --applied or --not-applied.

    \b
    Examples:
      ebhook resolve acme
      ebhook resolve acme zenith --applied
      ebhook resolve acme --undo
    """
    from ebhook.commands.resolve import Word, resolve

    said = {Word.APPLIED: applied, Word.NOT_APPLIED: not_applied, Word.UNDO: undo}
    words = [word for word, is_said in said.items() if is_said]
    if len(words) > 1:
        raise click.UsageError("it is one of --applied, --not-applied and --undo")
    word = words[0] if words else None
    return resolve(options(**common), names=tenant, word=word, yes=yes)
