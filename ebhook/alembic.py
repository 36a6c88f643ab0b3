"""``alembic upgrade``, ``downgrade`` and ``stamp`` under ebhook's lock and journal, by one line in env.py:

    import ebhook.alembic

    ebhook.alembic.guard()

Flask-Migrate needs none: see `ebhook.flask`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from alembic import context
from alembic.runtime.environment import EnvironmentContext

from ebhook.errors import UsageFailed
from ebhook.events import Event
from ebhook.report.lines import line_of
from ebhook.settings import load
from ebhook.upgrade.takeover import as_command_errors, is_taken, take_over


def guard(config: Path | None = None) -> None:
    """Called in env.py, before ``context.configure``. Nothing happens when ebhook itself runs env.py.

    Args:
        config: the settings file, where it is not found from the current folder.

    Raises:
        UsageFailed: it was called outside of env.py.
    """
    environment: EnvironmentContext | None = getattr(context, "_proxy", None)
    if environment is None:
        raise UsageFailed(
            "ebhook.alembic.guard() was called outside of Alembic's env.py.",
            next="Call it in env.py, before context.configure (docs/writing.md)",
        )
    if is_taken(environment):
        return

    def configure(*arguments: Any, **options: Any) -> None:
        connection = arguments[0] if arguments else options.get("connection")
        with as_command_errors():
            settings = load(os.environ, directory=Path.cwd(), config=config)
            take_over(environment, connection, settings, _say, program="alembic")
        EnvironmentContext.configure(environment, *arguments, **options)

    # On the instance: what a subclass overrides, Alembic's module proxies do not see.
    vars(environment)["configure"] = configure


def _say(event: Event) -> None:
    line = line_of(event)
    if line is not None:
        print(line, file=sys.stderr)
