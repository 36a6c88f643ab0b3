"""``ebhook`` itself: its help lists the verbs by what they are for."""

from __future__ import annotations

import click

SECTIONS = {
    "The fleet": (
        "boot", "upgrade", "downgrade", "status", "current", "lock", "lock-clear",
        "history", "resolve", "plan", "drift", "rehearse", "stamp", "report",
    ),
    "Writing revisions": ("heads", "chain", "migrate", "merge", "relink", "lint", "verify", "check"),
    "This application, this machine": ("config", "schema", "doctor", "init", "demo"),
}  # fmt: skip


class Verbs(click.Group):
    """A group whose help has a paragraph for each section."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        longest = max(map(len, self.commands))
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (name.ljust(longest), self.commands[name].get_short_help_str(limit=100))
                        for name in names
                    ]
                )


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all at head, 1 findings, 2 a person is needed, 64 usage, 65 the chain is "
    "broken, 75 try again later, 78 settings.",
)
@click.version_option(package_name="ebhook")
def cli() -> None:
    """Brings a fleet of MySQL databases to the head of an Alembic chain, once, whoever boots."""
