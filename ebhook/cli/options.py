"""What every verb takes, and the arguments that several take."""

from __future__ import annotations

import os
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
    from ebhook.cli.command_line import CommandLine, words_of
    from ebhook.commands.context import Options
    from ebhook.report.run_log import RunLog

    context = click.get_current_context()
    line = context.find_object(CommandLine) or CommandLine()
    typed = _typed(context, config, bundle)
    line.read(typed, RunLog(log_file, words_of(typed)))
    return Options(
        config=config,
        json=as_json,
        log=line.log,
        log_file=log_file,
        bundle=bundle,
        commands=line.commands,
    )


def _typed(context: click.Context, config: Path | None, bundle: str | None) -> Any:
    """The command line that click has read, less the options of every verb."""
    from ebhook.report.next_commands import Invocation

    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if not given or name == "tenant" or set(parameter.opts) & set(COMMON):
            continue
        value = context.params[name]
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(parameter, click.Option):
            option = max(parameter.opts, key=len)
            flag = parameter.is_flag and isinstance(value, bool)
            words += [option] if flag else [w for v in values for w in (option, str(v))]
        else:
            words += [str(v) for v in values]
    tenant = context.params.get("tenant") or ()
    if config is None and os.environ.get("EBHOOK_CONFIG"):
        config = Path(os.environ["EBHOOK_CONFIG"])
    return Invocation(
        verb=context.command_path.partition(" ")[2],
        tenants=(tenant,) if isinstance(tenant, str) else tuple(tenant),
        words=tuple(words),
        config=config,
        bundle=bundle,
    )


some_tenants = click.argument("tenant", nargs=-1, shell_complete=tenants)
one_tenant = click.argument("tenant", shell_complete=tenants)
