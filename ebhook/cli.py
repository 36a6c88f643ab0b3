"""The command line: words to calls, errors to exit codes. The only exit of the program."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import click

from ebhook.errors import EbhookError, Exit, StateUnknown, Stopped, UsageFailed

F = TypeVar("F", bound=Callable[..., Any])


def main() -> None:
    """Runs one command, reports what went wrong in three parts, and exits."""
    wants_json = "--json" in sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGHUP):  # the platform's, and a terminal's end
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        code = cli.main(prog_name="ebhook", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = Exit.USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        help_at = f"See: {context.command_path if context else 'ebhook'} --help"
        code = _report(UsageFailed(error.format_message(), next=help_at), wants_json)
    except (click.Abort, KeyboardInterrupt):
        code = _report(
            Stopped("Interrupted.", "No upgrade was under way.", "See: ebhook status"), wants_json
        )
        _leave(code)
    except EbhookError as error:
        code = _report(error, wants_json)
    except BrokenPipeError:
        sys.stderr.close()
        code = Exit.OK
    except Exception as error:  # a defect of ours: said once, here
        traceback.print_exc()
        what = f"ebhook itself failed: {type(error).__name__}."
        code = _report(StateUnknown(what, "See above.", "See: ebhook status"), wants_json)
    sys.exit(int(code or 0))


def _leave(code: Exit) -> NoReturn:
    """Ends without waiting for threads that wait for a server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def _report(error: EbhookError, wants_json: bool) -> Exit:
    for part in (error.what, error.state, error.next):
        if part:
            click.echo(part, err=True)
    if wants_json:
        from ebhook.report import error_document, print_json

        print_json(
            {
                "head": None,
                "exit_code": int(error.exit_code),
                "tenants": [],
                "error": error_document(error),
            }
        )
    return error.exit_code


def _common(function: F) -> F:
    """The options of every verb."""
    for decorate in (
        click.option(
            "--log-file", type=click.Path(path_type=Path), help="Also log JSON lines there."
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The settings file (default: ebhook.toml here or in a folder above).",
        ),
    ):
        function = decorate(function)
    return function


def _options(config: Path | None, as_json: bool, log_file: Path | None) -> Any:
    from ebhook.commands.gather import Options

    return Options(config=config, json=as_json, log_file=log_file)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all at head, 1 findings, 2 a person is needed, 64 usage, 65 the chain is "
    "broken, 75 try again later, 78 settings.",
)
@click.version_option(package_name="ebhook")
def cli() -> None:
    """Brings a fleet of MySQL databases to the head of an Alembic chain, once, whoever boots."""


@cli.command()
@_common
def boot(**common: Any) -> Exit:
    """Bring every tenant to head: what the predeploy hook runs.

    \b
    Examples:
      ebhook boot
      ebhook boot --json --log-file /var/log/ebhook.log
    """
    from ebhook.commands.boot import boot

    return boot(_options(**common))


@cli.command()
@click.argument("tenant", nargs=-1)
@click.option("--to", metavar="REV", help="Stop at this revision instead of at head.")
@click.option("--dry-run", is_flag=True, help="Print the SQL that would run; change nothing.")
@_common
def upgrade(tenant: tuple[str, ...], to: str | None, dry_run: bool, **common: Any) -> Exit:
    """Bring tenants (all, when none is named) to head, by hand.

    \b
    Examples:
      ebhook upgrade
      ebhook upgrade acme --dry-run
      ebhook upgrade acme zenith --to 7f3a
    """
    from ebhook.commands.upgrade import upgrade

    return upgrade(_options(**common), names=tenant, to=to, dry_run=dry_run)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("tenant")
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_common
def downgrade(tenant: str, revision: str, yes: bool, **common: Any) -> Exit:
    """Take one tenant back to REVISION: an id, -N, or base. Asks first.

    \b
    Examples:
      ebhook downgrade acme -1
      ebhook downgrade acme 7f3a --yes
    """
    from ebhook.commands.downgrade import downgrade

    return downgrade(_options(**common), tenant=tenant, revision=revision, yes=yes)


@cli.command()
@click.argument("tenant", nargs=-1)
@_common
def status(tenant: tuple[str, ...], **common: Any) -> Exit:
    """Show where every tenant stands: revision, how far behind, who holds its lock.

    \b
    Examples:
      ebhook status
      ebhook status acme --json
    """
    from ebhook.commands.status import status

    return status(_options(**common), names=tenant)


cli.add_command(status, "current")


@cli.group()
def lock() -> None:
    """See who holds a tenant, and clear what nobody holds any more."""


@lock.command("list")
@click.argument("tenant", nargs=-1)
@_common
def lock_list(tenant: tuple[str, ...], **common: Any) -> Exit:
    """List every lock: holder, since when, whether its session still lives, and its id."""
    from ebhook.commands.lock import lock_list

    return lock_list(_options(**common), names=tenant)


@lock.command("clear")
@click.argument("tenant", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every stale lock of every tenant.")
@click.option("--kill", is_flag=True, help="Also end the session of a holder that is alive.")
@click.option("--frozen", is_flag=True, help="With --all: also rows that were made by hand.")
@_common
def lock_clear(
    tenant: tuple[str, ...], everything: bool, kill: bool, frozen: bool, **common: Any
) -> Exit:
    """Clear the lock of TENANT… (or --all). A living holder's lock is refused without --kill.

    \b
    Examples:
      ebhook lock clear acme
      ebhook lock clear --all
      ebhook lock clear acme --kill
    """
    from ebhook.commands.lock import lock_clear

    return lock_clear(_options(**common), names=tenant, all=everything, kill=kill, frozen=frozen)


@cli.command()
@_common
def heads(**common: Any) -> Exit:
    """Show the chain's head, or its heads when it is broken."""
    from ebhook.commands.chain import heads

    return heads(_options(**common))


@cli.command()
@click.option("-m", "--message", required=True, help='Ticket first: "JMS-1234 add my_new_table".')
@click.option(
    "--server-default",
    "defaults",
    multiple=True,
    metavar="TABLE.COLUMN=VALUE",
    help="For a new NOT NULL column: a value, an (expression), or null to let it be NULL.",
)
@click.option("--against", metavar="TENANT", help="Compare with this tenant, which is at head.")
@click.option("--empty", is_flag=True, help="Compare nothing: a revision to fill by hand.")
@_common
def migrate(
    message: str, defaults: tuple[str, ...], against: str | None, empty: bool, **common: Any
) -> Exit:
    """Write a revision with what the models have and the chain lacks. It only adds.

    The models are compared with a scratch database that has the whole chain, on a private server or
    on scratch_url. What does not add (drops, renames, other types) is left out, and named.

    \b
    Examples:
      ebhook migrate -m "JMS-1234 add my_new_table"
      ebhook migrate -m "JMS-1234 add tier" --server-default clients.tier=standard
      ebhook migrate -m "JMS-1234 use utf8mb4 in notes" --empty
    """
    from ebhook.commands.migrate import migrate

    return migrate(
        _options(**common), message=message, against=against, empty=empty, defaults=defaults
    )


@cli.command()
@click.option("-m", "--message", required=True, help='Ticket first: "JMS-1234 merge heads".')
@_common
def merge(message: str, **common: Any) -> Exit:
    """Write the revision that joins the chain's heads.

    \b
    Examples:
      ebhook merge -m "JMS-1234 merge heads"
    """
    from ebhook.commands.merge import merge

    return merge(_options(**common), message=message)


@cli.command()
@click.argument("revision", metavar="REV")
@click.option("--onto", metavar="REV", help="The new parent (default: the other head).")
@_common
def relink(revision: str, onto: str | None, **common: Any) -> Exit:
    """Put REV, the first revision of a branch, on top of the other branch.

    Only its down_revision and its "Revises" line change. Refused when REV is applied in a tenant.

    \b
    Examples:
      ebhook relink 7f3a
      ebhook relink 7f3a --onto 5c21
    """
    from ebhook.commands.relink import relink

    return relink(_options(**common), revision=revision, onto=onto)


@cli.command()
@click.option(
    "--graph",
    type=click.Choice(["mermaid", "dot"]),
    is_flag=False,
    flag_value="mermaid",
    help="Draw it instead: mermaid (when not said) or dot.",
)
@click.option("--write", is_flag=True, help="Write chain.sum anew from the version files.")
@_common
def chain(graph: Literal["mermaid", "dot"] | None, write: bool, **common: Any) -> Exit:
    """Show what each revision creates and adds, and what is wrong with the chain.

    \b
    Examples:
      ebhook chain
      ebhook chain --graph dot
      ebhook chain --write
    """
    from ebhook.commands.chain import chain

    return chain(_options(**common), graph=graph, write=write)


@cli.command()
@click.option("--from", "start", metavar="REV", help="Prove only what comes after this revision.")
@click.option(
    "--flavour",
    "flavours",
    type=click.Choice(["mysql", "mariadb"]),
    multiple=True,
    help="On which private servers (default: scratch_flavours).",
)
@_common
def verify(start: str | None, flavours: tuple[str, ...], **common: Any) -> Exit:
    """Prove the chain on scratch databases: each revision up, down, up again, and compared.

    Also: INSERTs of the code before each revision still work after it, the whole chain in one go
    leads to the same schema, and the models match it. Exits 1 when there is a difference.

    \b
    Examples:
      ebhook verify
      ebhook verify --from 7f3a
      ebhook verify --flavour mysql --flavour mariadb --json
    """
    from ebhook.commands.verify import verify

    return verify(_options(**common), start=start, flavours=flavours)


@cli.command()
@click.argument("revision", nargs=-1)
@click.option("--since", metavar="REF", help="Judge only what this git ref does not have.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, programs, GitHub Actions, code scanning.",
)
@click.option("--applied", is_flag=True, help="Also ask the tenants' journals what was applied.")
@click.option("--rules", "list_them", is_flag=True, help="List the rules and exit.")
@_common
def lint(
    revision: tuple[str, ...],
    since: str | None,
    format: str,
    applied: bool,
    list_them: bool,
    **common: Any,
) -> Exit:
    """Hold the chain (or only REVISION…) against the rules, without any database.

    What each rule is about, and how to allow what is fine after all: docs/rules.md.

    \b
    Examples:
      ebhook lint
      ebhook lint --since origin/main --format github
      ebhook lint 7f3a
    """
    from ebhook.commands.lint import lint, list_rules

    if list_them:
        return list_rules()
    return lint(_options(**common), revisions=revision, since=since, format=format, applied=applied)


@cli.command()
@click.argument("tenant", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="What was applied to every tenant.")
@_common
def history(tenant: tuple[str, ...], everything: bool, **common: Any) -> Exit:
    """List the chain's revisions; with TENANT… or --all, what was applied there, when, by whom.

    \b
    Examples:
      ebhook history
      ebhook history acme
    """
    if tenant or everything:
        from ebhook.commands.history import history as applied

        return applied(_options(**common), names=tenant)
    from ebhook.commands.chain import history

    return history(_options(**common))


@cli.command()
@click.argument("tenant")
@click.option(
    "--applied/--not-applied",
    default=None,
    help="Your word: the statement is in the database, or it is not.",
)
@_common
def resolve(tenant: str, applied: bool | None, **common: Any) -> Exit:
    """Settle a statement of which ebhook cannot tell whether it happened before a crash.

    Without --applied or --not-applied it shows the statement, and its table then and now.

    \b
    Examples:
      ebhook resolve acme
      ebhook resolve acme --applied
    """
    from ebhook.commands.resolve import resolve

    return resolve(_options(**common), tenant=tenant, applied=applied)


@cli.command()
@_common
def config(**common: Any) -> Exit:
    """Show the settings in force and where each came from; secrets are hidden."""
    from ebhook.commands.config import config

    return config(_options(**common))


@cli.command()
@click.argument("tenant", nargs=-1)
@click.option("--send", "sends", is_flag=True, help="Also send a notice and metrics, for trial.")
@_common
def doctor(tenant: tuple[str, ...], sends: bool, **common: Any) -> Exit:
    """Find what would go wrong at the next boot: settings, network, TLS, privileges, AWS.

    Nothing is changed. Where the login may drop tables, its privileges are tried on a scratch table,
    in TENANT… or in one tenant of each login.

    \b
    Examples:
      sudo ebhook doctor
      ebhook doctor acme --json
    """
    from ebhook.commands.doctor import doctor

    return doctor(_options(**common), names=tenant, sends=sends)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--cloudwatch", is_flag=True, help="Also ship the log to CloudWatch Logs.")
@click.option("--overwrite", is_flag=True, help="Replace files that differ from ebhook's.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@_common
def init(folder: Path, cloudwatch: bool, overwrite: bool, dry_run: bool, **common: Any) -> Exit:
    """Put the hooks, the .ebextensions and a commented ebhook.toml into an application.

    What is there already is left as it is, and what differs is shown.

    \b
    Examples:
      ebhook init
      ebhook init --dry-run
      ebhook init ../shop --cloudwatch
    """
    from ebhook.commands.init import init

    return init(
        _options(**common),
        folder=folder,
        cloudwatch=cloudwatch,
        overwrite=overwrite,
        dry_run=dry_run,
    )


@cli.command()
@click.option(
    "--flavour",
    type=click.Choice(["mariadb", "mysql"]),
    default="mariadb",
    show_default=True,
    help="Which server to start; fetched once, without root, when the machine has none.",
)
@_common
def demo(flavour: str, **common: Any) -> Exit:
    """Watch three instances boot at once over twelve agencies, on a private throw-away server."""
    from ebhook.commands.demo import demo

    return demo(_options(**common), flavour=flavour)
