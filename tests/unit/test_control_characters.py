"""Words from a database or a file cannot forge a line of output, or steer the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pymysql.err import OperationalError

from ebhook.chain.revision import parse
from ebhook.database.connection import text_of
from ebhook.events import Printed, RevisionStarted
from ebhook.lock.row import LockRow
from ebhook.report.lines import line_of
from ebhook.report.reporter import Reporter

FORGED = "x\nacme: upgraded, a001 → b002, 0.1 s\r::error::all is lost\x1b[2J\x9b31m\u202e"


def assert_harmless(text: str) -> None:
    """One line, which a terminal shows from left to right as it is."""
    assert text.isprintable()
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_an_error_of_the_server() -> None:
    """Its words are part of the line."""
    assert_harmless(text_of(OperationalError(1644, FORGED)))
    assert_harmless(text_of(RuntimeError(FORGED)))


def test_the_message_of_a_revision(tmp_path: Path) -> None:
    """As it is read from its file, and as Alembic tells it."""
    path = tmp_path / "a.py"
    doc = FORGED.replace("\n", " ")
    path.write_text(f'"""{doc}"""\nrevision = "a"\ndown_revision = None\n', "utf-8")

    assert_harmless(parse(path, path.read_bytes()).message)
    assert_harmless(line_of(RevisionStarted("acme", "a", FORGED, 1, 1)) or "")


@pytest.mark.parametrize("token", [None, "t"])
def test_a_row_of_the_lock(token: str | None) -> None:
    """A person, or another program, may have written anything there."""
    row = LockRow(alive=True, holder=FORGED, pid=1, token=token, version_label=FORGED)

    assert_harmless(str(row))


def test_what_a_migration_prints() -> None:
    """Each line has its mark in front, and no control character is left in it."""
    stream = io.StringIO()
    reporter = Reporter(stream, live=False)

    for line in FORGED.split("\n"):
        reporter.emit(Printed("acme", line))

    lines = stream.getvalue().split("\n")
    assert all(line.startswith("acme | ") for line in lines[:-1])
    for line in lines:
        assert_harmless(line)
