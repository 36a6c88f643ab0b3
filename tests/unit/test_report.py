"""Events and outcomes for people and programs: every event has its line, documents keep their keys."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.database.url import parse_url
from ebhook.errors import (
    ChainBroken,
    Exit,
    FailedAt,
    LockHeld,
    MigrationFailed,
    RevisionUnknown,
    Skipped,
    Unreachable,
)
from ebhook.events import (
    AlgorithmFallback,
    Event,
    LockTaken,
    LockTakenOver,
    LockWaiting,
    Outcome,
    PasswordRead,
    Printed,
    PutBack,
    RevisionDone,
    RevisionStarted,
    StatementDone,
    StatementRetried,
    Stopping,
    SurveyDone,
    TenantDone,
    UpgradeStarted,
    WaitingForOthers,
    WaveStarted,
)
from ebhook.fleet.standing import Standing, State, UnfinishedRevision
from ebhook.lock.row import LockRow
from ebhook.next_command import ebhook, then
from ebhook.report.documents import error_document, lock_document, rollout_document, status_document
from ebhook.report.lines import WORDS, line_of
from ebhook.report.next_commands import NextCommands, plain
from ebhook.report.reporter import Reporter
from ebhook.report.run_log import RunLog
from ebhook.report.screen import broken, coloured, laid_out, said_seconds
from ebhook.report.tables import ALIKE, lock_text, rollout_text, status_text, table
from ebhook.results import PlannedStatement, Result
from ebhook.secret import Secret
from ebhook.tenant import Tenant

PLAIN = NextCommands()
NOON = datetime(2026, 3, 1, 12, 0, 7, 250_000, tzinfo=UTC)
SQL = "ALTER TABLE visits ADD COLUMN notes TEXT"


FACTS = {"run", "command", "host", "version_label", "ebhook"}  # in each line of a log
_LOGS: list[RunLog] = []


def opened(path: Path | None) -> RunLog:
    """A log that is closed when the test ends."""
    _LOGS.append(RunLog(path))
    return _LOGS[-1]


@pytest.fixture(autouse=True)
def closed_logs() -> Iterator[None]:
    yield
    while _LOGS:
        _LOGS.pop().close()


def without_facts(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in FACTS}


def rollout(*arguments: Any, **named: Any) -> str:
    return coloured(plain(rollout_text(*arguments, **named)), colours=False)


def status(*arguments: Any) -> str:
    return coloured(plain(status_text(*arguments)), colours=False)


# One of every event, with the line that a person reads; None: only programs want it.
EVENTS: list[tuple[Event, str | None]] = [
    (SurveyDone(80, 3, 0.084), "surveyed 80 tenants in 0.08 s: 3 behind"),
    (SurveyDone(1, 0, 0.5), "surveyed 1 tenant in 0.5 s: 0 behind"),
    (WaveStarted("canary", ("acme",)), "canary wave: acme"),
    (
        WaitingForOthers(2, 61.0),
        "2 tenants are behind; waiting for whoever migrates; 61 s left",
    ),
    (WaveStarted("rest", tuple("abcdefg")), "rest wave: 7 tenants"),
    (UpgradeStarted("acme"), None),
    (
        LockWaiting("acme", "i-0abc:412 (v512)", NOON, 299.6),
        "acme: waiting for i-0abc:412 (v512), who has the lock since 12:00:07 UTC; 300 s left",
    ),
    (
        LockWaiting("acme", "somebody", None, 5),
        "acme: waiting for somebody, who has the lock; 5 s left",
    ),
    (
        LockTakenOver("acme", "i-0abc:412", NOON),
        "acme: took over the lock of i-0abc:412, whose session is gone "
        "(taken 2026-03-01 12:00:07 UTC)",
    ),
    (LockTaken("acme", 77), None),
    (
        RevisionStarted("acme", "7f3a", "JMS-1 add notes", 2, 5),
        "acme: 7f3a JMS-1 add notes (2 of 5)",
    ),
    (RevisionDone("acme", "7f3a", 0.2), None),
    (StatementDone("acme", SQL, 2.5), None),
    (
        StatementRetried("acme", SQL, "Lock wait timeout exceeded (1205)", "connection 9 (app@h)"),
        "acme: trying again, Lock wait timeout exceeded (1205); in the way: connection 9 (app@h): "
        + SQL,
    ),
    (
        StatementRetried("acme", "UPDATE x\n  SET " + "y" * 200, "Deadlock (1213)", None),
        "acme: trying again, Deadlock (1213): UPDATE x SET " + "y" * 104 + "…",
    ),
    (
        AlgorithmFallback("acme", SQL, "instant", "not supported (1845)"),
        f"acme: not possible instant (not supported (1845)): {SQL}",
    ),
    (Printed("acme", "  hello"), "acme |   hello"),
    (Printed("", "hello"), "| hello"),
    (PasswordRead(Secret("hunter2secret")), None),
    (PutBack("acme", "acme: lock held by i-0abc."), "acme: lock held by i-0abc. Put back."),
    (PutBack("acme", "The connection was lost."), "acme: The connection was lost. Put back."),
    (TenantDone("acme", Outcome.AT_HEAD, "a5", "a5", 0.0, None), None),
    (TenantDone("acme", Outcome.AT_HEAD, "a5", "a5", 1.0, None), "acme: at head, a5 → a5, 1.0 s"),
    (
        TenantDone("acme", Outcome.UPGRADED, None, "a5", 1.26, None),
        "acme: upgraded, base → a5, 1.3 s",
    ),
    (
        TenantDone("acme", Outcome.DOWNGRADED, "a5", None, 1.0, None),
        "acme: downgraded, a5 → base, 1.0 s",
    ),
    (
        TenantDone(
            "acme",
            Outcome.FAILED,
            "a1",
            "a2",
            1.0,
            MigrationFailed("It failed.", "It stands at a2."),
        ),
        "acme: failed: It failed.",
    ),
    (Stopping("the deadline is too near"), "nothing new is started: the deadline is too near"),
    (
        Stopping("SIGINT"),
        "nothing new is started: SIGINT; what runs may end by itself; Ctrl-C again ends it now",
    ),
]


def result(name: str, outcome: Outcome = Outcome.UPGRADED, **changes: object) -> Result:
    return replace(Result(name, outcome, "a1", "a5", 1.23456), **changes)  # type: ignore[arg-type]


def standing(name: str, state: State = State.AT_HEAD, **changes: object) -> Standing:
    tenant = Tenant(name, parse_url(f"mysql://app:hunter2secret@h/{name}"))
    return replace(Standing(tenant, state, ("a5",), 0), **changes)  # type: ignore[arg-type]


ROW = LockRow(
    holder="i-0abc",
    pid=412,
    since=NOON,
    alive=True,
    token="f" * 32,
    connection_id=77,
    environment="prod",
    version_label="v512",
    command="boot",
)
FREEZE = replace(ROW, holder="Eve", pid=None, token=None, version_label=None, alive=False)
ROWLESS = LockRow.without_row(77)


# --- events ------------------------------------------------------------------------------------


def test_every_event_is_tested() -> None:
    """One of each type is among the samples."""
    assert {type(event) for event, _ in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize(("event", "line"), EVENTS, ids=lambda x: type(x).__name__)
def test_every_event_has_its_line(event: Event, line: str | None) -> None:
    """What a person reads of it, on one line."""
    assert line_of(event) == line
    assert "\n" not in (line or "")


@pytest.mark.parametrize(
    "event",
    [event for event, _ in EVENTS if not isinstance(event, PasswordRead)],
    ids=lambda x: type(x).__name__,
)
def test_every_event_is_logged(tmp_path: Path, event: Event) -> None:
    """The log has all of them, one JSON document a line, with every field under its own name."""
    log = tmp_path / "log"

    with Reporter(io.StringIO(), live=False, log=opened(log)) as report:
        report.emit(event)

    document = json.loads(log.read_text("utf-8"))
    assert document["event"] == type(event).__name__
    assert datetime.fromisoformat(document.pop("time")).tzinfo is not None
    assert document.keys() >= FACTS
    assert without_facts(document) == {
        "event": type(event).__name__,
        **msgspec.to_builtins(event, enc_hook=lambda error: error_document(error, PLAIN)),
    } or isinstance(event, WaveStarted)


def test_a_password_is_not_logged_but_learned(tmp_path: Path) -> None:
    """One that was read again, or made, while the run was under way is hidden from then on."""
    stream, log = io.StringIO(), tmp_path / "log"

    with Reporter(stream, live=False, log=opened(log)) as report:
        report.emit(PasswordRead(Secret("brand-new")))
        report.emit(Printed("acme", "it is brand-new"))

    assert stream.getvalue() == "acme | it is ***\n"
    assert "brand-new" not in log.read_text("utf-8")
    assert len(log.read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_words(outcome: Outcome) -> None:
    """For people without underscores; for programs as it is."""
    assert WORDS[outcome] == outcome.value.replace("_", " ")


def test_a_waiter_names_a_holder_once() -> None:
    """The same holder is not named again at every look; another one is."""
    stream = io.StringIO()
    report = Reporter(stream, live=False)

    for holder, left in (("one", 9.0), ("one", 7.0), ("two", 5.0), ("two", 3.0)):
        report.emit(LockWaiting("acme", holder, None, left))
    report.emit(LockWaiting("zenith", "two", None, 3.0))

    assert stream.getvalue().splitlines() == [
        "acme: waiting for one, who has the lock; 9 s left",
        "acme: waiting for two, who has the lock; 5 s left",
        "zenith: waiting for two, who has the lock; 3 s left",
    ]


def test_the_log_ends_with_the_error(tmp_path: Path) -> None:
    """A run that fails as a whole says so in its log, too."""
    log = tmp_path / "log"

    with (
        pytest.raises(ChainBroken),
        Reporter(io.StringIO(), live=False, log=opened(log)),
    ):
        raise ChainBroken("Two heads.", "Nothing.", "Merge.")

    document = json.loads(log.read_text("utf-8"))
    del document["time"]
    assert without_facts(document) == {
        "event": "Error",
        "error": "ChainBroken",
        "what": "Two heads.",
        "state": "Nothing.",
        "next": "Merge.",
        "exit_code": 65,
        "revision": None,
        "statement": None,
        "errno": None,
        "stands_at": None,
    }


def test_a_log_is_added_to(tmp_path: Path) -> None:
    """The second run does not wipe out the first."""
    log = tmp_path / "log"
    for why in ("one", "two"):
        with Reporter(io.StringIO(), live=False, log=opened(log)) as report:
            report.emit(Stopping(why))

    assert [json.loads(line)["why"] for line in log.read_text().splitlines()] == ["one", "two"]


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The work is worth more than its log."""
    stream = io.StringIO()

    with Reporter(stream, live=False, log=opened(tmp_path / "no" / "log")) as report:
        report.emit(Stopping("SIGTERM"))

    assert "No such file or directory; going on without this log" in stream.getvalue()
    assert "SIGTERM" in stream.getvalue()


# --- passwords ---------------------------------------------------------------------------------


def knowing(password: str, stream: io.StringIO, log: Path | None = None) -> Reporter:
    report = Reporter(stream, live=False, log=opened(log))
    url = parse_url(f"mysql://app:{quote(password, safe='')}@h/acme")
    report.knows([Tenant("acme", url)])
    return report


@pytest.mark.parametrize("password", ["hunter2secret", 'p@ss:w/o"r\\d%41#', "ключ☂é", "a b+c&d"])
def test_known_passwords_are_hidden(tmp_path: Path, password: str) -> None:
    """Whatever a migration prints, in every spelling: plain, in a URL, in repr, in JSON."""
    from sqlalchemy.engine import URL

    url = URL.create("mysql+pymysql", "app", password, "h", 3306, "acme")
    shown = url.render_as_string(hide_password=False)
    spellings = [
        password,
        shown,
        shown.replace("%", "%%"),
        repr(password),
        quote(password, safe=""),
    ]
    stream, log = io.StringIO(), tmp_path / "log"

    with knowing(password, stream, log) as report:
        for text in spellings:
            report.emit(Printed("acme", f"<{text}>"))
        document = report.hidden({"tenants": [{"error": f"<{shown}>", "behind": 1, "x": None}]})

    assert password not in stream.getvalue()
    assert quote(password, safe=" +") not in stream.getvalue()
    assert stream.getvalue().count("***") == len(spellings)
    lines = [json.loads(line)["line"] for line in log.read_text("utf-8").splitlines()]
    assert lines == [line.removeprefix("acme | ") for line in stream.getvalue().splitlines()]
    assert document["tenants"][0] == {
        "error": "<mysql+pymysql://app:***@h:3306/acme>",
        "behind": 1,
        "x": None,
    }


def test_an_error_that_ends_the_run_is_hidden_too() -> None:
    """An env.py that fails may say with which URL."""
    with pytest.raises(ChainBroken) as failure, knowing("p@ssword", io.StringIO()):
        raise ChainBroken("No mysql://app:p%40ssword@h/x.", "p@ssword", "p@ssword")

    assert str(failure.value) == "No mysql://app:***@h/x. *** ***"


@pytest.mark.parametrize("password", ["event", "time", "line", "tenant"])
def test_a_password_that_is_a_key_leaves_the_log_readable(tmp_path: Path, password: str) -> None:
    """Only texts are changed, never the names of fields."""
    log = tmp_path / "log"

    with knowing(password, io.StringIO(), log) as report:
        report.emit(Printed("acme", f"x {password} y"))

    document = json.loads(log.read_text("utf-8"))
    assert without_facts(document).keys() == {"time", "event", "tenant", "line"}
    assert document["line"] == "x *** y"


# --- documents ---------------------------------------------------------------------------------


def test_the_document_of_a_rollout() -> None:
    """`boot --json` and `upgrade --json`: the keys that scripts depend on, and no others."""
    at = FailedAt("a2", statement=3, errno=1060, stands_at="a1")
    error = MigrationFailed("acme: it failed.", "It stands at a2.", "Fix it.", at)

    document = rollout_document(
        "a5",
        Exit.PERSON,
        [
            result("zenith"),
            result("acme", Outcome.FAILED, before=None, after="a2", error=error),
        ],
        PLAIN,
    )

    assert document == {
        "head": "a5",
        "exit_code": 2,
        "tenants": [
            {
                "tenant": "zenith",
                "outcome": "upgraded",
                "before": "a1",
                "after": "a5",
                "seconds": 1.235,
                "error": None,
            },
            {
                "tenant": "acme",
                "outcome": "failed",
                "before": None,
                "after": "a2",
                "seconds": 1.235,
                "error": {
                    "error": "MigrationFailed",
                    "what": "acme: it failed.",
                    "state": "It stands at a2.",
                    "next": "Fix it.",
                    "exit_code": 2,
                    "revision": "a2",
                    "statement": 3,
                    "errno": 1060,
                    "stands_at": "a1",
                },
            },
        ],
    }


def test_the_document_of_a_dry_run() -> None:
    """The statements come with the tenant, as a list."""
    (tenant,) = rollout_document(
        "a5", Exit.OK, [result("acme", statements=(PlannedStatement(SQL, "a2"),))], PLAIN
    )["tenants"]

    assert tenant["sql"] == [SQL]


def test_the_document_of_the_status() -> None:
    """`status --json`: at least the keys that scripts depend on; `lock` is null or an object."""
    document = status_document(
        "a5",
        [
            standing("acme", lock=ROW),
            standing("zenith", State.BEHIND, revisions=("a3",), behind=2),
            standing("new", State.EMPTY, revisions=(), behind=5),
            standing(
                "odd",
                State.UNKNOWN_REVISION,
                revisions=("b2", "zz"),
                behind=None,
                error=RevisionUnknown("odd: stands at zz."),
            ),
        ],
        PLAIN,
    )

    assert document["head"] == "a5"
    seen = [
        (one["tenant"], one["state"], one["revision"], one["behind"]) for one in document["tenants"]
    ]
    assert seen == [
        ("acme", "at_head", "a5", 0),
        ("zenith", "behind", "a3", 2),
        ("new", "empty", None, 5),
        ("odd", "unknown_revision", "b2,zz", None),
    ]
    assert document["tenants"][0]["lock"]["holder"] == "i-0abc"
    assert document["tenants"][1]["lock"] is None
    assert "zz" in document["tenants"][3]["error"]["what"]
    assert json.loads(msgspec.json.encode(document)) == document


def test_the_states_are_the_contract() -> None:
    """A script may switch over these, and there are no others."""
    assert sorted(State) == [
        "ahead",
        "at_head",
        "behind",
        "empty",
        "refused",
        "unknown_revision",
        "unreachable",
    ]


@pytest.mark.parametrize(
    ("row", "since", "alive", "frozen"),
    [
        (ROW, "2026-03-01T12:00:07.250000+00:00", True, False),
        (replace(ROW, alive=False), "2026-03-01T12:00:07.250000+00:00", False, False),
        (FREEZE, "2026-03-01T12:00:07.250000+00:00", False, True),
        (ROWLESS, None, True, False),
    ],
)
def test_the_document_of_a_lock(row: LockRow, since: str, alive: bool, frozen: bool) -> None:
    """holder, since, alive and more; a freeze says that it is one."""
    document = lock_document(row)

    assert document is not None
    assert (
        lock_document(replace(row, since=row.since and row.since.replace(tzinfo=None))) == document
    )
    assert document["holder"] == row.holder
    assert (document["since"], document["alive"], document["frozen"]) == (since, alive, frozen)
    assert lock_document(None) is None


def test_the_document_of_an_error() -> None:
    """Its three parts, apart, and its exit code."""
    assert error_document(LockHeld("Held.", "State.", "Wait."), PLAIN) == {
        "error": "LockHeld",
        "what": "Held.",
        "state": "State.",
        "next": "Wait.",
        "exit_code": 75,
        "revision": None,
        "statement": None,
        "errno": None,
        "stands_at": None,
    }


# --- texts -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text("ab ", max_size=9), st.text("xyz", max_size=9)), max_size=5))
def test_columns_are_aligned(lines: list[tuple[str, str]]) -> None:
    """The second column begins at the same place in every line; no blanks at the ends."""
    text = table(("one", "two"), lines)

    width = max([3, *(len(first) for first, _ in lines)])
    rows = text.split("\n")
    assert len(rows) == len(lines) + 1
    for row, (first, second) in zip(rows, [("one", "two"), *lines], strict=True):
        assert row == f"{first.ljust(width)}  {second}".rstrip()


def test_the_text_of_a_rollout() -> None:
    """What is not simply at head, each problem in its three parts, and the sums."""
    error = MigrationFailed("acme: it failed.", "It stands at a2.", "Fix it.")
    results = [
        result("acme", Outcome.FAILED, after="a2", error=error),
        result("zenith"),
        result("empty", Outcome.DOWNGRADED, after=None),
        result("lost", Outcome.UNKNOWN, before=None, after=None, error=LockHeld("Lost.")),
        result("one", Outcome.AT_HEAD),
        result("two", Outcome.AT_HEAD),
    ]

    text = rollout("a5", results, 2.5, PLAIN)

    assert text == (
        "tenant  outcome     before  after  seconds\n"
        "acme    failed      a1      a2     1.2\n"
        "lost    unknown     ?       ?      1.2\n"
        "zenith  upgraded    a1      a5     1.2\n"
        "empty   downgraded  a1      base   1.2\n"
        "\n"
        "acme: it failed.\n  It stands at a2.\n  Fix it.\n"
        "\n"
        "lost: Lost.\n  Nothing was changed.\n"
        "\n"
        "6 tenants: 1 failed, 1 upgraded, 1 downgraded, 1 unknown, 2 at head (head a5), in 2.5 s"
    )


def test_one_problem_is_told_once() -> None:
    """A server that is away is one problem, however many tenants it has; skipped ones are one."""
    names = ("acme", "zenith", "third", "fourth", "fifth")
    away = Unreachable("h:3306 cannot be reached.", next="Check the network: ebhook status")

    def skipped(name: str) -> Skipped:
        return Skipped(
            f"{name}: not started: halted.", "It stands at a1.", then(ebhook("upgrade", name))
        )

    text = rollout(
        "a5",
        [result(name, Outcome.UNREACHABLE, before=None, after=None, error=away) for name in names]
        + [result(f"{n}2", Outcome.SKIPPED, after="a1", error=skipped(f"{n}2")) for n in "ab"]
        + [result("one", Outcome.SKIPPED, after="a2", error=replaced(skipped("one"), "a2"))],
        1,
        PLAIN,
    )

    assert (
        "acme, zenith, third and 2 more: h:3306 cannot be reached.\n"
        "  Nothing was changed.\n"
        "  Check the network: ebhook status\n\n"
        "a2, b2: not started: halted.\n  It stands at a1.\n  ebhook upgrade a2 b2\n\n"
        "one: not started: halted.\n  It stands at a2.\n  ebhook upgrade one\n\n"
    ) in text
    assert "fifth   unreachable  ?       ?" in text


def replaced(error: Skipped, at: str) -> Skipped:
    return Skipped(error.what, f"It stands at {at}.", error.next)


def test_another_target_than_head_is_not_called_head() -> None:
    """`upgrade --to`, and `downgrade` to where a tenant is already."""
    results = [result("acme", Outcome.AT_HEAD, before="a3", after="a3")]

    assert "1 there already (head a5)" in rollout("a5", results, 1, PLAIN, target="a3")
    assert "1 at head (head a5)" in rollout("a5", results, 1, PLAIN, target="a5")
    assert "(the chain is empty)" in rollout(None, results, 1, PLAIN)


def test_the_text_of_the_status() -> None:
    """A line per tenant, what is wrong first; the problems below, the head last."""
    text = status(
        "a5",
        [
            standing("acme", lock=ROW),
            standing("odd", State.UNREACHABLE, revisions=(), behind=None, error=LockHeld("No.")),
        ],
        PLAIN,
    )

    second, first, *_ = text.split("\n")[1:]
    assert first.split()[:4] == ["acme", "at", "head", "a5"]
    assert "i-0abc:412 (v512) since 2026-03-01 12:00:07 UTC" in first
    assert second.split()[:4] == ["odd", "unreachable", "-", "-"]
    assert "odd: No.\n" in text
    assert text.endswith("head: a5")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (None, "-"),
        (ROW, "i-0abc:412 (v512) since 2026-03-01 12:00:07 UTC"),
        (
            replace(ROW, alive=False),
            "i-0abc:412 (v512) since 2026-03-01 12:00:07 UTC, its session is gone",
        ),
        (FREEZE, "Eve (by hand) since 2026-03-01 12:00:07 UTC, frozen"),
        (
            replace(FREEZE, holder=None, since=None),
            "a row that was made by hand, frozen",
        ),
        (ROWLESS, "MySQL connection 77 (finishing, or its row was deleted)"),
    ],
)
def test_the_text_of_a_lock(row: LockRow | None, text: str) -> None:
    """Who, which bundle, since when, and whether that is still true."""
    assert lock_text(row) == text


def test_many_that_ended_alike_are_one_line() -> None:
    """A canary that failed before a thousand tenants is not a thousand lines; what was begun, is told."""
    skipped = [
        result(f"t{n}", Outcome.SKIPPED, after="a1", seconds=0.0, error=Skipped(f"t{n}: no."))
        for n in range(ALIKE + 2)
    ]

    text = rollout("a5", [result("acme", Outcome.FAILED), *skipped], 1, PLAIN)

    assert f"t0 and {ALIKE + 1} more  skipped" in text
    assert text.count("skipped  a1") == 1
    assert re.search("^acme +failed +a1 +a5 +1.2$", text, re.M)


def test_cells_of_any_text() -> None:
    """A line stays a line, and columns stay columns, with line feeds, controls and wide letters."""
    text = table(("name", "note"), [("東京", "a\nb"), ("x\x1b[2J", "c"), ("é", "d")])

    assert text.split("\n") == [
        "name      note",
        "東京      a\\nb",
        "x\\x1b[2J  c",
        "é         d",
    ]


def test_what_to_do_about_each_standing() -> None:
    """A line for what is behind, half done, frozen, left by the dead, or edited; none for what is
    well, or at work."""
    half = UnfinishedRevision("upgrade", "a3", ("a2",), 2)
    text = status(
        "a5",
        [
            standing("well"),
            standing("late", State.BEHIND, behind=2),
            standing("new", State.EMPTY, behind=5),
            standing("torn", State.BEHIND, behind=2, half=half),
            standing("odd", State.BEHIND, behind=2, half=replace(half, in_doubt=True)),
            standing("newer", State.AHEAD, ahead=1, half=half),
            standing("busy", State.BEHIND, behind=2, half=half, lock=ROW),
            standing("ice", lock=FREEZE),
            standing("dead", lock=replace(ROW, alive=False)),
            standing("other", edited=("a2",)),
        ],
        PLAIN,
    )

    *_, next, sums = text.split("\n\n")
    assert next.split("\n") == [
        "odd is in doubt. Look, and say what happened: ebhook resolve odd",
        "torn is half done. Why: ebhook history torn; what would run, and runs without --dry-run: ebhook upgrade torn",
        "newer is half done by a newer bundle, which goes on with it: ebhook history newer",
        "late, new are behind; what would run, and runs without --dry-run: ebhook upgrade late new",
        "ice: frozen by hand; lock clear ends that. See: ebhook lock list ice",
        "dead: the lock's holder is gone. The next upgrade takes it over: ebhook lock list dead",
        "other: files changed after they were applied; see: ebhook lint --applied",
    ]
    assert sums == "10 tenants: 4 at head, 4 behind, 1 empty, 1 ahead; head: a5"
    assert "a3 half applied, 2 statements in" in text
    assert "a3 under way, 2 statements in" in text
    assert "a3 in doubt, 2 statements in" in text


def test_each_problem_of_the_survey_is_said_once() -> None:
    """A server that is away is told for its first tenant; the report has the others, the log has all."""
    stream = io.StringIO()
    report = Reporter(stream, live=False)

    def away(name: str) -> Unreachable:
        return Unreachable(f"{name}: away.", "")

    for name in ("acme", "zenith"):
        report.emit(TenantDone(name, Outcome.UNREACHABLE, None, None, 0.0, away(name)))
    report.emit(TenantDone("third", Outcome.FAILED, None, None, 1.0, away("third")))

    assert stream.getvalue() == "acme: unreachable: away.\nthird: failed: away.\n"


def test_waiting_in_turns_is_said_once() -> None:
    """A tenant that is put back again and again is told anew only after it was locked meanwhile."""
    stream = io.StringIO()
    report = Reporter(stream, live=False)

    for event in (
        PutBack("acme", "acme: held by i."),
        PutBack("acme", "acme: held by i; waited 1 s."),
        LockTaken("acme", 7),
        PutBack("acme", "The connection was lost."),
    ):
        report.emit(event)

    assert stream.getvalue().splitlines() == [
        "acme: held by i. Put back.",
        "acme: The connection was lost. Put back.",
    ]


def test_passwords_of_strangers() -> None:
    """The password of any URL is hidden, also of a database that the settings know nothing of."""
    report = Reporter(io.StringIO(), live=False)

    assert report.hide("no: redis://app:hunter2x@h/0, http://h:80/a@b") == (
        "no: redis://app:***@h/0, http://h:80/a@b"
    )


@pytest.mark.parametrize("alike", [True, False])
def test_the_last_fifty_lines_tell_a_failed_deployment(alike: bool) -> None:
    """Elastic Beanstalk shows no more of a failed step: with 80 agencies failing, alike or each in its
    own way, they have a cause, a next command and the sum."""
    results = [
        result(
            f"a{n:02}",
            Outcome.FAILED,
            error=MigrationFailed(
                f"a{n:02}: revision b2 failed at statement 1: Unknown column '{0 if alike else n}'.",
                "It stands at a1.",
                then("Mend the file, then: ", ebhook("upgrade", f"a{n:02}")),
            ),
        )
        for n in range(80)
    ]

    last = rollout("b2", results, 1.0, PLAIN).splitlines()[-50:]

    assert any("revision b2 failed at statement 1: Unknown column" in line for line in last)
    assert any("ebhook upgrade" in line for line in last)
    assert "80 tenants: 80 failed" in last[-1]


# --- screens -----------------------------------------------------------------------------------


@given(
    st.lists(st.lists(st.text("ab ", max_size=30), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(10, 80),
)
def test_a_narrow_terminal_breaks_no_word(lines: list[list[str]], width: int) -> None:
    """Every word of a table is whole on some line, in the order of its cell; and a line is as narrow
    as its longest word lets it be."""
    laid = laid_out(lines, width)

    words = {word for line in lines for cell in line for word in cell.split()}
    assert words <= {word for line in laid for word in line.split()}


def test_prose_is_broken_and_commands_are_not() -> None:
    """What is pasted from a screen is one command; SQL and differences stay as they are."""
    next = then("Fix it, then: ", ebhook("upgrade", "acme", words=["--to", "7f3a"]))
    sql = "    ALTER TABLE clients ADD COLUMN a_very_long_name INT NOT NULL"

    shown = plain(broken(f"acme: it failed.\n  {PLAIN.text(next)}\n{sql}", 30)).split("\n")

    assert shown == [
        "acme: it failed.",
        "  Fix it, then:",
        "  ebhook upgrade acme --to 7f3a",
        sql,
    ]


def test_colours_are_for_terminals() -> None:
    """A state has its colour there, and is a plain word elsewhere."""
    text = table(("tenant", "state"), [("acme", "failed"), ("failed b", "at head")])

    assert coloured(text, colours=False).split("\n")[1:] == [
        "acme      failed",
        "failed b  at head",
    ]
    assert "\x1b[31mfailed\x1b[0m" in coloured(text, colours=True)
    assert "\x1b[32mat head\x1b[0m" in coloured(text, colours=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.084, "0.08 s"), (2.53, "2.5 s"), (34.4, "34 s"), (60, "1 min"), (125.2, "2 min 5 s")],
)
def test_seconds_have_no_false_precision(seconds: float, text: str) -> None:
    """No more digits than mean something."""
    assert said_seconds(seconds) == text
