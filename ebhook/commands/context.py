"""What every verb begins with: the settings, the chain, the tenants."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ebhook import settings as settings_module
from ebhook.aws import beanstalk, deployed
from ebhook.chain.folder import read_chain
from ebhook.chain.graph import Chain
from ebhook.concurrency import Budget, within
from ebhook.database.url import fill
from ebhook.errors import SettingsFailed, Unreachable
from ebhook.fleet.discovery import discover, select
from ebhook.fleet.standing import Standing, State
from ebhook.fleet.survey import SHARE, survey
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json
from ebhook.report.next_commands import NextCommands, plain
from ebhook.report.reporter import Reporter
from ebhook.report.run_log import RunLog
from ebhook.report.screen import broken, coloured, columns, has_colours
from ebhook.report.waiting import sign_of_life
from ebhook.settings import FILE_NAME, SOURCES, Settings, value_of
from ebhook.tenant import Tenant

READING = (
    5.0  # seconds for looking, at least: past the deadline nothing begins, and at head is at head
)


@dataclass(frozen=True)
class Options:
    """What the command line gives to every verb."""

    config: Path | None = None
    json: bool = False
    log: RunLog = field(default_factory=lambda: RunLog(None))
    log_file: Path | None = None
    bundle: str | None = None  # of an instance: staging, current, or a folder
    archive: Path | None = None  # of which `bundle` is the unpacked folder
    commands: NextCommands = field(default_factory=NextCommands)


def load_settings(options: Options, *, keep_unknown: bool = False) -> Settings:
    """The settings in force; from here on this process has the environment's properties, too.

    Args:
        keep_unknown: see `ebhook.settings.load`; then `check_unknown` has to follow.
    """
    told = beanstalk.properties(os.environ)
    bundle = deployed.choose(options.bundle)
    try:
        settings = settings_module.load(
            os.environ,
            directory=bundle.folder,
            config=options.config,
            platform=told.variables,
            timeout=beanstalk.command_timeout,
            keep_unknown=keep_unknown,
        )
    finally:
        if bundle.note:
            click.echo(bundle.note, err=True)
        if told.problem:
            click.echo(f"Elastic Beanstalk: {told.problem} Going on without.", err=True)
    if options.log.is_open:
        options.log.know(deployed.host_of(settings), deployed.label_of(settings.root))
    # The application that env.py loads, and boto3, read them where a service would have them.
    for variables in told.variables:
        for name, value in variables.values.items():
            os.environ.setdefault(name, value)
    return settings


def finish(options: Options, document: Mapping[str, Any], text: str) -> None:
    """A command's result: as a line of the log, and as JSON or text on standard output."""
    options.log.write({"event": "Report", **document})
    if options.json:
        print_json(document)
    elif text:
        shown = plain(broken(text, columns()))
        print(coloured(shown, colours=has_colours(sys.stdout)), flush=True)


def reporter(options: Options) -> Reporter:
    """Progress goes to stderr: live on a terminal, as lines otherwise."""
    live = sys.stderr.isatty() and not options.json
    return Reporter(sys.stderr, live=live, log=options.log, commands=options.commands)


def gather(
    settings: Settings, report: Reporter, names: Iterable[str], budget: Budget | None = None
) -> tuple[Chain, list[Tenant]]:
    """The chain, checked first since it costs no connection; then the tenants asked for."""
    check_tenants_are_set(settings)
    chain = read_chain(settings.folder, env_py=settings.env_py)
    return chain, gather_tenants(settings, report, names, budget)


def gather_tenants(
    settings: Settings, report: Reporter, names: Iterable[str], budget: Budget | None = None
) -> list[Tenant]:
    """The tenants asked for. Locks are seen and cleared with a broken chain, too.

    Args:
        budget: the command's; without one, `rollout.deadline` from now on.
    """
    check_tenants_are_set(settings)
    report.knows(_own_logins(settings))
    left = max(READING, budget.left() if budget is not None else settings.rollout.deadline)
    try:
        tenants = within(left, lambda: discover(settings, time.monotonic() + left))
    except TimeoutError:
        raise Unreachable(
            f"Which tenants there are could not be read in {left:.0f} s.",
            next=then("See what is asked, and of whom: ", ebhook("doctor")),
        ) from None
    report.knows(tenants)
    return select(tenants, names)


def check_tenants_are_set(settings: Settings) -> None:
    """Whoever is in the wrong folder is told that, and not what else is missing there."""
    if settings.tenants.url is None and not any(value_of(settings, key) for key in SOURCES):
        where = settings.file or f"there is no {FILE_NAME} in {settings.root} or above"
        raise SettingsFailed(
            f"No tenants are set: {where}{' has none' if settings.file else ''}, and no variable "
            "EBHOOK_TENANTS_… is there.",
            "No database was contacted.",
            then(
                "Go to the application's folder; or give tenants.url and tenants.names there, or "
                "EBHOOK_TENANTS_URL and EBHOOK_TENANTS_NAMES; then see: ",
                ebhook("config"),
            ),
        )


def _own_logins(settings: Settings) -> list[Tenant]:
    """What the settings themselves have passwords for."""
    tenants = settings.tenants
    urls = {"url": tenants.url, "query": tenants.query_url, "scratch": settings.scratch_url}
    return [Tenant(name, fill(url.reveal(), "x")) for name, url in urls.items() if url is not None]


def look(
    tenants: Sequence[Tenant],
    chain: Chain,
    settings: Settings,
    report: Reporter,
    budget: Budget | None = None,
) -> list[Standing]:
    """The survey, reported; it may take a part of the budget."""
    from ebhook.events import SurveyDone

    began = time.monotonic()
    least = min(READING, settings.connect_timeout)
    until = began + max(least, budget.left() * SHARE) if budget is not None else None
    with sign_of_life(report, tenants):
        standings = survey(tenants, chain, settings, until=until)
    behind = sum(standing.state in (State.BEHIND, State.EMPTY) for standing in standings)
    unread = sum(not standing.is_read for standing in standings)
    report.emit(SurveyDone(len(standings), behind, time.monotonic() - began, unread))
    return standings


def check_unknown(settings: Settings, standings: Sequence[Standing], report: Reporter) -> None:
    """After the survey: variables that are no settings belong to a newer ebhook, if a newer bundle was
    here; they are said, and a rollback goes on. Otherwise they are mistakes.

    Raises:
        SettingsFailed: no database is ahead of this bundle.
    """
    if not settings.unknown:
        return
    if not any(standing.state is State.AHEAD for standing in standings):
        raise SettingsFailed(
            "The settings have problems:\n" + "\n".join(f"  - {line}" for line in settings.unknown),
            "No database was changed.",
            then("Mend them, then see what is in force: ", ebhook("config")),
        )
    for line in settings.unknown:
        report.say(f"{line}; a newer bundle was here, so this one goes on without")
