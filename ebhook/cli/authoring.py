"""The verbs for whoever writes revisions."""

from __future__ import annotations

from typing import Any, Literal

import click

from ebhook.cli.completion import revisions, tenants
from ebhook.cli.options import common_options, options
from ebhook.cli.root import cli
from ebhook.errors import Exit


@cli.command()
@common_options
def heads(**common: Any) -> Exit:
    """Show the chain's head, or its heads when it is broken."""
    from ebhook.commands.chain import heads

    return heads(options(**common))


@cli.command()
@click.option("-m", "--message", required=True, help='Ticket first: "JMS-1234 add my_new_table".')
@click.option(
    "--server-default",
    "defaults",
    multiple=True,
    metavar="TABLE.COLUMN=VALUE",
    help="For a new NOT NULL column: a value, an (expression), or null to let it be NULL.",
)
@click.option(
    "--against",
    metavar="TENANT",
    shell_complete=tenants,
    help="Compare with this tenant, which is at head.",
)
@click.option("--empty", is_flag=True, help="Compare nothing: a revision to fill by hand.")
@common_options
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
        options(**common), message=message, against=against, empty=empty, defaults=defaults
    )


@cli.command()
@click.option("-m", "--message", required=True, help='Ticket first: "JMS-1234 merge heads".')
@common_options
def merge(message: str, **common: Any) -> Exit:
    """Write the revision that joins the chain's heads.

    \b
    Examples:
      ebhook merge -m "JMS-1234 merge heads"
    """
    from ebhook.commands.merge import merge

    return merge(options(**common), message=message)


@cli.command(short_help="Put the first revision of a branch on top of the other.")
@click.argument("revision", metavar="REV", shell_complete=revisions)
@click.option(
    "--onto",
    metavar="REV",
    shell_complete=revisions,
    help="The new parent (default: the other head).",
)
@common_options
def relink(revision: str, onto: str | None, **common: Any) -> Exit:
    """Put REV, the first revision of a branch, on top of the other branch.

    Only its down_revision and its "Revises" line change. Refused when REV is applied in a tenant.

    \b
    Examples:
      ebhook relink 7f3a
      ebhook relink 7f3a --onto 5c21
    """
    from ebhook.commands.relink import relink

    return relink(options(**common), revision=revision, onto=onto)


@cli.command(short_help="Show what each revision does, and what is wrong.")
@click.option(
    "--graph",
    type=click.Choice(["mermaid", "dot"]),
    is_flag=False,
    flag_value="mermaid",
    help="Draw it instead: mermaid (when not said) or dot.",
)
@click.option("--write", is_flag=True, help="Write chain.sum anew from the version files.")
@common_options
def chain(graph: Literal["mermaid", "dot"] | None, write: bool, **common: Any) -> Exit:
    """Show what each revision creates and adds, and what is wrong with the chain.

    \b
    Examples:
      ebhook chain
      ebhook chain --graph dot
      ebhook chain --write
    """
    from ebhook.commands.chain import chain

    return chain(options(**common), graph=graph, write=write)


@cli.command(short_help="Hold the chain against the rules, without any database.")
@click.argument("revision", nargs=-1, shell_complete=revisions)
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
@click.option(
    "--no-run",
    "text_only",
    is_flag=True,
    help="Run nothing of a version file's author: for pull requests from strangers.",
)
@click.option("--rules", "list_them", is_flag=True, help="List the rules and exit.")
@common_options
def lint(
    revision: tuple[str, ...],
    since: str | None,
    format: str,
    applied: bool,
    text_only: bool,
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

    given = options(**common)
    if list_them:
        return list_rules(given)
    return lint(
        given,
        revisions=revision,
        since=since,
        format=format,
        applied=applied,
        run=not text_only,
    )


@cli.command(short_help="Lint and verify what a branch adds, in one report.")
@click.option(
    "--since",
    metavar="REF",
    default="origin/main",
    show_default=True,
    help="What this git ref does not have.",
)
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, programs, GitHub Actions, code scanning.",
)
@common_options
def check(since: str, format: str, **common: Any) -> Exit:
    """Hold what a branch adds against the rules, and prove it on a scratch server, in one report.

    What lint says and what verify says of the same revisions: for CI, and before a push.

    \b
    Examples:
      ebhook check
      ebhook check --since origin/release --format github
    """
    from ebhook.commands.check import check_branch

    return check_branch(options(**common), since=since, format=format)


@cli.command(short_help="Prove the chain on scratch databases: up, down, up again.")
@click.option(
    "--from",
    "start",
    metavar="REV",
    shell_complete=revisions,
    help="Prove only what comes after this revision.",
)
@click.option(
    "--flavour",
    "flavours",
    type=click.Choice(["mysql", "mariadb"]),
    multiple=True,
    help="On which private servers (default: scratch_flavours).",
)
@common_options
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

    return verify(options(**common), start=start, flavours=flavours)
