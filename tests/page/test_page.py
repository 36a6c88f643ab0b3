"""The page of `ebhook report`: from logs that two instances wrote, in a real browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ebhook.commands.context import Options
from ebhook.commands.report import report
from ebhook.errors import UsageFailed
from ebhook.page.html import page
from ebhook.page.logs import LogReader, read_logs
from ebhook.page.markdown import markdown
from ebhook.page.story import Story
from tests.conftest import IN_CI
from tests.support.browser import Browser, browser, installed

BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def lines(host: str, number: int, *, first: int = 0, fails: str = "") -> Iterator[str]:
    """The log of one instance that brings `number` tenants through two revisions."""
    at = BEGAN

    def line(event: str, **rest: Any) -> str:
        nonlocal at
        at += timedelta(milliseconds=10)
        facts = {"run": f"run-{host}", "command": "boot", "host": host, "version_label": "v512"}
        return json.dumps({"time": at.isoformat(), **facts, "event": event, **rest})

    yield line("SurveyDone", tenants=number, behind=number, seconds=0.1, unread=0)
    for n in range(first, first + number):
        name = f"agency_{n:04}"
        yield line("UpgradeStarted", tenant=name)
        for position, revision in enumerate(("a001", "a002"), start=1):
            yield line(
                "RevisionStarted",
                tenant=name,
                revision=revision,
                message="JMS-1 x",
                number=position,
                of=2,
            )
            if name == fails and revision == "a002":
                break
            yield line("StatementDone", tenant=name, statement=f"ALTER TABLE t{n}", seconds=n / 100)
            yield line("RevisionDone", tenant=name, revision=revision, seconds=n / 50)
        error = None
        if name == fails:
            error = {"what": f"{name}: revision a002 failed. {EVIL}", "state": "It stands at a001.",
                     "next": f"Fix a002, then: ebhook upgrade {name}"}  # fmt: skip
        yield line(
            "TenantDone", tenant=name, outcome="failed" if error else "upgraded", before=None,
            after="a001" if error else "a002", seconds=n / 25, error=error,
        )  # fmt: skip
    yield line("Report", exit_code=2 if fails else 0, head="a002", tenants=[])


def story_of(number: int) -> Story:
    reader = LogReader()
    half = number // 2
    for text in (
        *lines("i-0abc", half, fails="agency_0003"),
        *lines("i-0def", number - half, first=half),
    ):
        reader.line(text)
    # The other instance finds one at head that the first has brought there.
    found = {"event": "TenantDone", "tenant": "agency_0001", "outcome": "at_head", "after": "a002",
             "time": (BEGAN + timedelta(hours=1)).isoformat(), "run": "run-i-0def", "seconds": 0}  # fmt: skip
    reader.line(json.dumps(found))
    return reader.story()


def test_logs_of_two_instances_are_one_story() -> None:
    """Who brought which tenant where; what failed, and where; a later "at head" hides no upgrade."""
    story = story_of(12)
    tenants = {one.name: one for one in story.tenants}

    assert [run.host for run in story.runs] == ["i-0abc", "i-0def"]
    assert [run.exit_code for run in story.runs] == [2, 0]
    assert story.revisions == ("a001", "a002")
    assert (tenants["agency_0001"].outcome, tenants["agency_0001"].host) == ("upgraded", "i-0abc")
    assert tenants["agency_0011"].host == "i-0def"
    assert tenants["agency_0003"].failed_at == "a002"
    assert [one.name for one in story.failures] == ["agency_0003"]
    assert story.slowest(1)[0].tenant == "agency_0011"


class Links(HTMLParser):
    """Whatever in a page may lead out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = ("src", "href", "action", "data", "srcset", "poster")
        self.found += [value or "" for name, value in attrs if name in wanted]


def test_the_page_is_whole_without_network_or_script() -> None:
    """Nothing leads out of it; every tenant is in the HTML itself; what logs say is text."""
    text = page(story_of(12), "a title")
    links = Links()
    links.feed(text)

    assert links.found == ["data:,"]
    assert "url(" not in text
    assert EVIL not in text
    assert len(re.findall(r'<tr tabindex="0"', text)) == 12
    assert "Fix a002, then: ebhook upgrade agency_0003" in text
    assert "\\<script\\>" in markdown(story_of(12), "a title")


def test_bad_input_is_said(tmp_path: Path) -> None:
    """No log and no run; a file that is no log; a folder that is not there."""
    (tmp_path / "x.log").write_text("no JSON\n")
    (tmp_path / "good.log").write_text("\n".join([*lines("i-0abc", 2), "cut off {"]))

    assert read_logs([tmp_path / "good.log"], "v512").unread == 1
    with pytest.raises(UsageFailed, match=r"has no event of v511\."):
        read_logs([tmp_path / "good.log"], "v511")
    with pytest.raises(UsageFailed, match="has no event of ebhook"):
        read_logs([tmp_path / "x.log"])
    with pytest.raises(UsageFailed, match="cannot be read"):
        read_logs([tmp_path / "none.log"])
    with pytest.raises(UsageFailed, match="Give logs, or a run"):
        report(Options(), logs=(), run=None, html=None, as_markdown=False)
    with pytest.raises(UsageFailed, match="cannot be written"):
        report(
            Options(), logs=[tmp_path / "good.log"], run=None, html=tmp_path / "no" / "x.html", as_markdown=False
        )  # fmt: skip


# In a browser


@pytest.fixture(scope="module")
def program() -> str:
    """Chromium; in CI it is installed from Debian when it is not there."""
    found = installed()
    if found is None and IN_CI and os.geteuid() == 0:
        command = ["apt-get", "install", "-y", "--no-install-recommends", "chromium-headless-shell"]
        subprocess.run(command, capture_output=True, timeout=150, check=False)
        found = installed()
    if found is None:
        pytest.skip("NO BROWSER: the page was not tried in one; install Debian's chromium")
    return found


@pytest.fixture
def opened(program: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    path = tmp_path / "report.html"
    path.write_text(page(story_of(request.param), "ebhook"), "utf-8")
    with browser(program, tmp_path) as chromium:
        chromium.open(path)
        yield chromium


VISIBLE = "[...document.querySelectorAll('#fleet tbody tr')].filter((row) => !row.hidden)"
FIRST = f"{VISIBLE}[0].querySelector('th').textContent"


@pytest.mark.parametrize("opened", [12, 1000], indirect=True)
def test_search_sort_and_keyboard_work(opened: Browser) -> None:
    """For few tenants and for many: no error, and no request leaves the page."""
    number = opened.run(f"{VISIBLE}.length")

    opened.press("/", "/")
    assert opened.run("document.activeElement.id") == "search"
    opened.type("FAILED")
    assert opened.run(f"{VISIBLE}.length") == 1
    assert opened.run(FIRST) == "agency_0003"
    assert opened.run("document.getElementById('shown').textContent") == f"1 of {number} tenants"
    opened.press("Escape")
    assert opened.run(f"{VISIBLE}.length") == number
    opened.press("ArrowDown")
    opened.press("ArrowDown")
    assert opened.run("document.activeElement.querySelector('th').textContent") == "agency_0001"
    for expected in ("agency_0000", f"agency_{number - 1:04}"):
        opened.run("document.querySelectorAll('#fleet th button')[4].click()")
        assert opened.run(FIRST) == expected
    assert opened.run("document.querySelectorAll('#fleet th')[4].ariaSort") == "descending"
    assert opened.complaints() == []
    assert {address.partition(":")[0] for address in opened.requests()} <= {"file", "data"}
