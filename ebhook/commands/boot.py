"""``boot``: what the hooks run. Every tenant to head; then whoever wants to hear of it is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ebhook.aws.deployed import identify, remember_label
from ebhook.aws.step import step_began
from ebhook.commands.context import Options, load_settings, reporter
from ebhook.commands.rollout_run import RolloutOrder, RolloutRun, bring, text_of
from ebhook.concurrency import Budget, end_at, within
from ebhook.errors import EbhookError, Exit
from ebhook.events import Outcome
from ebhook.holder import Holder
from ebhook.next_command import ebhook, then
from ebhook.report.documents import print_json, rollout_document
from ebhook.report.lines import count
from ebhook.report.next_commands import plain
from ebhook.report.notices import Ended, metric_line, send
from ebhook.report.reporter import Reporter
from ebhook.report.stdio import limit_waiting
from ebhook.results import excused, exit_code
from ebhook.settings import Settings

READING = 2.0  # seconds for whoever reads our output
NOTICES = (3.0, 15.0)  # seconds for all notices: at least, and at most
LAST_RESORT = 20.0  # seconds after the budget's end: what hangs then is a defect of ours

DOCTOR = then("What else may be wrong on this instance: ", ebhook("doctor"))


def boot(options: Options, *, page: Path | None = None) -> Exit:
    """0 when every tenant is at head, or when the settings let the instance start all the same.

    Args:
        page: where a page of what happened is written at the end.
    """
    if page is None:
        return _boot(options)
    lines = options.log.keep()
    try:
        return _boot(options)
    finally:
        from ebhook.commands.report import page_of_lines  # late: few boots want one

        problem = page_of_lines(page, lines)
        if problem is not None:  # it stops no instance
            click.echo(problem, err=True)


def _boot(options: Options) -> Exit:
    limit_waiting(READING, 1, 2)
    began = time.monotonic()
    settings = load_settings(options, keep_unknown=True)
    step = step_began(began)
    budget = Budget((step.at or began) + settings.rollout.deadline, settings.rollout.grace)
    _end_in_any_case(budget, began, options)
    with reporter(options) as report:
        if step.unknown:
            report.say(step.unknown)
        remember_label(settings.root)
        holder = identify("boot", settings)
        run, error = _roll_out(settings, report, holder, budget)
        ended = _ended(run, error, settings, holder, began, options)
        _publish(ended, settings, report, budget)
        if error is not None and not ended.starts:
            error.next = error.next.then("\n", *DOCTOR.parts)
            raise error
        if error is not None:
            report.say(options.commands.whole(error))
    if options.json:
        print_json(report.hidden(_document(ended)))
    elif error is None:
        report.print(text_of(run, began, options.commands))  # before what follows on stderr
    for line in _last_words(ended):
        report.say(line)
    return Exit.OK if ended.starts else ended.code


def _end_in_any_case(budget: Budget, began: float, options: Options) -> None:
    end_at(
        max(budget.end, began) + LAST_RESORT,
        int(Exit.TRY_AGAIN),
        "This boot did not end in time, and was ended.\n"
        f"{plain(options.commands.text(then('See: ', ebhook('status'))))}\n",
    )


def _roll_out(
    settings: Settings, report: Reporter, holder: Holder, budget: Budget
) -> tuple[RolloutRun, EbhookError | None]:
    """How it ended, and what came before any tenant's own end."""
    order = RolloutOrder(
        lenient=settings.boot.on_unreachable == "start",
        reads_only=settings.boot.mode != "migrate",
        plan_file=settings.plan_file,
        drift=settings.boot.drift,
        skips_frozen=settings.boot.on_frozen == "start",
    )
    try:
        return bring(order, settings, report, holder, budget), None
    except EbhookError as error:
        return RolloutRun(), error


def _ended(
    run: RolloutRun,
    error: EbhookError | None,
    settings: Settings,
    holder: Holder,
    began: float,
    options: Options,
) -> Ended:
    code = error.exit_code if error is not None else exit_code(run.results)
    return Ended(
        run.head,
        run.results,
        run.behind,
        time.monotonic() - began,
        code,
        code is not Exit.OK and excused(settings, run.results, error),
        holder,
        error,
        commands=options.commands,
    )


def _document(ended: Ended) -> dict[str, Any]:
    """The report as JSON: with what was excused, where the instance starts all the same."""
    code = Exit.OK if ended.starts else ended.code
    document = rollout_document(ended.head, code, ended.results, ended.commands)
    return document | ({"excused": int(ended.code)} if ended.starts else {})


def _publish(ended: Ended, settings: Settings, report: Reporter, budget: Budget) -> None:
    """Log, metrics and notices."""
    report.log({"event": "Report", **_document(ended)})
    report.log(metric_line(ended, settings.notice.namespace))
    for problem in _sent(lambda: send(ended, settings, report.hidden), budget):
        report.say(problem)


def _last_words(ended: Ended) -> Iterator[str]:
    """What nobody may miss, and where to look next."""
    if ended.starts:
        yield _shout(ended, ended.commands.command(ebhook("status")))
    elif ended.code not in (Exit.OK, Exit.TRY_AGAIN) or any(
        result.outcome is Outcome.UNREACHABLE for result in ended.results
    ):
        yield ended.commands.text(DOCTOR)


def _sent(send: Callable[[], list[str]], budget: Budget) -> list[str]:
    """What was not sent, in words. AWS must not keep an instance that is at its deadline."""
    least, most = NOTICES
    seconds = max(least, min(most, budget.end - time.monotonic()))
    try:
        return within(seconds, send)
    except TimeoutError:
        return [f"Not all notices were sent: no answer in {seconds:.0f} s."]
    except KeyboardInterrupt:
        return ["Not all notices were sent: interrupted."]
    except RuntimeError as error:  # no thread to be had
        return [f"No notice was sent: {error}."]


def _shout(ended: Ended, see: str) -> str:
    """Nobody who looks into the log may miss it."""
    bad = [result.tenant for result in ended.results if not result.outcome.good]
    who = "the tenants could not be read"
    if bad:
        few = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        who = f"{len(bad)} of {count(len(ended.results), 'tenant')} not at head: {few}"
    line = "*" * 72
    return (
        f"{line}\n*** THIS INSTANCE STARTS ALL THE SAME: {who}\n"
        "*** That is what boot.on_failure, boot.on_unreachable and boot.on_frozen say. Without "
        f"them: exit {int(ended.code)}.\n*** Next: {see}\n{line}"
    )
