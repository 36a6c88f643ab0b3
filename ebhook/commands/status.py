"""``status`` (``current``): where every tenant stands."""

from __future__ import annotations

from collections.abc import Sequence

from ebhook.commands.gather import Options, gather, load_settings, reporter
from ebhook.errors import Exit, worst
from ebhook.report import print_json, status_document, status_text
from ebhook.survey import State, survey


def status(options: Options, *, names: Sequence[str]) -> Exit:
    """0 when all are at head (or ahead), 1 when one is behind, worse when one cannot be read."""
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        standings = survey(tenants, chain, settings, deep=True)
    if options.json:
        print_json(status_document(chain.head, standings))
    else:
        print(report.hide(status_text(chain.head, standings)))
    behind = [s for s in standings if s.state in (State.BEHIND, State.EMPTY)]
    codes = [s.error.exit_code for s in standings if s.error is not None]
    return worst([*codes, *([Exit.FINDINGS] if behind else [])])
