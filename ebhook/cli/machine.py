"""The verbs about this application and this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ebhook.cli.options import common_options, options, some_tenants
from ebhook.cli.root import cli
from ebhook.errors import Exit


@cli.command(short_help="Show the settings in force and where each came from.")
@common_options
def config(**common: Any) -> Exit:
    """Show the settings in force and where each came from; secrets are hidden."""
    from ebhook.commands.config import config

    return config(options(**common))


@cli.command(short_help="Show the JSON Schema of what a command prints with --json.")
@click.argument("command", nargs=-1, required=True)
@common_options
def schema(command: tuple[str, ...], **common: Any) -> Exit:
    """Show the JSON Schema of what COMMAND prints with --json.

    \b
    Examples:
      ebhook schema status
      ebhook schema lock list
    """
    from ebhook.commands.schema import schema

    return schema(options(**common), command=" ".join(command))


@cli.command(short_help="Find what would go wrong at the next boot.")
@some_tenants
@click.option("--send", "sends", is_flag=True, help="Also send a notice and metrics, for trial.")
@common_options
def doctor(tenant: tuple[str, ...], sends: bool, **common: Any) -> Exit:
    """Find what would go wrong at the next boot: settings, network, TLS, privileges, AWS.

    Nothing is changed. Where the login may drop tables, its privileges are tried on a scratch table,
    in TENANT… or in one tenant of each login. env.py and the application are loaded as a boot loads
    them. With --bundle FILE.zip a bundle is examined, without any database.

    \b
    Examples:
      sudo ebhook doctor
      ebhook doctor --bundle build/app.zip
      ebhook doctor acme --json
    """
    from ebhook.commands.doctor import doctor

    return doctor(options(**common), names=tenant, sends=sends)


@cli.command(short_help="Put the hooks and a commented ebhook.toml into an application.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--cloudwatch", is_flag=True, help="Also ship the log to CloudWatch Logs.")
@click.option("--overwrite", is_flag=True, help="Replace files that differ from ebhook's.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@click.option("--check", is_flag=True, help="For CI: write nothing; exit 1 if anything is amiss.")
@common_options
def init(
    folder: Path, cloudwatch: bool, overwrite: bool, dry_run: bool, check: bool, **common: Any
) -> Exit:
    """Put the hooks, the .ebextensions and a commented ebhook.toml into an application.

    What is there already is left as it is, and what differs is shown.

    \b
    Examples:
      ebhook init
      ebhook init --dry-run
      ebhook init ../shop --cloudwatch
      ebhook init --check
    """
    from ebhook.commands.init import init

    return init(
        options(**common),
        folder=folder,
        cloudwatch=cloudwatch,
        overwrite=overwrite,
        dry_run=dry_run,
        check=check,
    )


@cli.command(short_help="Watch three instances boot at once, on a private server.")
@click.option(
    "--flavour",
    type=click.Choice(["mariadb", "mysql"]),
    default="mariadb",
    show_default=True,
    help="Which server to start; fetched once, without root, when the machine has none.",
)
@common_options
def demo(flavour: str, **common: Any) -> Exit:
    """Watch three instances boot at once over twelve agencies, on a private throw-away server."""
    from ebhook.commands.demo import demo

    return demo(options(**common), flavour=flavour)
