"""`ebhook plan`: what would run where, asked and not guessed; and what is held to a plan or to the fleet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebhook.errors import Exit
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import general_log
from tests.support.single_tenant import Clinic
from tests.support.watching import ask

Tenants = Callable[[int], Agency]


@pytest.fixture
def tenants(fleet: Fleets, ebhook: Ebhook, server: AnyServer) -> Tenants:
    """Tenants of the project `linear` at a002; the server itself is the scratch server."""

    def make(number: int) -> Agency:
        settings = {"scratch_url": server.url()}
        agency = Agency(fleet(number), ebhook, PROJECTS / "linear", settings)
        for name in agency.names:
            agency.stand_at_a002(name)
        return agency

    return make


def statements(group: Any) -> list[Any]:
    return [one for revision in group["revisions"] for one in revision["statements"]]


def test_tenants_with_the_same_work_are_one_group(tenants: Tenants) -> None:
    """What would be sent, with the server's own answer; the canary; nothing is written to a tenant."""
    agency = tenants(3)
    agency.ask(agency.names[2], "UPDATE alembic_version SET version_num = 'a003'")
    agency.ask(agency.names[2], "ALTER TABLE clients ADD COLUMN tier INT")

    with general_log(agency.fleet.server) as log:
        ran = agency.run("plan", "--json")
        writes = log.changes()

    assert ran.code == Exit.OK, ran.stderr
    assert not writes.keys() & set(agency.names)
    many, one = ran.json()["groups"]
    assert (many["tenants"], many["before"]) == ([*agency.names[:2]], ["a002"])
    assert (one["tenants"], one["before"]) == ([agency.names[2]], ["a003"])
    assert [r["ticket"] for r in many["revisions"]] == ["JMS-3", "JMS-4", "JMS-5"]
    first = statements(many)[0]
    assert first["sql"].endswith(
        "ADD COLUMN tier VARCHAR(16) NOT NULL DEFAULT 'standard', ALGORITHM=INSTANT"
    )
    assert first["algorithm"] == "INSTANT"
    assert {size["table"] for size in many["largest"]} == {"clients", "visits"}
    assert ran.json()["order"]["canary"] == [agency.names[0]]
    assert ran.json()["estimate"]["not_known_for"] == ["a003", "a004", "a005"]
    text = agency.run("plan").stdout
    assert f"{agency.names[0]}, {agency.names[1]}: a002 → a005, 3 revisions, 5 statements" in text
    assert "Nothing was changed." in text
    page = agency.run("plan", "--markdown").stdout
    assert "```sql\n-- a003 JMS-3 add tier to clients\n" in page


# A statement for a table of clients, and how each server runs it.
ALGORITHMS = {
    "ALTER TABLE clients ADD COLUMN a INT": ("INSTANT", "INSTANT"),
    "CREATE INDEX by_name ON clients (name)": ("INPLACE", "INPLACE"),
    "ALTER TABLE clients MODIFY name VARCHAR(60)": ("INPLACE", "INSTANT"),
    "ALTER TABLE clients MODIFY n BIGINT NOT NULL": ("COPY, blocks writes", "COPY, blocks writes"),
    "ALTER TABLE clients ADD FULLTEXT KEY words (name)": (
        "INPLACE, blocks writes",
        "INPLACE, blocks writes",
    ),
    "ALTER TABLE clients ADD b INT, ALGORITHM=COPY": ("ALGORITHM=COPY", "ALGORITHM=COPY"),
    "UPDATE clients SET n = 1": (None, None),
}  # fmt: skip


def test_the_algorithm_is_the_servers_own_answer(clinic: Clinic) -> None:
    """One of each kind; a statement that cannot work on this schema is found, and exits 1."""
    clinic.statements("a002", *ALGORITHMS, after="a001")
    scratch = clinic.fleet.server.url()
    which = 0 if clinic.fleet.server.flavour == "mysql" else 1

    ran = clinic.cli("plan", "--json", scratch_url=scratch)

    assert ran.code == Exit.OK, ran.stdout + ran.stderr
    found = {one["planned"]: one["algorithm"] for one in statements(ran.json()["groups"][0])}
    assert found == {sql: answers[which] for sql, answers in ALGORITHMS.items()}

    clinic.do("ALTER TABLE clients ADD a INT")
    failing = clinic.cli("plan", scratch_url=scratch)
    assert failing.code == Exit.FINDINGS
    assert (
        "FAILS on an empty copy of this schema: Duplicate column name 'a' (1060)" in failing.stdout
    )
    assert "not known: a statement before it fails" in failing.stdout


def test_without_a_scratch_server_it_is_not_known(clinic: Clinic) -> None:
    """It says so, and why; nothing is guessed."""
    clinic.statements("a002", "ALTER TABLE clients ADD a INT", after="a001")
    there = clinic.fleet.server.url().replace(f":{clinic.fleet.server.port}/", ":9/")

    (one,) = statements(clinic.cli("plan", "--json", scratch_url=there).json()["groups"][0])

    assert one["algorithm"] is None
    assert one["why"].startswith("not known: there is no scratch server: ")


def test_what_is_in_the_way_is_told(tenants: Tenants, server: AnyServer) -> None:
    """A freeze, and a transaction that is open for longer than a statement would wait."""
    agency = tenants(3)
    agency.run("upgrade", agency.names[2])
    frozen, busy = agency.names[:2]
    agency.ask(frozen, "CREATE TABLE migration_lock (holder VARCHAR(190))")
    agency.ask(frozen, "INSERT INTO migration_lock (holder) VALUES ('ann: restoring')")
    with server.connect(database=busy, autocommit=False) as other:
        ask(other, "INSERT INTO clients (name) VALUES ('Ada')")
        ask(other, "SELECT SLEEP(1.1)")
        ran = agency.run("plan", "--json", ddl_lock_wait_timeout=1)

    found = {one["tenant"]: one["what"] for one in ran.json()["in_the_way"]}
    assert found[frozen].startswith("frozen by ann: restoring")
    assert "a transaction is open for" in str(ran.json()["in_the_way"])
    assert busy in found
    assert ran.json()["estimate"]["seconds"] > 0  # from the journal of the third


def test_a_login_that_may_only_look_can_plan(tenants: Tenants, server: AnyServer) -> None:
    """What it is not shown is said."""
    agency = tenants(1)
    user = agency.names[0][-12:] + "_eye"
    with server.connect() as root:
        ask(root, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'hunter2eye'")
        ask(root, f"GRANT SELECT ON `{agency.names[0]}`.* TO {user}@'127.0.0.1'")
    try:
        url = f"mysql+pymysql://{user}:hunter2eye@{server.host}:{server.port}/{{tenant}}"
        ran = agency.run("plan", tenants_url=url)
    finally:
        with server.connect() as root:
            ask(root, f"DROP USER {user}@'127.0.0.1'")

    assert ran.code == Exit.OK, ran.stdout + ran.stderr
    assert "INSTANT" in ran.stdout
    assert "not looked at: long transactions (they need PROCESS)" in ran.stdout


def test_an_upgrade_is_held_to_its_plan(tenants: Tenants, tmp_path: Path) -> None:
    """It does what the plan says; a tenant that has moved since is refused and left alone."""
    agency = tenants(3)
    file = tmp_path / "plan.json"
    assert agency.run("plan", "--out", str(file), "--to", "a004").code == Exit.OK
    assert json.loads(file.read_text("utf-8"))["target"] == "a004"
    moved = agency.names[2]
    agency.ask(moved, "UPDATE alembic_version SET version_num = 'a001'")

    ran = agency.run("boot", "--json", rollout_plan=str(file))

    assert list(agency.outcomes(ran).values()) == ["upgraded", "upgraded", "refused"]
    assert ran.code == Exit.PERSON
    assert "its work is not what plan.json says: it stands elsewhere" in ran.stdout
    assert [agency.version(name) for name in agency.names] == ["a004", "a004", "a001"]
    again = agency.run("upgrade", agency.names[0], "--plan", str(file))
    assert again.code == Exit.OK
    file.write_text("{}")
    wrong = agency.run("upgrade", "--plan", str(file))
    assert wrong.code == Exit.USAGE
    assert "is not a plan" in wrong.stderr
    both = agency.run("upgrade", "--plan", str(file), "--to", "a005")
    assert both.code == Exit.USAGE


@pytest.mark.parametrize(("setting", "version"), [("refuse", "a002"), ("warn", "a005")])
def test_a_tenant_that_differs_is_left_whole(tenants: Tenants, setting: str, version: str) -> None:
    """boot.drift: of what the pending statements touch. Other differences are no matter."""
    agency = tenants(4)
    changed, other = agency.names[3], agency.names[2]
    agency.ask(changed, "ALTER TABLE clients ADD note INT")
    agency.ask(other, "CREATE TABLE unrelated (id INT)")

    ran = agency.run("boot", boot_drift=setting)

    assert agency.version(changed) == version
    assert {agency.version(name) for name in agency.names[:3]} == {"a005"}
    assert "differs from 3 of 4 tenants at a002" in ran.stdout + ran.stderr
    assert ran.code == (Exit.PERSON if setting == "refuse" else Exit.OK)
    assert agency.columns(changed, "clients")[:3] == ["id", "name", "note"]


def test_waves_by_the_registrys_column(tenants: Tenants) -> None:
    """The third column of tenants.query is the group; a boot goes wave by wave, as the plan says."""
    agency = tenants(4)
    first, two, three, four = agency.names
    agency.ask(first, "CREATE TABLE agencies (name VARCHAR(64) PRIMARY KEY, part VARCHAR(9))")
    for name, part in ((first, "us"), (two, "eu"), (three, "us"), (four, "eu")):
        agency.ask(first, f"INSERT INTO agencies VALUES ('{name}', '{part}')")
    settings = {
        "tenants_names": None,
        "tenants_query": "SELECT name, NULL, part FROM agencies ORDER BY name",
        "tenants_query_url": agency.fleet.url(first),
        "rollout_waves": json.dumps([{"name": "europe", "group": "eu", "workers": 1}]),
        "boot_rules": "off",
    }

    plan = agency.run("plan", "--json", **settings)
    boot = agency.start("boot", **settings)
    ended = boot.end()

    assert plan.json()["order"]["waves"] == [{"name": "europe", "tenants": [two, four]}]
    assert ended.code == Exit.OK, ended.stdout + ended.stderr
    waves = {one["name"]: set(one["tenants"]) for one in boot.events("WaveStarted")}
    assert waves == {"canary": {first}, "europe": {two, four}, "rest": {three}}
    assert [one["name"] for one in boot.events("WaveStarted")] == ["canary", "europe", "rest"]


def test_looking_beside_a_boot_stops_nothing(
    fleet: Fleets, ebhook: Ebhook, server: AnyServer
) -> None:
    """While statements run, plan and drift take no lock, tell who has it, and the boot ends well."""
    settings = {"scratch_url": server.url(), "EBHOOK_TEST_SLOW": 3}
    agency = Agency(fleet(2), ebhook, PROJECTS / "slow", settings)
    boot = agency.start("boot", holder="i-0abc", rollout_workers=2, rollout_canary="")
    boot.await_event("RevisionStarted", tenant=agency.names[0])

    plan = agency.run("plan", "--json")
    drift = agency.run("drift", "--json")
    ended = boot.end()

    held = [one["what"] for one in plan.json()["in_the_way"] if one["tenant"] == agency.names[0]]
    assert any(what.startswith("its lock is held by i-0abc") for what in held), plan.stdout
    assert drift.json()["differences"] == []
    assert ended.code == Exit.OK, ended.stdout + ended.stderr
    assert len(agency.versions()) == 1
