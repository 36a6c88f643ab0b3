"""``status`` (``current``): where every tenant stands, once or again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.errors import Exit, UsageFailed, worst
from ebhook.fleet.standing import Standing, State
from ebhook.fleet.survey import survey
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json, status_document
from ebhook.report.next_commands import plain
from ebhook.report.reporter import Reporter
from ebhook.report.stdio import is_read
from ebhook.report.tables import (
    STATUS,
    chosen,
    problems_text,
    status_line,
    status_sums,
    status_text,
    under_way_first,
)
from ebhook.report.waiting import sign_of_life


def status(options: Options, *, names: Sequence[str], only: Sequence[str] = ()) -> Exit:
    """0 when all are at head (or ahead), 1 when one is behind, worse when one cannot be read.

    Args:
        only: show, and judge, these alone: ``behind``, ``failed``, ``locked``.
    """
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        with sign_of_life(report, tenants):
            standings = survey(tenants, chain, settings, deep=True)
        shown = chosen(standings, only)
        document = report.hidden(status_document(chain.head, shown, options.commands))
        report.log({"event": "Status", **document})
    if options.json:
        print_json(document)
    else:
        report.print(status_text(chain.head, shown, options.commands, of=standings))
    return _code(shown)


def watch_status(options: Options, *, names: Sequence[str], every: float) -> Exit:
    """Looks every so many seconds, until it is interrupted; the exit code is the last look's."""
    if options.json:
        raise UsageFailed(
            "status --watch is for people.",
            next=then("A program asks again and again: ", ebhook("status", words=["--json"])),
        )
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        seen: list[Standing] = []
        try:
            with _display(report, every) as show:
                while is_read():
                    seen = survey(tenants, chain, settings, deep=True)
                    report.log(
                        {"event": "Status", **status_document(chain.head, seen, options.commands)}
                    )
                    show(chain.head, seen)
                    time.sleep(every)
        except KeyboardInterrupt:
            if not seen:
                raise
    if sys.stdout.isatty():  # the display is gone, and blocks were never there
        report.print(status_text(chain.head, seen, options.commands))
    return _code(seen)


Show = Callable[[str | None, Sequence[Standing]], None]


@contextmanager
def _display(report: Reporter, every: float) -> Iterator[Show]:
    """How a look is shown: in place on a terminal, else as a block of its own."""
    if not sys.stdout.isatty():
        yield lambda head, standings: report.print(
            f"{_clock()}\n\n{status_text(head, standings, report.commands)}\n"
        )
        return
    from ebhook.report.live import Watched

    def show(head: str | None, standings: Sequence[Standing]) -> None:
        told: list[tuple[str, ...]] = []
        calm: list[tuple[str, ...]] = []
        for standing in sorted(standings, key=under_way_first):
            (calm if _is_calm(standing) else told).append(status_line(standing))
        problems = problems_text(((s.tenant.name, s.error) for s in standings), report.commands)
        notes = [plain(report.hide(one)).split("\n")[0] for one in problems.split("\n\n") if one]
        watched.show(_clock(), told, calm, [*notes[:3], status_sums(head, standings)])

    with Watched(sys.stdout, STATUS, every) as watched:
        yield show


def _is_calm(standing: Standing) -> bool:
    return standing.state is State.AT_HEAD and not (
        standing.lock or standing.half or standing.edited
    )


def _clock() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _code(standings: Sequence[Standing]) -> Exit:
    behind = [s for s in standings if s.state in (State.BEHIND, State.EMPTY)]
    codes = [s.error.exit_code for s in standings if s.error is not None]
    return worst([*codes, *([Exit.FINDINGS] if behind else [])])
