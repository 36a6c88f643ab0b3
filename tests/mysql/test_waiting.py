"""Instances that only read: others migrate, and these wait for them or fail at once."""

from __future__ import annotations

import pytest

from ebhook.errors import Exit
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.watching import ask


@pytest.fixture
def reader(server: AnyServer, ebhook: Ebhook, fleet: Fleets) -> Agency:
    """Two tenants, and a login that may only read them."""
    agencies = fleet(2)
    user = f"reader_{agencies.names[0].split('_')[1]}"
    with server.connect() as connection:
        ask(connection, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'x'")
        for name in agencies.names:
            ask(connection, f"GRANT SELECT ON `{name}`.* TO {user}@'127.0.0.1'")
    url = agencies.template.replace("root@", f"{user}:x@")
    return Agency(agencies, ebhook, PROJECTS / "linear", {"tenants_url": url})


def test_one_that_waits_ends_when_the_others_are_done(reader: Agency, ebhook: Ebhook) -> None:
    """It starts while the tenants are behind, and exits 0 when they are at head; it wrote nothing."""
    waiting = reader.start("boot", boot_mode="wait")
    event = waiting.await_event("WaitingForOthers")
    assert event["behind"] == 2

    migrated = Agency(reader.fleet, ebhook, reader.project, {}).run("boot")
    ran = waiting.end()

    assert migrated.code == Exit.OK, migrated.stderr
    assert ran.code == Exit.OK, ran.stderr
    assert "2 tenants: 2 at head" in ran.stdout
    assert not waiting.events("LockTaken", "UpgradeStarted")


def test_one_that_waits_gives_up_at_its_deadline(reader: Agency) -> None:
    """With 75, what is behind, and where to look."""
    ran = reader.run("boot", boot_mode="wait", rollout_deadline="1.5")

    assert ran.code == Exit.TRY_AGAIN, ran.stderr
    assert "is behind, and this instance does not migrate (boot.mode = 'wait')" in ran.stdout
    assert "ebhook status" in ran.stdout
    assert ran.seconds < 10


def test_one_that_checks_fails_at_once(reader: Agency) -> None:
    """And is fine where nothing is behind."""
    behind = reader.run("boot", boot_mode="check")

    assert behind.code == Exit.TRY_AGAIN, behind.stderr
    assert "(boot.mode = 'check'); it waits for nobody" in behind.stdout
