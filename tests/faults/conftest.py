"""The crash site: how many blows it takes is said by EBHOOK_TEST_KILLS (per flavour).

With 500 or more the suite is complete: the moment before each single statement is among them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.kill_sites import Blows, Site
from tests.support.proxy import Proxy

KILLS = int(os.environ.get("EBHOOK_TEST_KILLS", "40"))
SIGNALLED = int(os.environ.get("EBHOOK_TEST_SIGNALS", "6"))  # boots, per flavour
COMPLETE = KILLS >= 500
SEED = int(os.environ.get("EBHOOK_TEST_SEED", "1"))
PROJECT = Path(__file__).parents[1] / "projects" / "mixed"
# New ids have gaps after a transaction that was undone; what they refer to is compared by `label`.
IDS = (("agencies", "id"), ("offices", "id"), ("offices", "agency_id"), ("log", "id"))


@pytest.fixture(scope="session")
def undisturbed(server: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One run that nothing happens to, for each flavour: what all others are compared with."""
    ebhook, fleets = Ebhook(tmp_path_factory.mktemp("calm")), Fleets(server)
    with Proxy(server) as proxy:
        site = Site(server, proxy, ebhook, fleets, PROJECT, IDS)
        site.look_at_an_undisturbed_run()
    fleets.drop()
    return site


@pytest.fixture
def site(server: AnyServer, fleet: Fleets, ebhook: Ebhook, undisturbed: Site) -> Iterator[Site]:
    """The mixed chain, on tenants that may be struck at any statement."""
    with Proxy(server) as proxy:
        site = Site(server, proxy, ebhook, fleet, PROJECT, IDS)
        site.reference, site.length = undisturbed.reference, undisturbed.length
        yield site
        ebhook.end()


@pytest.fixture
def blows(site: Site, request: pytest.FixtureRequest) -> Blows:
    return Blows(site, KILLS, COMPLETE, random.Random(f"{SEED} {request.node.name}"))
