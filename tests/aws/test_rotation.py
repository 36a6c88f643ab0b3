"""A password that is changed between its reading and the login: read again, once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ebhook.database.connection import connect
from ebhook.errors import Exit, Transient
from ebhook.fleet.discovery import discover
from ebhook.settings import Settings
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.cloud import Cloud

PROJECTS = Path(__file__).parents[1] / "projects"


@dataclass
class Login:
    """A user of the server whose password, and name, can be changed there and in AWS."""

    server: AnyServer
    aws: Cloud
    database: str
    name: str

    def set(self, password: str) -> None:
        self.run(f"ALTER USER {self.name}@'127.0.0.1' IDENTIFIED BY '{password}'")

    def keep(self, password: str, user: str | None = None) -> None:
        value = {
            "host": self.server.host,
            "port": self.server.port,
            "username": user or self.name,
            "password": password,
            "dbname": self.database,
        }
        self.aws.parameter("/agencies/acme/host", self.server.host)
        self.aws.parameter("/agencies/acme/port", str(self.server.port))
        self.aws.parameter("/agencies/acme/username", self.name)
        self.aws.parameter("/agencies/acme/password", password)
        self.aws.parameter("/agencies/acme/dbname", self.database)
        if self.aws.client("secretsmanager").list_secrets()["SecretList"]:
            self.aws.rotate("agency/acme", value)
        else:
            self.aws.secret("agency/acme", value)

    def run(self, statement: str) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.fixture
def login(server: AnyServer, fleet: Fleets, aws: Cloud) -> Iterator[Login]:
    made = Login(server, aws, fleet(1).names[0], f"app_{secrets.token_hex(3)}")
    made.run(f"CREATE USER {made.name}@'127.0.0.1' IDENTIFIED BY 'first-one'")
    made.run(f"GRANT ALL ON *.* TO {made.name}@'127.0.0.1'")
    made.keep("first-one")
    yield made
    made.run(f"DROP USER {made.name}@'127.0.0.1'")


SOURCES = [
    {"TENANTS_SECRETS_PREFIX": "agency/"},
    {"TENANTS_SSM_PATH": "/agencies"},
]


@pytest.mark.parametrize("source", SOURCES, ids=["secret", "parameter"])
def test_a_changed_password_is_read_again(
    login: Login, aws: Cloud, settings: Callable[..., Settings], source: dict[str, str]
) -> None:
    """Once, and only after the server refused the one that was known."""
    (tenant,) = discover(settings(**source))
    connect(tenant.url, database=None, timeout=10).close()
    before = len(aws.calls)
    login.set("second-one")
    login.keep("second-one")

    connect(tenant.url, database=None, timeout=10).close()

    assert len(aws.calls) == before + 1


def test_the_other_user_of_an_alternating_rotation(
    login: Login, aws: Cloud, settings: Callable[..., Settings]
) -> None:
    """Rotation may change the user's name as well."""
    (tenant,) = discover(settings(TENANTS_SECRETS_PREFIX="agency/"))
    other = f"{login.name}_clone"
    login.run(f"CREATE USER {other}@'127.0.0.1' IDENTIFIED BY 'second-one'")
    try:
        login.set("of-nobody")
        login.keep("second-one", user=other)
        connect(tenant.url, database=None, timeout=10).close()
    finally:
        login.run(f"DROP USER {other}@'127.0.0.1'")


def test_a_password_that_stays_wrong(
    login: Login, aws: Cloud, settings: Callable[..., Settings]
) -> None:
    """It is read once more, not again and again; a rotation may be under way, so it is for now."""
    (tenant,) = discover(settings(TENANTS_SECRETS_PREFIX="agency/"))
    login.set("second-one")
    aws.calls.clear()

    with pytest.raises(Transient) as failure:
        connect(tenant.url, database=None, timeout=10)

    assert aws.calls == ["secretsmanager:GetSecretValue"]
    assert "1045" in failure.value.what
    assert "one" not in failure.value.what.replace("127.0.0.1", "")


def test_a_rotation_in_the_midst_of_a_boot(ebhook: Ebhook, login: Login, aws: Cloud) -> None:
    """Survey, worker and env.py's own engine come in by the new password: discovery had the old."""

    def rotate(action: str) -> None:
        if action == "secretsmanager:BatchGetSecretValue":
            login.set("second-one")
            login.keep("second-one")

    env = aws.environment | {"EBHOOK_TENANTS_SECRETS_PREFIX": "agency/"}
    aws.after = rotate

    ran = ebhook("boot", "--json", cwd=PROJECTS / "engine_from_config", env=env)

    assert ran.code == Exit.OK, ran.stderr
    assert ran.json()["tenants"][0]["outcome"] == "upgraded"
    assert aws.calls.count("secretsmanager:GetSecretValue") >= 2
