"""``flask db …`` under ebhook's rules, lock and journal, by one line in the application:

    import ebhook.flask

    migrate = Migrate(app, db, **ebhook.flask.options())

What ``migrate``, ``revision`` and ``merge`` write then begins with a ticket, only adds, leaves ebhook's
tables alone, and is in chain.sum. ``upgrade``, ``downgrade`` and ``stamp`` take the tenant's lock, respect a
freeze, and write the journal, as ebhook does. ``current``, ``heads`` and ``history`` are as before.

The option reaches Alembic through whichever env.py the folder has, old or new, as one more keyword
of ``context.configure``. That call, and the one that writes a version file, are the two places that
every command passes by; both are wrapped once, and do nothing else where the option is not given.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebhook.errors import EbhookError
from ebhook.settings import Settings, load

if TYPE_CHECKING:
    from ebhook.authoring.additive import Kept, Question
    from ebhook.events import Event

_KEY = "ebhook"
_installed: list[CommandGuard] = []


@dataclass(frozen=True)
class CommandGuard:
    """Reads the settings when a command writes a revision, not when the application starts."""

    config: Path | None

    def settings(self) -> Settings:
        return load(os.environ, directory=Path.cwd(), config=self.config)


def options(config: Path | None = None) -> dict[str, Any]:
    """Keywords for ``Migrate(…)``; `config` is the settings file, where it is not found by itself."""
    guard = CommandGuard(config)
    if not _installed:
        _install()
    _installed[:] = [guard]
    return {_KEY: guard}


def _install() -> None:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    EnvironmentContext.configure = _configure(EnvironmentContext.configure)  # type: ignore[method-assign]
    ScriptDirectory.generate_revision = _generate(ScriptDirectory.generate_revision)  # type: ignore[method-assign]


def _configure(original: Callable[..., None]) -> Callable[..., None]:
    from ebhook.upgrade.takeover import as_command_errors, check_folder, is_taken, take_over

    @wraps(original)
    def configure(self: Any, *arguments: Any, **named: Any) -> None:
        guard = named.pop(_KEY, None)
        if guard is not None and not is_taken(self):
            connection = arguments[0] if arguments else named.get("connection")
            with as_command_errors():
                take_over(self, connection, guard.settings(), _say_event, program="flask db")
        original(self, *arguments, **named)
        # Only Alembic's own `revision` and `check` give this one.
        revision = self.context_opts.get("revision_context")
        if guard is None or revision is None:
            return
        message = revision.command_args["message"]
        writes = message is not None or getattr(self.config.cmd_opts, "autogenerate", False)
        with as_command_errors():
            settings = guard.settings()
            check_folder(self, settings, "Flask-Migrate")
            if writes:
                _check_message(message, settings)
            _compose(self.get_context().opts, settings, writes)

    return configure


def _generate(original: Callable[..., Any]) -> Callable[..., Any]:
    from ebhook.upgrade.takeover import as_command_errors

    @wraps(original)
    def generate_revision(
        self: Any, revid: str, message: str | None, *rest: Any, **named: Any
    ) -> Any:
        with as_command_errors():
            settings = _installed[0].settings()
            ours = Path(self.dir).resolve() == settings.folder.resolve()
            text = _check_message(message, settings) if ours else message
        made = original(self, revid, text, *rest, **named)
        if ours:
            _write_sum(settings)
        return made

    return generate_revision


def _check_message(message: str | None, settings: Settings) -> str:
    from ebhook.authoring.ticket import check_message

    return check_message(message or "", settings)


def _compose(options: dict[str, Any], settings: Settings, writes: bool) -> None:
    from ebhook.authoring.generate import compose, ebhooks_own, leave_additions

    def filtered(scripts: list[Any]) -> None:
        if writes and any(script.upgrade_ops_list for script in scripts):
            _tell(leave_additions(scripts, _refuse))

    compose(options, ebhooks_own(settings), filtered)


def _refuse(question: Question, problem: str | None) -> str:
    from alembic.util import CommandError

    raise CommandError(
        f"{question.name} ({question.type}) is NOT NULL and has no server default: INSERTs of "
        "instances that still run the old code would fail. Nothing was written. Say in the model "
        "server_default=… or nullable=True."
    )


def _tell(kept: Kept) -> None:
    import click

    say = partial(click.echo, err=True)
    if kept.left_out:
        say("Left out, since a revision only adds:")
        for one in kept.left_out:
            say(f"  {one.what}\n    {one.why}.")
    for line in kept.corrected:
        say(f"Corrected: {line}")
    if kept.left_out and not kept.does:
        say("The models add nothing to the chain. Nothing was written.")


def _write_sum(settings: Settings) -> None:
    import click

    from ebhook.chain import checksums
    from ebhook.chain.folder import check_chain, read_revisions

    try:
        chain = check_chain(read_revisions(settings.folder, env_py=settings.env_py))
        checksums.write(settings.folder, chain.revisions.values())
    except EbhookError as error:  # the revision is written; what it does to the chain is the news
        click.echo(f"{error.what}\n{error.next}", err=True)


def _say_event(event: Event) -> None:
    import click

    from ebhook.report.lines import line_of

    line = line_of(event)
    if line is not None:
        click.echo(line, err=True)
