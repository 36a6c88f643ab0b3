"""`ebhook drift`: whose schema differs from the fleet's, by whatever kind of thing, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ebhook.errors import Exit
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import general_log
from tests.support.watching import ask, until

Tenants = Callable[[int], Agency]


@pytest.fixture
def tenants(fleet: Fleets, ebhook: Ebhook) -> Tenants:
    """Tenants of the project `linear`, which stand at a002 and are alike."""

    def make(number: int) -> Agency:
        agency = Agency(fleet(number), ebhook, PROJECTS / "linear")
        for name in agency.names:
            agency.stand_at_a002(name)
        return agency

    return make


# What is done to one tenant, and the lines that tell of it.
CHANGES = {
    "a column": ("ALTER TABLE clients ADD tier INT NULL", "table clients", "+ `tier` int"),
    "a default": (
        "ALTER TABLE clients MODIFY name VARCHAR(100) NOT NULL DEFAULT 'it''s'",
        "- `name` varchar(100) NOT NULL",
        "+ `name` varchar(100) NOT NULL DEFAULT 'it",
    ),
    "an index": ("CREATE INDEX by_name ON clients (name(10))", "+ KEY `by_name` (`name`(10))"),
    "a check": ("ALTER TABLE clients ADD CONSTRAINT positive CHECK (name <> '')", "`positive` CHECK"),
    "a foreign key": (
        "ALTER TABLE clients ADD CONSTRAINT own FOREIGN KEY (id) REFERENCES visits (id) "
        "ON DELETE CASCADE",
        "+ CONSTRAINT `own` FOREIGN KEY (`id`) REFERENCES `visits` (`id`) ON DELETE CASCADE",
    ),
    "a character set": ("ALTER TABLE clients CONVERT TO CHARACTER SET latin1", "+ COLLATE latin1"),
    "an order": ("ALTER TABLE clients MODIFY name VARCHAR(100) NOT NULL FIRST", "in order: name, id"),
    "a table": ("CREATE TABLE extra (id INT)", "+ table extra"),
    "a view": ("CREATE VIEW names AS SELECT name FROM clients", "+ view names"),
    "a trigger": (
        "CREATE TRIGGER trimmed BEFORE INSERT ON clients FOR EACH ROW SET NEW.name = TRIM(NEW.name)",
        "+ trigger trimmed",
    ),
    "a routine": ("CREATE PROCEDURE nothing(IN n INT) SELECT 1", "+ procedure nothing"),
    "an event": ("CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1", "+ event nightly"),
    "the database": (
        "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci",
        "+ COLLATE latin1_swedish_ci",
    ),
}  # fmt: skip


def lines(document: Any) -> str:
    return "\n".join(line for one in document["differences"] for line in one["lines"])


def test_every_kind_of_difference_is_told(tenants: Tenants) -> None:
    """Each tenant was changed in one way by hand: its name and what it has, and nobody else's."""
    agency = tenants(2 * len(CHANGES) + 1)
    changed = dict(zip(agency.names, CHANGES.items(), strict=False))
    for name, (_, (statement, *_)) in changed.items():
        agency.ask(name, statement)

    ran = agency.run("drift", "--json")

    assert ran.code == Exit.FINDINGS, ran.stderr
    found = {one["tenants"][0]: one for one in ran.json()["differences"]}
    assert found.keys() == changed.keys()
    for name, (kind, (_, *expected)) in changed.items():
        told = "\n".join(found[name]["lines"])
        assert all(line in told for line in expected), (kind, told)
        assert found[name]["tenants"] == [name]
        assert found[name]["majority"] is True


def test_it_reads_as_somebody_who_may_only_look(tenants: Tenants, server: AnyServer) -> None:
    """SELECT is enough; nothing but reading is in the server's log, and what was not shown is said."""
    agency = tenants(3)
    agency.ask(agency.names[1], "ALTER TABLE visits ADD note TEXT")
    agency.ask(agency.names[2], "CREATE TRIGGER t BEFORE INSERT ON clients FOR EACH ROW SET @x = 1")
    user = agency.names[0][-12:] + "_eye"
    with server.connect() as root:
        ask(root, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'hunter2eye'")
        for name in agency.names:
            ask(root, f"GRANT SELECT ON `{name}`.* TO {user}@'127.0.0.1'")
    try:
        url = f"mysql+pymysql://{user}:hunter2eye@{server.host}:{server.port}/{{tenant}}"
        with general_log(server) as log:
            ran = agency.run("drift", tenants_url=url)
            said = log.statements()
    finally:
        with server.connect() as root:
            ask(root, f"DROP USER {user}@'127.0.0.1'")

    assert ran.code == Exit.FINDINGS
    assert f"{agency.names[1]} differs from 2 of 3 tenants at a002:" in ran.stdout
    assert "+ `note` text" in ran.stdout
    assert "triggers were not compared" in ran.stdout
    verbs = {one.sql.split()[0].upper() for one in said}
    assert verbs <= {"SELECT", "SHOW", "SET", "ROLLBACK", "(SELECT"}, verbs


def test_where_no_majority_is_it_says_so(tenants: Tenants) -> None:
    """One against one: neither is called right."""
    agency = tenants(2)
    agency.ask(agency.names[1], "ALTER TABLE visits ADD note TEXT")

    ran = agency.run("drift")

    assert ran.code == Exit.FINDINGS
    assert "which of them is right is not known" in ran.stdout


def test_what_is_known_is_left_out(tenants: Tenants) -> None:
    """`drift.ignore` names tables, columns, keys and views by patterns."""
    agency = tenants(3)
    name = agency.names[2]
    agency.ask(name, "CREATE TABLE tmp_1 (id INT)")
    agency.ask(name, "ALTER TABLE clients ADD tier INT, ADD INDEX by_tier (tier)")

    some = agency.run("drift", "--json", drift_ignore="tmp_*,clients.tier")
    all = agency.run("drift", drift_ignore="tmp_*,clients.tier,clients.by_*")

    assert lines(some.json()) == "table clients\n  + KEY `by_tier` (`tier`)"
    assert all.code == Exit.OK
    assert "3 tenants compared: no difference" in all.stdout


def test_tenants_elsewhere_are_not_compared(tenants: Tenants) -> None:
    """At another revision, or away: each is named with the reason; one that is away decides the exit code."""
    agency = tenants(3)
    agency.ask(agency.names[2], "UPDATE alembic_version SET version_num = 'a001'")

    names = ",".join([*agency.names, "nowhere"])
    ran = agency.run("drift", tenants_names=names)
    wrong = agency.run("drift", "acme", tenants_names=names)

    assert ran.code == Exit.PERSON
    assert f"not compared: {agency.names[2]}: no other is at a001" in ran.stdout
    assert "nowhere: There is no database" in ran.stdout
    assert wrong.code == Exit.USAGE
    assert "There is no tenant 'acme'." in wrong.stderr


def test_what_is_locked_is_no_difference(tenants: Tenants, server: AnyServer) -> None:
    """MariaDB does not show a table under a running CREATE … SELECT: that tenant cannot be read now."""
    agency = tenants(3)
    busy = agency.names[1]
    with server.connect(database=busy) as one, ThreadPoolExecutor() as pool:
        ((id,),) = ask(one, "SELECT CONNECTION_ID()")
        pool.submit(ask, one, "CREATE TABLE slow AS SELECT SLEEP(60) AS x")
        until(
            lambda: agency.ask(
                busy,
                "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE slow%'",
            ),
            "it runs",
        )
        ran = agency.run("drift", "--json", ddl_lock_wait_timeout=1)
        agency.ask(agency.names[0], f"KILL {id}")

    assert ran.json()["differences"] == []
    unread = [one["tenant"] for one in ran.json()["unread"]]
    assert unread == ([busy] if server.flavour == "mariadb" else [])
    assert ran.code == (Exit.TRY_AGAIN if unread else Exit.OK)
