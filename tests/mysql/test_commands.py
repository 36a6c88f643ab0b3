"""The commands as an engineer types them, and as scripts read them."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pytest

from ebhook.cli import cli
from ebhook.database.connection import connect
from ebhook.database.url import parse_url
from ebhook.holder import Holder
from ebhook.lock.lock import TenantLock
from ebhook.settings import KEYS, variable_of
from tests.conftest import AnyServer, Ebhook, Fleets, clean_environment
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import OWN, general_log
from tests.support.snapshot import Snapshot, snapshot
from tests.support.watching import PATIENCE, ask, until

ROOT = Path(__file__).parents[2]

Make = Callable[..., Agency]


@pytest.fixture
def agency(fleet: Fleets, ebhook: Ebhook) -> Make:
    """``agency(2)``: so many tenants of a project; ``at="a003"`` brings them there."""

    def make(count: int, project: Path = PROJECTS / "linear", *, at: str | None = None) -> Agency:
        tenants = Agency(fleet(count), ebhook, project)
        if at is not None:
            ran = tenants.run("upgrade", "--to", at)
            assert ran.code == 0, ran.stderr
        return tenants

    return make


def everything(tenants: Agency) -> Snapshot:
    return snapshot(tenants.fleet.server, tenants.names)


def of_the_application(whole: Snapshot, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """One database's schema and rows, less ebhook's own tables and the database's name."""
    own = set(OWN) - {"alembic_version"}
    return {
        part: [row for row in rows if row[0] not in own]
        for (database, part), rows in whole.items()
        if database == name and part != "schemata" and part.removeprefix("rows of ") not in own
    }


# --- upgrade ---------------------------------------------------------------------------------------


def test_upgrade_to_a_revision(agency: Make) -> None:
    """One tenant, as far as it is asked; the others are not touched; then on to head."""
    tenants = agency(2)
    first, other = tenants.names

    ran = tenants.run("upgrade", first, "--to", "a003", "--json")

    assert ran.code == 0, ran.stderr
    document = ran.json()
    assert document.keys() == {"head", "exit_code", "tenants"}
    assert (document["head"], document["exit_code"]) == ("a005", 0)
    (tenant,) = document["tenants"]
    assert tenant.keys() == {"tenant", "outcome", "before", "after", "seconds", "error"}
    assert tenant["tenant"] == first
    assert (tenant["outcome"], tenant["before"], tenant["after"]) == ("upgraded", None, "a003")
    assert tenant["error"] is None
    assert (tenants.version(first), tenants.version(other)) == ("a003", None)
    assert tenants.tables(other) == set()

    on = tenants.run("upgrade", first)
    assert on.code == 0, on.stderr
    assert re.search(rf"^{first} +upgraded +a003 +a005 ", on.stdout, re.M)
    assert tenants.version(first) == "a005"


def test_upgrade_to_where_it_has_been(agency: Make) -> None:
    """Never goes back: a tenant that has the revision already is left as it is, and it says so."""
    tenants = agency(1, at="a003")
    before = everything(tenants)

    for target in ("a001", "a003"):
        ran = tenants.run("upgrade", "--to", target)
        assert ran.code == 0, ran.stderr
        assert "1 there already (head a005)" in ran.stdout

    assert everything(tenants) == before


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("zzz", "The chain has no revision 'zzz'."),
        ("a00", "is the start of several revisions: a001, a002, a003, a004, a005."),
    ],
)
def test_upgrade_to_what_is_no_revision(agency: Make, target: str, complaint: str) -> None:
    """64, before any tenant is asked."""
    ran = agency(1).run("upgrade", "--to", target)

    assert ran.code == 64
    assert complaint in ran.stderr
    assert "ebhook history" in ran.stderr


def test_migrations_may_print(agency: Make) -> None:
    """What env.py and revisions write never mixes with the one JSON document on stdout."""
    ran = agency(1, PROJECTS / "prints").run("upgrade", "--json")

    assert ran.code == 0, ran.stderr
    assert ran.json()["tenants"][0]["outcome"] == "upgraded"
    assert " | " in ran.stderr


def test_a_canary_that_is_not_there(agency: Make) -> None:
    """A wrong name is told, and does not mean that there is no canary: the first tenant is."""
    tenants = agency(2, PROJECTS / "fails_midway")
    like = tenants.names[0].rpartition("_")[0].replace("_", "\\_") + "%"

    ran = tenants.run("boot", tenants_names=None, tenants_like=like, rollout_canary="nobody")

    assert ran.code == 2
    assert "rollout.canary: there is no tenant nobody" in ran.stderr
    assert f"canary wave: {tenants.names[0]}" in ran.stderr
    assert tenants.tables(tenants.names[1]) == set()


# --- upgrade --dry-run -----------------------------------------------------------------------------


@pytest.mark.parametrize("at", [None, "a002"])
def test_dry_run_shows_what_then_runs(agency: Make, server: AnyServer, at: str | None) -> None:
    """It changes nothing at all; its SQL, run by hand elsewhere, leads to the very same database;
    and a real upgrade runs the very same statements."""
    tenants = agency(2, at=at)
    real, by_hand = tenants.names
    before = everything(tenants)

    dry = tenants.run("upgrade", real, "--dry-run")
    documents = tenants.run("upgrade", real, "--dry-run", "--json").json()

    assert dry.code == 0, dry.stderr
    assert "nothing is changed" in dry.stderr
    assert everything(tenants) == before
    heading, script = dry.stdout.split("\n", 1)
    assert heading == f"-- {real}"
    (document,) = documents["tenants"]
    assert (document["before"], document["after"]) == (at, at)

    with server.connect(database=by_hand) as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                ask(connection, statement)
    with general_log(server) as log:
        ran = tenants.run("upgrade", real)
        done = log.changes()[real]

    assert ran.code == 0, ran.stderr
    after = everything(tenants)
    assert of_the_application(after, real) == of_the_application(after, by_hand)
    assert ddl(document["sql"]) == ddl(done)


def ddl(statements: list[str]) -> list[str]:
    """The statements that define something, less ALGORITHM clauses, on one line each."""
    found = (" ".join(re.sub(r", ALGORITHM=.*", "", sql).split()) for sql in statements)
    return [
        sql
        for sql in found
        if re.match("CREATE|ALTER|DROP", sql) and not any(name in sql for name in OWN)
    ]


def test_dry_run_of_the_agencys_chain(agency: Make, server: AnyServer) -> None:
    """Fourteen real revisions, indexes, foreign keys and a character set among them."""
    tenants = agency(2, ROOT)
    real, by_hand = tenants.names
    settings = {"migrations": "migrations"}

    dry = tenants.run("upgrade", real, "--dry-run", **settings)
    assert dry.code == 0, dry.stderr
    with server.connect(database=by_hand) as connection:
        for statement in dry.stdout.split(";\n"):
            if statement.strip():
                ask(connection, statement)
    ran = tenants.run("upgrade", real, **settings)

    assert ran.code == 0, ran.stderr
    after = everything(tenants)
    assert of_the_application(after, real) == of_the_application(after, by_hand)


def test_dry_run_as_far_as_asked(agency: Make) -> None:
    """--to ends it there; --json has the statements by tenant."""
    ran = agency(2, at="a002").run("upgrade", "--dry-run", "--to", "a003", "--json")

    assert ran.code == 0, ran.stderr
    for tenant in ran.json()["tenants"]:
        assert [sql.split()[0] for sql in tenant["sql"]] == ["ALTER", "UPDATE"]
        assert "tier" in tenant["sql"][0]


def test_dry_run_of_what_is_the_same(agency: Make) -> None:
    """Tenants that would get the same statements have them once, under all their names."""
    tenants = agency(3, at="a003")
    first, second, other = tenants.names
    assert tenants.run("upgrade", other, "--to", "a004").code == 0

    ran = tenants.run("upgrade", "--dry-run")

    assert ran.code == 0, ran.stderr
    headings = [line for line in ran.stdout.splitlines() if line.startswith("--")]
    assert headings == [f"-- {first}, {second}", f"-- {other}"]
    assert ran.stdout.count("ALTER TABLE visits ADD COLUMN notes") == 1


def test_dry_run_of_a_half_applied_revision(agency: Make) -> None:
    """It says which of its statements are in already."""
    tenants = agency(1, PROJECTS / "fails_midway")
    assert tenants.run("upgrade").code == 2

    ran = tenants.run("upgrade", "--dry-run")

    assert "-- a002 is half applied: its first 2 statements will be skipped" in ran.stdout


def test_dry_run_says_whom_it_could_not_read(agency: Make) -> None:
    """Each problem with all of its tenants, in three parts."""
    tenants = agency(1)
    names = f"{tenants.names[0]},absent,nowhere"

    ran = tenants.run("upgrade", "--dry-run", tenants_names=names)

    assert ran.code == 2
    assert "absent, nowhere: There is no database …" in ran.stderr
    assert ran.stdout.startswith(f"-- {tenants.names[0]}\n")


def test_dry_run_of_nothing(agency: Make) -> None:
    """At head there is nothing to show."""
    ran = agency(1, at="a005").run("upgrade", "--dry-run")

    assert (ran.code, ran.stdout) == (0, "")


def test_dry_run_needs_no_right_to_write(agency: Make, server: AnyServer) -> None:
    """Whoever may read can see what would be done."""
    tenants = agency(1, at="a003")
    with server.connect() as connection:
        ask(connection, "CREATE USER reader@'%' IDENTIFIED BY 'x'")
        try:
            ask(connection, f"GRANT SELECT ON `{tenants.names[0]}`.* TO reader@'%'")
            url = tenants.fleet.template.replace("root", "reader:x")
            ran = tenants.run("upgrade", "--dry-run", tenants_url=url)
        finally:
            ask(connection, "DROP USER reader@'%'")

    assert ran.code == 0, ran.stderr
    assert "ALTER TABLE visits ADD COLUMN notes TEXT;" in ran.stdout


# --- downgrade -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "end", "undone"),
    [
        ("-1", "a004", ["a005"]),
        ("a001", "a001", ["a005", "a004", "a003", "a002"]),
        ("base", None, ["a005", "a004", "a003", "a002", "a001"]),
    ],
)
def test_downgrade(agency: Make, revision: str, end: str | None, undone: list[str]) -> None:
    """So many steps, to a revision, or everything; the other tenants stay; and up again."""
    tenants = agency(2, at="a005")
    first, other = tenants.names
    before = everything(tenants)

    ran = tenants.run("downgrade", first, revision, "--yes", "--json")

    assert ran.code == 0, ran.stderr
    (tenant,) = ran.json()["tenants"]
    assert (tenant["outcome"], tenant["before"], tenant["after"]) == ("downgraded", "a005", end)
    told = re.findall(rf"^{first}: (a\d+) ", ran.stderr, re.M)
    assert told == undone
    assert tenants.version(first) == end
    after = everything(tenants)
    assert of_the_application(after, other) == of_the_application(before, other)

    again = tenants.run("upgrade", first)
    assert again.code == 0, again.stderr
    after = everything(tenants)
    assert of_the_application(after, first) == of_the_application(before, first)


def test_downgrade_asks_and_nobody_is_there(agency: Make) -> None:
    """Without a terminal it refuses, naming what would be lost, and how to say it."""
    tenants = agency(1, at="a005")
    before = everything(tenants)

    ran = tenants.run("downgrade", tenants.names[0], "-2")

    assert ran.code == 64
    assert "a005  JMS-5 add visit_kinds" in ran.stderr
    assert "a004  JMS-4 add notes to visits" in ran.stderr
    assert "a003" not in ran.stderr
    assert "--yes" in ran.stderr
    assert everything(tenants) == before


def test_downgrade_asks(agency: Make) -> None:
    """On a terminal the question is readable, with what is lost above it, and only y means yes."""
    tenants = agency(1, at="a005")
    for answer, code, end in (("n", 64, "a005"), ("", 64, "a005"), ("y", 0, "a004")):
        ended, shown = on_a_terminal(
            tenants, "downgrade", tenants.names[0], "-1", question="[y/N]", answer=answer
        )

        assert ended == code, shown
        lines = shown.replace("\r\n", "\n").partition("[y/N]")[0].splitlines()
        assert lines[-2:] == ["  a005  JMS-5 add visit_kinds", "Go back? "]
        assert "\x1b" not in "".join(lines)  # nothing draws over the question
        assert tenants.version(tenants.names[0]) == end


def on_a_terminal(tenants: Agency, *arguments: str, question: str, answer: str) -> tuple[int, str]:
    """Runs ebhook with a terminal, and answers its question; the exit code and what was shown."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ebhook", *arguments],
        cwd=tenants.project,
        env=clean_environment() | tenants.env() | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C is a signal there
    )
    os.close(theirs)
    shown, asked = b"", False
    try:
        while chunk := read(ours):
            shown += chunk
            if question.encode() in shown and not asked:
                asked = True
                os.write(ours, f"{answer}\n".encode())
        return process.wait(timeout=60), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way to say that nobody has the other side any more
        return b""


def test_a_terminal_shows_who_does_what(agency: Make) -> None:
    """The live display names the tenant at work; the report stands below it in the end."""
    tenants = agency(12)

    code, shown = on_a_terminal(tenants, "boot", question="no question", answer="")

    assert code == 0, shown
    assert any(f"\x1b[1m{name}\x1b[0m" in shown for name in tenants.names)
    assert "12 tenants: 12 upgraded (head a005)" in shown.splitlines()[-1]


def test_downgrade_to_where_it_cannot_go(agency: Make) -> None:
    """64, in three parts, and nothing happens."""
    tenants = agency(2)
    at_a002, at_base = tenants.names
    assert tenants.run("upgrade", at_a002, "--to", "a002").code == 0
    before = everything(tenants)

    for name, revision, complaint in (
        (at_a002, "a004", "stands at a002, which is before a004"),
        (at_a002, "zzz", "The chain has no revision 'zzz'."),
        (at_a002, "-7", "Going 7 back from a002 is more than there is."),
        (at_base, "-1", "Going 1 back from base is more than there is."),
    ):
        ran = tenants.run("downgrade", name, revision, "--yes")
        assert ran.code == 64
        assert complaint in ran.stderr
        assert "Nothing was changed." in ran.stderr

    assert everything(tenants) == before


@pytest.mark.parametrize("revision", ["-1", "a003", "base"])
def test_downgrade_of_what_a_newer_bundle_did(agency: Make, tmp_path: Path, revision: str) -> None:
    """2: this bundle cannot undo what it does not have; it says which can."""
    tenants = agency(1, at="a005")
    (name,) = tenants.names
    older = tmp_path / "older"
    shutil.copytree(tenants.project, older)
    for file in (older / "migrations" / "versions").glob("a005*.py"):
        file.unlink()
    before = everything(tenants)

    ran = replace(tenants, project=older).run("downgrade", name, revision, "--yes")

    assert ran.code == 2
    assert f"{name}: stands at a005, which only a newer bundle knows" in ran.stderr
    assert f"ebhook downgrade {name} {revision}" in ran.stderr
    assert everything(tenants) == before


def test_downgrade_to_where_it_stands(agency: Make) -> None:
    """Nothing to undo, nothing to ask."""
    tenants = agency(2)
    at_a002, at_base = tenants.names
    assert tenants.run("upgrade", at_a002, "--to", "a002").code == 0

    for name, revision in ((at_base, "base"), (at_a002, "a002"), (at_a002, "-0")):
        ran = tenants.run("downgrade", name, revision)
        assert ran.code == 0, ran.stderr
        assert "1 there already" in ran.stdout


# --- status ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["status", "current"])
def test_status_for_programs(agency: Make, command: str) -> None:
    """The keys and states that scripts depend on, in the configured order."""
    tenants = agency(4)
    head, behind, empty, odd = tenants.names
    assert tenants.run("upgrade", head).code == 0
    assert tenants.run("upgrade", behind, "--to", "a002").code == 0
    tenants.stand(odd, "zzz")

    ran = tenants.run(command, "--json")

    assert ran.code == 2, ran.stderr  # a person is needed for the unknown revision
    document = ran.json()
    assert document.keys() == {"head", "tenants"}
    assert document["head"] == "a005"
    for tenant in document["tenants"]:
        assert tenant.keys() >= {"tenant", "state", "revision", "behind", "lock"}
    assert [
        (tenant["tenant"], tenant["state"], tenant["revision"], tenant["behind"], tenant["lock"])
        for tenant in document["tenants"]
    ] == [
        (head, "at_head", "a005", 0, None),
        (behind, "behind", "a002", 3, None),
        (empty, "empty", None, 5, None),
        (odd, "unknown_revision", "zzz", None, None),
    ]


@pytest.mark.parametrize("command", ["status", "current"])
def test_status_for_people(agency: Make, command: str) -> None:
    """A table with a line per tenant, then the head; only the tenants that were asked for."""
    tenants = agency(3, at="a005")
    assert tenants.run("downgrade", tenants.names[1], "-2", "--yes").code == 0

    ran = tenants.run(command, *tenants.names[1:])

    assert ran.code == 1
    heading, first, second, *_ = ran.stdout.splitlines()
    assert heading.split()[:5] == ["tenant", "state", "revision", "behind", "lock"]
    assert first.split()[:4] == [tenants.names[1], "behind", "a003", "2"]
    assert second.split()[:5] == [tenants.names[2], "at", "head", "a005", "0"]
    assert ran.stdout.endswith("head: a005\n")
    assert tenants.names[0] not in ran.stdout


def test_status_exit_codes(agency: Make) -> None:
    """0 all at head, 1 one is behind, 75 one cannot be reached, 2 one needs a person."""
    tenants = agency(2, at="a005")
    first, second = tenants.names
    nowhere = tenants.fleet.template.replace(str(tenants.fleet.server.port), "1")

    codes = [tenants.run("status").code]
    tenants.run("downgrade", first, "-1", "--yes")
    codes.append(tenants.run("status").code)
    codes.append(tenants.run("status", second).code)
    codes.append(tenants.run("status", tenants_url=nowhere, connect_timeout=1).code)
    tenants.ask(second, "UPDATE alembic_version SET version_num = 'zzz'")
    codes.append(tenants.run("status").code)

    assert codes == [0, 1, 0, 75, 2]


def test_status_is_watched(agency: Make) -> None:
    """Without a terminal: a block for each look, until Ctrl-C; the exit code is the last look's."""
    tenants = agency(1)
    watching = tenants.start("status", "--watch", "--every", "0.1")
    watching.await_event("Status")
    assert tenants.run("upgrade").code == 0
    until(
        lambda: [
            event
            for event in watching.events("Status")
            if event["tenants"][0]["state"] == "at_head"
        ],
        "a look after the upgrade",
    )

    watching.process.send_signal(signal.SIGINT)
    ran = watching.end()

    assert ran.code == 0, ran.stderr
    assert ran.stderr == ""
    assert "1 tenant: 1 empty; head: a005" in ran.stdout
    assert "1 tenant: 1 at head; head: a005" in ran.stdout
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", ran.stdout, re.M)) > 1


def test_a_watch_ends_with_its_reader(agency: Make) -> None:
    """`ebhook status --watch | head` does not go on for nobody."""
    watching = agency(1).start("status", "--watch", "--every", "0.1")
    assert watching.process.stdout is not None
    watching.process.stdout.readline()
    watching.process.stdout.close()

    assert watching.process.wait(timeout=PATIENCE) == 1  # it is behind


def test_status_is_watched_on_a_terminal(agency: Make) -> None:
    """In place, with what is to be seen first; the last look stays."""
    tenants = agency(2)
    assert tenants.run("upgrade", tenants.names[0]).code == 0

    code, shown = on_a_terminal(
        tenants, "status", "--watch", "--every", "0.1", question="Ctrl-C ends it", answer="\x03"
    )

    assert code == 1, shown
    first = shown.partition("Ctrl-C ends it")[0]
    assert first.index(tenants.names[1]) < first.index(tenants.names[0])  # what is behind
    last = shown.replace("\r", "").rstrip().splitlines()[-5:]
    assert last[-1] == "2 tenants: 1 at head, 1 empty; head: a005"


def test_programs_do_not_watch(agency: Make) -> None:
    """64: --json is one document."""
    ran = agency(1).run("status", "--watch", "--json")

    assert ran.code == 64
    assert ran.json()["error"]["next"].endswith("ebhook status --json")


def test_status_writes_nothing(agency: Make) -> None:
    """Looking leaves no table behind, and needs no right to write."""
    tenants = agency(1)
    before = everything(tenants)

    for command in (["status"], ["lock", "list"], ["history", "--all"]):
        tenants.run(*command)

    assert everything(tenants) == before


# --- lock list and lock clear ----------------------------------------------------------------------


def held(tenants: Agency, name: str, instance: str = "i-0abc") -> AbstractContextManager[bool]:
    """The tenant's lock, held by another instance for as long as the block runs."""
    connection = connect(parse_url(tenants.fleet.url(name)), database=name, timeout=10)
    lock = TenantLock(connection, name, "migration_lock", named=True)
    holder = Holder(instance, 412, "prod", "v512", "boot", "")
    return lock.held(holder, wait=0, emit=lambda event: None, done=lambda: False)


def left_by_the_dead(tenants: Agency, name: str) -> str:
    """The row of a holder whose session is gone; its id."""
    with held(tenants, name, "i-0dead"):
        row = tenants.ask(name, "SELECT * FROM migration_lock")[0]
    columns = [row[0] for row in tenants.ask(name, "SHOW COLUMNS FROM migration_lock")]
    values = dict(zip(columns, row, strict=True))
    with tenants.fleet.connect(name) as connection:
        ask(
            connection,
            "INSERT INTO migration_lock (id, token, holder, pid, connection_id, acquired_at) "
            "VALUES (1, %s, 'i-0dead', 13, 999999, UTC_TIMESTAMP(6))",
            values["token"],
        )
    return str(values["token"])


def freeze(tenants: Agency, name: str) -> None:
    """A row that a person makes, in the table as ebhook has it."""
    with held(tenants, name):
        pass
    tenants.ask(name, "INSERT INTO migration_lock (holder) VALUES ('Eve')")


def locks(tenants: Agency, *names: str) -> dict[str, Any]:
    ran = tenants.run("lock", "list", *names, "--json")
    assert ran.code == 0, ran.stderr
    return {one["tenant"]: one["lock"] for one in ran.json()["locks"]}


def test_no_locks(agency: Make) -> None:
    """Said, not shown as an empty table."""
    tenants = agency(2)

    assert tenants.run("lock", "list").stdout == "No tenant is locked.\n"
    assert tenants.run("lock", "list", "--json").json() == {"locks": [], "unread": []}
    cleared = tenants.run("lock", "clear", "--all")
    assert (cleared.code, cleared.stdout) == (0, "No tenant is locked.\n")


def test_lock_list(agency: Make) -> None:
    """Alive, left by the dead, made by hand, and none; who, since when, which bundle, which id."""
    tenants = agency(4)
    living, dead, frozen, free = tenants.names
    token = left_by_the_dead(tenants, dead)
    freeze(tenants, frozen)

    with held(tenants, living):
        found = locks(tenants)
        table = tenants.run("lock", "list").stdout
        status = tenants.run("status", "--json").json()

    assert list(found) == [living, dead, frozen]
    assert {name: (one["holder"], one["alive"], one["frozen"]) for name, one in found.items()} == {
        living: ("i-0abc", True, False),
        dead: ("i-0dead", False, False),
        frozen: ("Eve", False, True),
    }
    assert (found[living]["pid"], found[living]["version_label"]) == (412, "v512")
    assert found[dead]["token"] == token
    assert all(datetime.fromisoformat(one["since"]).tzinfo is not None for one in found.values())
    assert {t["tenant"]: t["lock"] for t in status["tenants"]} == {**found, free: None}
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert "(v512)" in lines[living]
    assert "its session is gone" in lines[dead]
    assert token in lines[dead]
    assert "frozen" in lines[frozen]
    assert free not in lines


def test_lock_list_says_what_it_could_not_read(agency: Make) -> None:
    """A tenant that is not there is no free tenant: the exit code and stderr say so."""
    tenants = agency(1)

    ran = tenants.run("lock", "list", tenants_names=f"{tenants.names[0]},nowhere")

    assert ran.code == 2
    assert "no database 'nowhere'" in ran.stderr


def test_clear_a_dead_holders_lock(agency: Make) -> None:
    """What is cleared is named, with its id, and the journal remembers it."""
    tenants = agency(1, at="a001")
    (name,) = tenants.names
    token = left_by_the_dead(tenants, name)

    ran = tenants.run("lock", "clear", name)

    assert ran.code == 0, ran.stderr
    assert ran.stdout.startswith(f"{name}: cleared the lock of i-0dead")
    assert token in ran.stdout
    assert locks(tenants) == {}
    history = tenants.run("history", name)
    assert "lock cleared" in history.stdout
    assert token in history.stdout
    assert tenants.run("lock", "clear", name).stdout == "No tenant is locked.\n"


@pytest.mark.parametrize("everybody", [False, True])
def test_clear_refuses_a_living_holder(agency: Make, everybody: bool) -> None:
    """75: its lock stays, and it is said how to end its session."""
    tenants = agency(1)
    (name,) = tenants.names
    with held(tenants, name):
        ran = tenants.run("lock", "clear", "--all" if everybody else name)
        still = locks(tenants)

    assert ran.code == 75
    assert "is alive" in ran.stderr
    assert f"ebhook lock clear {name} --kill" in ran.stderr
    assert still[name]["alive"]


def test_clear_kills_a_living_holder(agency: Make, server: AnyServer) -> None:
    """--kill ends the session that was shown, and then its lock is cleared."""
    tenants = agency(1)
    (name,) = tenants.names
    with held(tenants, name):
        (before,) = locks(tenants).values()
        ran = tenants.run("lock", "clear", name, "--kill", "--json")
        with server.connect() as connection:
            sessions = {row[0] for row in ask(connection, "SHOW PROCESSLIST")}

    assert ran.code == 0, ran.stderr
    (document,) = ran.json()["locks"]
    assert (document["tenant"], document["cleared"], document["error"]) == (name, True, None)
    assert document["lock"]["token"] == before["token"]
    assert before["connection_id"] not in sessions
    assert locks(tenants) == {}


def test_clear_a_freeze(agency: Make) -> None:
    """By name it is cleared; --all leaves it, unless --frozen is said as well."""
    tenants = agency(2)
    first, second = tenants.names
    freeze(tenants, first)
    freeze(tenants, second)

    spared = tenants.run("lock", "clear", "--all")
    assert spared.code == 75
    assert "frozen by hand" in spared.stderr
    assert f"ebhook lock clear {first} {second}" in spared.stderr
    assert list(locks(tenants)) == [first, second]

    by_name = tenants.run("lock", "clear", first)
    assert by_name.code == 0, by_name.stdout
    assert list(locks(tenants)) == [second]

    all_of_them = tenants.run("lock", "clear", "--all", "--frozen")
    assert all_of_them.code == 0, all_of_them.stdout
    assert locks(tenants) == {}


def test_freeze_and_clear(agency: Make) -> None:
    """A frozen tenant costs a boot no waiting, and the instance starts where the setting says so."""
    tenants = agency(3)
    first, second, third = tenants.names

    frozen = tenants.run("lock", "freeze", first, "-m", "restoring a dump")
    assert frozen.code == 0, frozen.stderr
    assert "restoring a dump" in frozen.stdout
    (lock,) = locks(tenants).values()
    assert lock["frozen"]
    assert lock["holder"].endswith(": restoring a dump")

    stopped = tenants.run("boot", "--json")
    assert stopped.code == 75
    assert stopped.seconds < 60
    assert tenants.outcomes(stopped) == {first: "frozen", second: "skipped", third: "skipped"}
    started = tenants.run("boot", "--json", boot_on_frozen="start")
    assert started.code == 0, started.stderr
    assert tenants.outcomes(started) == {first: "frozen", second: "upgraded", third: "upgraded"}
    assert "boot.on_frozen" in started.stderr

    again = tenants.run("lock", "freeze", first, "-m", "another reason")
    assert again.code == 75
    assert "restoring a dump" in again.stderr
    assert tenants.run("lock-clear", first).code == 0
    assert tenants.run("boot").code == 0


def test_clear_by_id(agency: Make) -> None:
    """The lock with the id that was seen, and not one that took its place."""
    tenants = agency(1)
    (name,) = tenants.names
    token = left_by_the_dead(tenants, name)

    other = tenants.run("lock", "clear", name, "--id", "0" * 32)
    assert other.code == 75
    assert token in other.stderr
    assert tenants.run("lock", "clear", name, "--id", token).code == 0
    assert locks(tenants) == {}


def test_clear_kill_stops_the_process_that_would_take_it_again(agency: Make) -> None:
    """On this machine its run is asked to stop; elsewhere host and pid are said, and the freeze."""
    tenants = agency(1, PROJECTS / "slow")
    (name,) = tenants.names
    boot = tenants.start("boot", holder="i-here")
    boot.await_event("RevisionStarted")

    killed = tenants.run("lock", "clear", name, "--kill", holder="i-here")
    assert killed.code == 0, killed.stderr
    assert f"asked process {boot.process.pid} (boot) on this machine to stop" in killed.stdout
    assert boot.end().code == 75
    assert locks(tenants) == {}

    with held(tenants, name):
        elsewhere = tenants.run("lock", "clear", name, "--kill")
    assert "process 412 (boot) on i-0abc may take the lock again" in elsewhere.stdout
    assert f"ebhook lock freeze {name}" in elsewhere.stderr


def test_clear_where_the_row_was_deleted(agency: Make) -> None:
    """`DELETE FROM migration_lock;` under a living holder: the named lock still shows, and guards."""
    tenants = agency(1)
    (name,) = tenants.names
    with held(tenants, name):
        tenants.ask(name, "DELETE FROM migration_lock")
        (lock,) = locks(tenants).values()
        refused = tenants.run("lock", "clear", name)
        killed = tenants.run("lock", "clear", name, "--kill")

    assert (lock["holder"], lock["alive"]) == (None, True)
    assert lock["connection_id"]
    assert refused.code == 75
    assert killed.code == 0, killed.stdout
    assert locks(tenants) == {}


def test_clear_all_is_about_the_stale_ones(agency: Make) -> None:
    """Of three locks the dead one goes; the exit code says that others are left."""
    tenants = agency(3)
    living, dead, frozen = tenants.names
    left_by_the_dead(tenants, dead)
    freeze(tenants, frozen)
    with held(tenants, living):
        ran = tenants.run("lock", "clear", "--all", "--json")
        left = locks(tenants)

    assert ran.code == 75
    assert {one["tenant"]: one["cleared"] for one in ran.json()["locks"]} == {
        living: False,
        dead: True,
        frozen: False,
    }
    assert list(left) == [living, frozen]


@pytest.mark.parametrize("arguments", [[], ["--all", "{name}"]])
def test_clear_wants_names_or_all(agency: Make, arguments: list[str]) -> None:
    """64 for neither, and for both."""
    tenants = agency(1)

    ran = tenants.run("lock", "clear", *(a.format(name=tenants.names[0]) for a in arguments))

    assert ran.code == 64
    assert "--all (not both)" in ran.stderr


# --- the log ---------------------------------------------------------------------------------------


def test_log_file(agency: Make, tmp_path: Path) -> None:
    """JSON lines of everything that happened, each with its time; a second run is added."""
    tenants = agency(2)
    log = tmp_path / "ebhook.log"

    for _ in range(2):
        assert tenants.run("boot", "--log-file", str(log)).code == 0

    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times)
    kinds = [line["event"] for line in lines]
    reports = [line for line in lines if line["event"] == "Report"]
    assert len(reports) == kinds.count("SurveyDone") == 2
    assert kinds.count("RevisionDone") == 10
    assert {line["outcome"] for line in lines if line["event"] == "TenantDone"} == {
        "upgraded",
        "at_head",
    }
    assert reports[-1]["tenants"][0]["outcome"] == "at_head"


# --- without a database ----------------------------------------------------------------------------


def test_heads(ebhook: Ebhook) -> None:
    """One head with its message; two are both shown, and the chain is broken."""
    one = ebhook("heads", cwd=PROJECTS / "linear")
    assert (one.code, one.stdout) == (0, "a005 (head) JMS-5 add visit_kinds\n")
    assert ebhook("heads", "--json", cwd=PROJECTS / "linear").json() == {"heads": ["a005"]}

    two = ebhook("heads", cwd=PROJECTS / "two_heads")
    assert two.code == 65
    assert two.stdout.splitlines() == [
        "a002 (head) JMS-2 add phone to clients",
        "b002 (head) JMS-3 add email to clients",
    ]
    none = ebhook("heads", cwd=PROJECTS / "empty_chain")
    assert (none.code, none.stdout) == (0, "")


@pytest.mark.parametrize("project", ["cycle", "missing_parent", "syntax_error", "duplicate_id"])
def test_heads_of_what_is_otherwise_broken(ebhook: Ebhook, project: str) -> None:
    """A chain that cannot be applied is not called healthy because it has one head."""
    ran = ebhook("heads", cwd=PROJECTS / project)

    assert (ran.code, ran.stdout) == (65, "")
    assert "No database was touched." in ran.stderr


def test_history(ebhook: Ebhook) -> None:
    """The newest first, each with its parent, as Flask-Migrate shows it."""
    ran = ebhook("history", cwd=PROJECTS / "merge")

    assert ran.code == 0
    assert ran.stdout.splitlines() == [
        "a003 -> a004 (head), JMS-5 add visits",
        "a002, b002 -> a003, JMS-4 merge phone and email",
        "a001 -> a002, JMS-2 add phone to clients",
        "a001 -> b002, JMS-3 add email to clients",
        "<base> -> a001, JMS-1 add clients",
    ]


def test_history_for_programs(ebhook: Ebhook) -> None:
    """The same with ids, parents, dates and files."""
    document = ebhook("history", "--json", cwd=PROJECTS / "linear").json()

    assert document["head"] == "a005"
    assert [one["revision"] for one in document["revisions"]] == [
        "a005",
        "a004",
        "a003",
        "a002",
        "a001",
    ]
    assert document["revisions"][-2] == {
        "revision": "a002",
        "parents": ["a001"],
        "message": "JMS-2 add visits",
        "date": "2026-03-12 09:00:00.000000",
        "file": "a002_jms_2_add_visits.py",
    }


SECRETS = {
    "EBHOOK_TENANTS_URL": "mysql://app:hunter2secret@db/{tenant}?charset=utf8mb4",
    "EBHOOK_TENANTS_NAMES": "acme,zenith",
    "EBHOOK_SCRATCH_URL": "mysql://root:hunter2secret@scratch/",
    "EBHOOK_ROLLOUT_CANARY": "",
}


def test_history_of_those_that_can_be_read(agency: Make) -> None:
    """A tenant that is not there hides no other; the document says which, and why."""
    tenants = agency(1, at="a002")
    names = f"absent,{tenants.names[0]}"

    plain = tenants.run("history", "--all", tenants_names=names)
    programs = tenants.run("history", "--all", "--json", tenants_names=names)

    assert (plain.code, programs.code) == (2, 2)
    assert plain.stdout.count(" upgrade ") == 2
    assert "absent: There is no database 'absent'" in plain.stderr
    document = programs.json()
    assert [line["revision"] for line in document["history"]] == ["a001", "a002"]
    (unread,) = document["unread"]
    assert (unread["tenant"], unread["exit_code"]) == ("absent", 2)
    assert unread["next"]


def test_config_for_people(ebhook: Ebhook) -> None:
    """Every key with its value and where it came from; passwords are stars."""
    ran = ebhook("config", cwd=PROJECTS / "linear", env=SECRETS)

    assert ran.code == 0
    assert "hunter2secret" not in ran.stdout + ran.stderr
    assert str(PROJECTS / "linear" / "ebhook.toml") in ran.stdout
    lines = {line.split()[0]: line for line in ran.stdout.splitlines() if line}
    assert KEYS.keys() <= lines.keys()
    assert "mysql+pymysql://app:***@db:3306/{tenant}?charset=utf8mb4" in lines["tenants.url"]
    assert lines["tenants.names"].endswith("environment EBHOOK_TENANTS_NAMES")
    assert "acme, zenith" in lines["tenants.names"]
    assert lines["lock.wait"].split() == ["lock.wait", "300.0", "default"]
    assert "(none)" in lines["rollout.canary"]


def test_config_for_programs(ebhook: Ebhook) -> None:
    """The same, with the variable that sets each key."""
    ran = ebhook("config", "--json", cwd=PROJECTS / "linear", env=SECRETS)

    assert "hunter2secret" not in ran.stdout + ran.stderr
    document = ran.json()
    assert document["file"] == str(PROJECTS / "linear" / "ebhook.toml")
    assert document["root"] == str(PROJECTS / "linear")
    settings = document["settings"]
    assert {key: one["variable"] for key, one in settings.items()} == {
        key: variable_of(key) for key in KEYS
    }
    assert settings["tenants.names"] == {
        "value": ["acme", "zenith"],
        "from": "environment EBHOOK_TENANTS_NAMES",
        "variable": "EBHOOK_TENANTS_NAMES",
    }
    assert settings["migrations"]["from"] == document["file"]
    assert settings["lock.wait"] == {
        "value": 300.0,
        "from": "default",
        "variable": "EBHOOK_LOCK_WAIT",
    }


def test_config_of_a_coupled_database(ebhook: Ebhook) -> None:
    """Where the URL came from is said, and its password is not."""
    environment = {
        "RDS_HOSTNAME": "rds.example",
        "RDS_USERNAME": "app",
        "RDS_PASSWORD": "hunter2secret@x",
        "RDS_DB_NAME": "ebdb",
    }

    ran = ebhook("config", env=environment)

    assert ran.code == 0, ran.stderr
    assert "hunter2secret" not in ran.stdout
    assert "mysql+pymysql://app:***@rds.example:3306/ebdb" in ran.stdout
    assert "environment RDS_HOSTNAME, RDS_USERNAME" in ran.stdout
    assert "file: none" in ran.stdout


def commands() -> list[str]:
    """Every command there is, groups' commands too: ``lock clear``."""

    def below(group: click.Group, prefix: str = "") -> list[str]:
        found: list[str] = []
        for name, command in group.commands.items():
            found.append(prefix + name)
            if isinstance(command, click.Group):
                found += below(command, f"{prefix}{name} ")
        return found

    return below(cli)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_of_ebhook(ebhook: Ebhook, option: str) -> None:
    """All commands, and the exit codes."""
    ran = ebhook(option)

    assert (ran.code, ran.stderr) == (0, "")
    for name in commands():
        assert re.search(rf"^  {name.split()[0]} ", ran.stdout, re.M)
    for number in ("0", "1", "2", "64", "65", "75", "78"):
        assert re.search(rf"\b{number}\b", ran.stdout.partition("Exit codes")[2])


@pytest.mark.parametrize("command", commands())
def test_help_of_every_command(command: str) -> None:
    """A sentence on what it does, and its options; no line wider than a terminal."""
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, [*command.split(), "-h"], prog_name="ebhook")

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: ebhook {command}")
    assert max(map(len, result.output.splitlines())) <= 100


def test_version(ebhook: Ebhook) -> None:
    """The package's own."""
    ran = ebhook("--version")

    assert (ran.code, ran.stdout) == (0, f"ebhook, version {version('ebhook')}\n")


@pytest.mark.parametrize(
    ("arguments", "complaint", "advice"),
    [
        (["status", "--bogus"], "No such option", "See: ebhook status --help"),
        (["lock", "clear", "--bogus"], "No such option", "See: ebhook lock clear --help"),
        (["frobnicate"], "No such command", "See: ebhook --help"),
        (["lock", "frobnicate"], "No such command", "See: ebhook lock --help"),
        (["downgrade", "acme"], "Missing argument", "See: ebhook downgrade --help"),
        (["downgrade", "acme", "-1", "--bogus"], "--bogus", "See: ebhook downgrade --help"),
        (["boot", "acme"], "unexpected extra argument", "See: ebhook boot --help"),
        (["status", "--config", "."], "is a directory", "See: ebhook status --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(ebhook: Ebhook, arguments: list[str], complaint: str, advice: str) -> None:
    """64 in three parts, and as one JSON document for programs."""
    plain = ebhook(*arguments)
    programs = ebhook(*arguments, "--json")

    assert (plain.code, programs.code, plain.stdout) == (64, 64, "")
    what, state, next = plain.stderr.splitlines()
    assert complaint in what
    assert state == "Nothing was changed."
    assert next == advice
    assert programs.json()["exit_code"] == 64


@pytest.mark.parametrize("option", ["--json", "--log-file", "--config"])
def test_options_before_the_command(ebhook: Ebhook, option: str) -> None:
    """64, and where they go."""
    ran = ebhook(option, "status")

    assert ran.code == 64
    assert f"{option} goes after the command." in ran.stderr
    assert f"Like: ebhook status {option}" in ran.stderr


@pytest.mark.parametrize("arguments", [[], ["lock"]])
def test_nothing_asked(ebhook: Ebhook, arguments: list[str]) -> None:
    """64, with the help of what there is."""
    ran = ebhook(*arguments)

    assert ran.code == 64
    assert ran.stdout.startswith("Usage: ebhook")


def test_status_of_some(agency: Make) -> None:
    """--behind, --failed and --locked show those alone; the sums are of all."""
    tenants = agency(3)
    well, late, ill = tenants.names
    assert tenants.run("upgrade", well).code == 0
    tenants.ask(well, "INSERT INTO migration_lock (id, holder) VALUES (1, 'ann')")
    tenants.ask(ill, "CREATE TABLE alembic_version (other INT)")

    for option, name in (("--behind", late), ("--failed", ill), ("--locked", well)):
        ran = tenants.run("status", option)
        lines = [line.split()[0] for line in ran.stdout.split("\n\n")[0].splitlines()[1:]]
        as_json = tenants.run("status", option, "--json").json()

        assert lines == [one["tenant"] for one in as_json["tenants"]] == [name], option
        assert "3 tenants: " in ran.stdout


def test_every_command_writes_its_log(ebhook: Ebhook, tmp_path: Path) -> None:
    """With the run, the command, the host and the release in each line; an error too, and the end."""
    env = {
        "EBHOOK_TENANTS_URL": "mysql+pymysql://app@127.0.0.1:9/{tenant}",
        "EBHOOK_HOLDER": "i-0a1",
    }
    env |= {"EBHOOK_TENANTS_NAMES": "acme", "EBHOOK_CONNECT_TIMEOUT": "1"}
    wanted = {"heads": "Report", "chain": "Report", "config": "Report", "lint": "Report"}
    wanted |= {"upgrade nobody": "Error", "status": "Status", "schema status": "Report"}

    for number, (command, event) in enumerate(wanted.items()):
        log = tmp_path / f"{number}.jsonl"
        words = [*command.split(), "--log-file", str(log)]
        ran = ebhook(*words, cwd=PROJECTS / "linear", env=env)

        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        assert event in [line["event"] for line in lines], command
        assert lines[-1]["event"] == "Ended"
        assert lines[-1]["exit_code"] == ran.code
        assert {line["command"] for line in lines} == {command}
        assert len({line["run"] for line in lines}) == 1
        if command.split()[0] != "schema":
            assert lines[-1]["host"] == "i-0a1"
