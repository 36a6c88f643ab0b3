"""Agencies that an environment of Elastic Beanstalk serves, and how they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebhook.scratch.installation import Flavour
from tests.conftest import Fleet, Ran
from tests.support.hook.instance import Instance

Instances = Callable[..., Instance]
Bundle = Callable[..., Path]
Coupled = tuple[Fleet, dict[str, str]]

# Everything that breaks a shell's `export $(cat env | xargs)`, and a newline.
PASSWORD = "a b'c\"d=e#f!g$h\\i`j%k&l;m*n@o:p/q?r\tt\nu v=w"

ON_MARIADB = pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)


def on(instance: Instance, agencies: Fleet, coupled: dict[str, str]) -> Instance:
    """`instance`, in an environment with these agencies."""
    instance.properties = {"EBHOOK_TENANTS_NAMES": ",".join(agencies.names), "NOTE": "x y=z"}
    instance.coupled = dict(coupled)
    return instance


def versions(agencies: Fleet) -> set[str]:
    found = set()
    for name in agencies.names:
        with agencies.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT version_num FROM alembic_version")
            found |= {row[0] for row in cursor.fetchall()}
    return found


def journal(agencies: Fleet, name: str) -> list[tuple[Any, ...]]:
    with agencies.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT revision, holder, environment, version_label FROM migration_journal ORDER BY id"
        )
        return list(cursor.fetchall())


def is_quiet(ran: Ran) -> bool:
    return PASSWORD not in ran.stdout + ran.stderr
