"""What happened, as Markdown: for a ticket or a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.page.story import Story

TENANTS = 50  # of those that are at head, in the table


def markdown(story: Story, title: str) -> str:
    return "\n".join(_lines(story, title)) + "\n"


def _lines(story: Story, title: str) -> Iterator[str]:
    yield f"## {plain_markdown(title)}"
    yield ""
    sums = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in story.sums())
    yield f"{len(story.tenants)} tenants: {sums}"
    yield ""
    yield "| host | command | began (UTC) | seconds | exit code |"
    yield "|---|---|---|---:|---:|"
    for run in story.runs:
        code = "" if run.exit_code is None else str(run.exit_code)
        seconds = (run.ended - run.began).total_seconds()
        yield (
            f"| {plain_markdown(run.host)} | {plain_markdown(run.command)} "
            f"| {run.began:%Y-%m-%d %H:%M:%S} | {seconds:.1f} | {code} |"
        )
    for one in story.failures:
        yield ""
        yield f"**{plain_markdown(one.name)}: {one.outcome.replace('_', ' ')}**"
        if one.failure is not None:
            for part in (one.failure.what, one.failure.state, one.failure.next):
                if part:
                    yield f"> {plain_markdown(part)}"
    yield ""
    yield "| tenant | outcome | from | to | seconds |"
    yield "|---|---|---|---|---:|"
    for one in story.tenants[:TENANTS]:
        yield (
            f"| {plain_markdown(one.name)} | {one.outcome.replace('_', ' ')} "
            f"| {plain_markdown(one.before or '-')} | {plain_markdown(one.after or '-')} "
            f"| {one.seconds:.1f} |"
        )
    if len(story.tenants) > TENANTS:
        yield ""
        yield f"… and {len(story.tenants) - TENANTS} more tenants."


def plain_markdown(text: str) -> str:
    """A text of one line in which nothing is Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|#" else c for c in " ".join(text.split()))
