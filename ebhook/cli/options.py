"""What every verb takes, and the arguments that several take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ebhook.cli.completion import tenants

F = TypeVar("F", bound=Callable[..., Any])

COMMON = ("--bundle", "--config", "--json", "--log-file")


def common_options(function: F) -> F:
    """The options of every verb."""
    for decorate in (
        click.option(
            "--log-file", type=click.Path(path_type=Path), help="Also log JSON lines there."
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option(
            "--bundle",
            metavar="staging|current|FOLDER",
            help="On an instance: which bundle (default: the one whose deployment failed, else the "
            "one that runs).",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The settings file (default: ebhook.toml here or in a folder above).",
        ),
    ):
        function = decorate(function)
    return function


def options(config: Path | None, as_json: bool, log_file: Path | None, bundle: str | None) -> Any:
    """What the commands want of `common_options`."""
    from ebhook.commands.context import Options

    return Options(config=config, json=as_json, log_file=log_file, bundle=bundle)


some_tenants = click.argument("tenant", nargs=-1, shell_complete=tenants)
one_tenant = click.argument("tenant", shell_complete=tenants)
