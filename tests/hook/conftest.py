"""Instances of Elastic Beanstalk, and the bundles that are deployed to them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ebhook.errors import ScratchFailed
from tests.conftest import IN_CI, AnyServer, Fleets
from tests.support.hook import logrotate
from tests.support.hook.agencies import PASSWORD, Coupled
from tests.support.hook.instance import Instance, Machine, unshare

PROJECTS = Path(__file__).parents[1] / "projects"


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """What instances are made from; needs root, or a user namespace, for mounts of its own."""
    enter = unshare()
    if enter is None:
        _lacking("NO HOOK WAS RUN IN ITS REAL PLACE: this needs `unshare --mount`, as root.")
    made = Machine(tmp_path_factory.mktemp("machine"), enter)
    made.make()
    return made


@pytest.fixture(scope="session")
def rotation(machine: Machine) -> None:
    """logrotate, as every instance has it."""
    try:
        logrotate.put_into(machine.folder / "usr/sbin")
    except (logrotate.Missing, ScratchFailed) as missing:
        _lacking(f"THE ROTATION WAS NOT TRIED: {missing}")


def _lacking(told: str) -> NoReturn:
    """Elsewhere a test may be skipped, and says so; in CI it is not."""
    if IN_CI:
        pytest.fail(told, pytrace=False)
    pytest.skip(told)


@pytest.fixture
def instances(machine: Machine, tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """``instances("i-0a1")`` is a new instance."""
    made: list[Instance] = []

    def make(id: str, **options: Any) -> Instance:
        made.append(Instance(id, tmp_path / id, machine, **options))
        return made[-1]

    yield make
    for instance in made:
        instance.end()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    """``bundle("linear", upto=3)``: a project's source bundle, with what `ebhook init` puts there."""

    def make(project: str, *, upto: int | None = None, settings: str = "") -> Path:
        folder = tmp_path / f"{project}-{upto or 'all'}"
        if folder.exists():
            return folder
        shutil.copytree(PROJECTS / project, folder, ignore=shutil.ignore_patterns("__pycache__"))
        files = sorted(folder.glob("migrations/versions/*.py"))
        for file in files[upto or len(files) :]:
            file.unlink()
        if settings:
            with (folder / "ebhook.toml").open("a") as own:
                own.write(settings)
        init = [sys.executable, "-m", "ebhook", "init", str(folder)]
        subprocess.run(init, check=True, capture_output=True)
        return folder

    return make


@pytest.fixture
def coupled(server: AnyServer, fleet: Fleets) -> Iterator[Coupled]:
    """Three agencies, and the RDS_* variables of a login whose password is hard to hand on."""
    agencies = fleet(3, prefix="agency")
    user = f"app_{agencies.names[0].split('_')[1]}"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (user, PASSWORD))
        cursor.execute("GRANT ALL ON *.* TO %s@'127.0.0.1'", (user,))
    variables = {
        "RDS_HOSTNAME": server.host,
        "RDS_PORT": str(server.port),
        "RDS_USERNAME": user,
        "RDS_PASSWORD": PASSWORD,
        "RDS_DB_NAME": "ebdb",
    }
    yield agencies, variables
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER %s@'127.0.0.1'", (user,))
