"""The page: one file that asks no network. Its rows are there without its script, which searches and sorts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
from importlib.resources import files

from ebhook.page.story import Moment, Story, TenantStory

MOMENTS = 2000  # of them on the page: the last ones; the log has all
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_WAITS = ("LockWaiting", "PutBack", "StatementRetried", "AlgorithmFallback", "LockTakenOver")


def page(story: Story, title: str) -> str:
    """A whole HTML document."""
    return "\n".join(_page(story, title)) + "\n"


def _page(story: Story, title: str) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<link rel="icon" href="data:,"><title>{escape(title)}</title>'
    yield f"<style>{_file('page.css')}</style></head><body>"
    yield f"<h1>{escape(title)}</h1>"
    yield from _runs(story)
    yield from _failures(story)
    yield from _fleet(story)
    yield from _slowest(story)
    yield from _moments(story)
    yield f"<script>{_file('page.js')}</script></body></html>"


def _file(name: str) -> str:
    return files("ebhook.page").joinpath(name).read_text("utf-8")


def _runs(story: Story) -> Iterator[str]:
    sums = ", ".join(f"{number} {escape(_words(outcome))}" for outcome, number in story.sums())
    yield f"<p>{len(story.tenants)} tenants: {sums or 'none'}</p>"
    yield '<table id="runs"><thead><tr><th>host<th>command<th>bundle<th>began (UTC)<th>seconds<th>exit code</tr></thead><tbody>'
    for run in story.runs:
        code = "" if run.exit_code is None else str(run.exit_code)
        mark = "bad" if run.exit_code else "good"
        yield (
            f"<tr><td>{escape(run.host)}<td>{escape(run.command)}<td>{escape(run.version_label or '-')}"
            f"<td>{run.began:%Y-%m-%d %H:%M:%S}"
            f'<td class="number">{(run.ended - run.began).total_seconds():.1f}'
            f'<td class="number {mark}">{code}</tr>'
        )
    yield "</tbody></table>"
    if story.unread:
        yield f"<p>{story.unread} lines of the logs were no events, and are left out.</p>"


def _failures(story: Story) -> Iterator[str]:
    failed = story.failures
    if not failed:
        return
    yield f'<section id="failures"><h2>Not at head: {len(failed)}</h2>'
    for one in failed:
        failure = one.failure
        parts = [failure.what, failure.state, failure.next] if failure else [_words(one.outcome)]
        text = "\n".join(part for part in parts if part)
        yield f'<div class="failure" data-text="{_search(one.name, text)}">{escape(text)}</div>'
    yield "</section>"


def _fleet(story: Story) -> Iterator[str]:
    yield (
        '<h2>The fleet</h2><p><label>Search <input type="search" id="search" '
        'placeholder="tenant, outcome, host, error"></label> <span id="shown" aria-live="polite">'
        '</span></p><p class="hint">/ searches, Esc clears, ↑ and ↓ go from tenant to tenant; a heading sorts.</p>'
    )
    yield '<div class="scroll"><table id="fleet"><thead><tr>'
    for heading in ("tenant", "outcome", "from", "to", "seconds", "by"):
        yield f'<th scope="col"><button type="button">{heading}</button></th>'
    for revision in story.revisions:
        title = escape(story.titles.get(revision, ""), quote=True)
        yield (
            f'<th scope="col" title="{title}"><button type="button">{escape(revision)}</button></th>'
        )
    yield '<th scope="col"><button type="button">when</button></th></tr></thead><tbody>'
    for one in story.tenants:
        yield _tenant(one, story)
    yield "</tbody></table></div>"


def _tenant(one: TenantStory, story: Story) -> str:
    mark = "good" if one.is_good else "bad"
    said = one.failure.what if one.failure else ""
    cells = [
        f'<th scope="row">{escape(one.name)}</th>',
        f'<td class="{mark}">{escape(_words(one.outcome))}</td>',
        f"<td>{escape(one.before or '-')}</td><td>{escape(one.after or '-')}</td>",
        f'<td class="number" data-key="{one.seconds:.3f}">{one.seconds:.1f}</td>',
        f"<td>{escape(one.host)}</td>",
    ]
    cells += [_cell(one, revision) for revision in story.revisions]
    cells.append(_bar(one, story))
    search = _search(one.name, one.outcome, _words(one.outcome), one.host, said, one.after or "")
    return f'<tr tabindex="0" data-text="{search}">{"".join(cells)}</tr>'


def _cell(one: TenantStory, revision: str) -> str:
    if revision in one.revisions:
        seconds = one.revisions[revision]
        return f'<td class="number good" data-key="{seconds:.3f}">✓ {seconds:.2f} s</td>'
    if revision == one.failed_at and not one.is_good:
        return '<td class="bad" data-key="-1">✗ failed</td>'
    return '<td data-key="-2"></td>'


def _bar(one: TenantStory, story: Story) -> str:
    start, end = story.work_began, story.work_ended
    if one.began is None or one.ended is None or start is None or end is None:
        return '<td data-key="-1"></td>'
    whole = max((end - start).total_seconds(), 0.001)
    left = 100 * (one.began - start).total_seconds() / whole
    width = 100 * (one.ended - one.began).total_seconds() / whole
    offset = (one.began - start).total_seconds()
    mark = "" if one.is_good else ' class="bad"'
    return (
        f'<td data-key="{offset:.3f}" title="{_clock(one.began)} to {_clock(one.ended)}"><div class="bar">'
        f'<i{mark} style="left:{left:.2f}%;width:{width:.2f}%"></i></div></td>'
    )


def _slowest(story: Story) -> Iterator[str]:
    slow = story.slowest()
    if not slow:
        return
    yield '<h2>What took longest</h2><table id="slowest"><thead><tr><th>seconds<th>tenant<th>what</tr></thead><tbody>'
    for one in slow:
        yield (
            f'<tr data-text="{_search(one.tenant or "", one.text)}"><td class="number">'
            f"{one.seconds or 0.0:.2f}<td>{escape(one.tenant or '')}"
            f'<td class="sql">{escape(one.text)}</tr>'
        )
    yield "</tbody></table>"


def _moments(story: Story) -> Iterator[str]:
    hosts = {run.id: run.host for run in story.runs}
    last = story.moments[-MOMENTS:]
    left = len(story.moments) - len(last)
    before = f" (the last {len(last)}; {left} earlier ones are in the logs)" if left else ""
    yield f'<details><summary><h2 style="display:inline">Who did what when{before}</h2></summary>'
    yield '<table id="moments"><thead><tr><th>UTC<th>host<th>tenant<th>what</tr></thead><tbody>'
    for one in last:
        yield _moment(one, hosts.get(one.run, ""))
    yield "</tbody></table></details>"


def _moment(one: Moment, host: str) -> str:
    mark = ' class="wait"' if one.kind in _WAITS else ""
    took = f" ({one.seconds:.2f} s)" if one.seconds is not None else ""
    return (
        f'<tr data-text="{_search(one.tenant or "", host, one.text)}"><td>{_clock(one.at)}'
        f"<td>{escape(host)}<td>{escape(one.tenant or '')}<td{mark}>{escape(one.text)}{took}</tr>"
    )


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _search(*texts: str) -> str:
    return escape(" ".join(texts).lower(), quote=True)
