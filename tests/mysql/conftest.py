"""A tenant to try migrations on, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.proxy import Proxy
from tests.support.single_tenant import CLIENTS, PEOPLE, Clinic


@pytest.fixture
def proxy(server: AnyServer) -> Iterator[Proxy]:
    with Proxy(server) as running:
        yield running


@pytest.fixture
def clinic(fleet: Fleets, ebhook: Ebhook, proxy: Proxy, tmp_path: Path) -> Clinic:
    """A tenant with three clients at ``a001``, whose project has no further revision yet."""
    clinic = Clinic(fleet(1), ebhook, proxy, tmp_path / "project")
    clinic.statements("a001", CLIENTS, PEOPLE, back='op.execute("DROP TABLE clients")')
    clinic.succeeds()
    clinic.changes()
    return clinic
