"""docs/fleet.md: what it shows is what the commands print, for the tenants that it speaks of."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import AnyServer, Ebhook, Fleets, Ran
from tests.support.agency import PROJECTS, Agency

TEXT = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text("utf-8")
BLOCKS = re.findall(r"^```text\n(.*?)^```", TEXT, re.M | re.S)
PLAN, DRIFT, REHEARSAL, STAMP = BLOCKS

Fleet = Callable[..., Agency]


@pytest.fixture
def named(fleet: Fleets, ebhook: Ebhook, server: AnyServer) -> Fleet:
    """Tenants by their names in the document, from a registry, at a002; in acme somebody has been."""

    def make(*names: str, revision: str = "a002") -> Agency:
        databases = fleet(len(names) + 1)
        registry = databases.names[-1]
        settings = {
            "scratch_url": server.url(),
            "tenants_names": None,
            "tenants_query": "SELECT name, url FROM agencies ORDER BY id",
            "tenants_query_url": databases.url(registry),
        }
        agency = Agency(databases, ebhook, PROJECTS / "linear", settings)
        agency.ask(registry, "CREATE TABLE agencies (id INT, name VARCHAR(9), url VARCHAR(200))")
        for number, (name, database) in enumerate(zip(names, databases.names, strict=False)):
            url = databases.url(database)
            agency.ask(registry, f"INSERT INTO agencies VALUES ({number}, '{name}', '{url}')")
            agency.stand_at_a002(database)
            if revision != "a002":
                agency.ask(database, f"UPDATE alembic_version SET version_num = '{revision}'")
        return agency

    return make


def calm(text: str) -> list[str]:
    """A text without what differs from run to run and from server to server."""
    for pattern, word in (
        (r"\b[\d,]+(\.\d+)? (s|MiB|rows)\b", r"N \2"),
        (r"(mysql|mariadb) [\d.]+", "server"),
        (r" DEFAULT NULL", ""),
        (r"about N rows, N MiB \(\w+\)", "size"),
        (r"  largest tables: .*", "  largest tables: …"),
        (
            r"about N s, by what the journals .*? elsewhere\. |how long is not known: .*?\. ",
            "time. ",
        ),
    ):
        text = re.sub(pattern, word, text)
    return [line.rstrip() for line in text.strip().splitlines() if line.strip()]


def shows(ran: Ran, block: str) -> None:
    assert calm(ran.stdout) == calm(block), ran.stdout + ran.stderr


def test_the_plan(named: Fleet) -> None:
    """Two tenants with the same work."""
    agency = named("willow", "zenith")

    ran = agency.run("plan", "--to", "a004")

    # What the login is not shown is told besides; MariaDB shows no metadata locks.
    ran_lines = [line for line in calm(ran.stdout) if not line.startswith("not looked at")]
    assert ran_lines == calm(PLAN), ran.stdout + ran.stderr


def test_the_drift(named: Fleet) -> None:
    """One of four."""
    agency = named("acme", "birch", "willow", "zenith", revision="a003")
    agency.ask(agency.names[2], "ALTER TABLE clients ADD tier INT")

    shows(agency.run("drift"), DRIFT)


def test_the_rehearsal_and_the_stamp(named: Fleet) -> None:
    """In acme somebody has added a column."""
    agency = named("willow", "zenith", "acme")
    agency.ask(agency.names[2], "ALTER TABLE clients ADD tier INT")
    rehearsal = agency.run("rehearse")
    agency.ask(agency.names[2], "DROP TABLE alembic_version")
    stamp = agency.run("stamp", "acme", "a002")

    told = [line for line in calm(rehearsal.stdout) if "depends" not in line]
    unseen = ("not seen, since", "  a005: how many")
    assert [line for line in told if not line.startswith(unseen)] == calm(REHEARSAL)
    shows(stamp, STAMP)
