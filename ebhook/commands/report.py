"""``report``: what happened in some runs, as a page, as Markdown, or in short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ebhook.commands.context import Options, gather_tenants, load_settings, reporter
from ebhook.errors import EbhookError, Exit, UsageFailed, worst
from ebhook.next_command import ebhook, then
from ebhook.page.html import page
from ebhook.page.logs import LogReader, read_logs
from ebhook.page.markdown import markdown
from ebhook.page.story import Story
from ebhook.report.documents import print_json, unread_documents
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import problems_text, table


def report(
    options: Options,
    *,
    logs: Sequence[Path],
    run: str | None,
    html: Path | None,
    as_markdown: bool,
) -> Exit:
    """0 when the page could be made, whatever happened in the runs; worse when a journal cannot be read.

    Args:
        logs: files of ``--log-file``, of one or several instances.
        run: of the logs, only this run, host or bundle; without logs, a holder or a bundle's label, looked up in
            the journals.
        html: where the page is written.
    """
    if not logs and run is None:
        raise UsageFailed(
            "Give logs, or a run with --run.",
            next=then("See: ", ebhook("report", words=["--help"])),
        )
    unread: list[tuple[str, EbhookError]] = []
    if logs:
        story = read_logs(logs, run)
        title = _title(story)
        text = "\n\n".join(_parts(story, unread, options.commands))
    elif run is not None:
        from ebhook.page.journals import read_journals

        settings = load_settings(options)
        with reporter(options) as told:
            story, unread = read_journals(gather_tenants(settings, told, ()), settings, run)
            title = _title(story)
            text = told.hide("\n\n".join(_parts(story, unread, options.commands)))
    if html is not None:
        write_page(html, page(story, title))
    if options.json:
        print_json(_document(story, html, unread, options.commands))
    elif as_markdown:
        print(markdown(story, title), end="")
    else:
        print(text)
    return worst([error.exit_code for _, error in unread])


def write_page(path: Path, text: str) -> None:
    """Raises `UsageFailed` when it cannot be written."""
    try:
        path.write_text(text, "utf-8", "backslashreplace")
    except OSError as error:
        raise UsageFailed(
            f"{path}: the page cannot be written: {error.strerror}.",
            next="Give another place: --html FILE",
        ) from None


def page_of_lines(path: Path, lines: Sequence[str]) -> str | None:
    """Writes the page of one run, from the lines of its log; returns what is wrong, for people."""
    reader = LogReader()
    for line in lines:
        reader.line(line)
    story = reader.story()
    try:
        write_page(path, page(story, _title(story)))
    except UsageFailed as error:
        return error.what
    return None


def _title(story: Story) -> str:
    began = story.began
    return f"ebhook, {began:%Y-%m-%d %H:%M} UTC" if began else "ebhook"


def _parts(
    story: Story, unread: Sequence[tuple[str, EbhookError]], commands: NextCommands
) -> Iterator[str]:
    yield table(
        ("host", "command", "began (UTC)", "seconds", "exit code"),
        [
            (
                run.host,
                run.command,
                f"{run.began:%Y-%m-%d %H:%M:%S}",
                f"{(run.ended - run.began).total_seconds():.1f}",
                "-" if run.exit_code is None else str(run.exit_code),
            )
            for run in story.runs
        ],
    )
    for one in story.failures:
        failure = one.failure
        words = (
            [failure.what, failure.state, failure.next]
            if failure
            else [f"{one.name}: {one.outcome}"]
        )
        yield "\n  ".join(part for part in words if part)
    slow = story.slowest(3)
    if slow:
        yield "\n".join(
            [
                "longest:",
                *(f"  {one.seconds:.2f} s  {one.tenant}: {_short(one.text)}" for one in slow),
            ]
        )
    problems = problems_text(unread, commands)
    if problems:
        yield problems
    sums = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in story.sums())
    yield f"{count(len(story.tenants), 'tenant')}: {sums or 'none'}"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 100 else words[:99] + "…"


def _document(
    story: Story,
    html: Path | None,
    unread: Sequence[tuple[str, EbhookError]],
    commands: NextCommands,
) -> dict[str, Any]:
    return {
        "exit_code": int(worst([error.exit_code for _, error in unread])),
        "page": str(html) if html is not None else None,
        "runs": [
            {
                "run": run.id,
                "host": run.host,
                "command": run.command,
                "version_label": run.version_label,
                "began": run.began.isoformat(),
                "seconds": round((run.ended - run.began).total_seconds(), 3),
                "exit_code": run.exit_code,
            }
            for run in story.runs
        ],
        "revisions": list(story.revisions),
        "tenants": [
            {
                "tenant": one.name,
                "outcome": one.outcome,
                "before": one.before,
                "after": one.after,
                "seconds": round(one.seconds, 3),
                "host": one.host,
                "revisions": {id: round(seconds, 3) for id, seconds in one.revisions.items()},
                "what": one.failure.what if one.failure else None,
                "next": one.failure.next if one.failure else None,
            }
            for one in story.tenants
        ],
        "unread": unread_documents(unread, commands),
    }
