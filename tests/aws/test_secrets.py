"""Passwords are nowhere: planted in every source, and searched in all that comes out.

Besides these tests, every output of every run in this suite is searched (tests/conftest.py).
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ebhook.errors import Exit
from ebhook.scratch.installation import Flavour
from tests.conftest import PLANTED, AnyServer, Ebhook, Fleet, Fleets
from tests.support.cloud import Cloud

PROJECTS = Path(__file__).parents[1] / "projects"

# What URLs, shells, Python and JSON each spell in their own way.
PASSWORD = f"{PLANTED} @:/?#%&+='\"\\x\t{{}}$"

ON_MARIADB = pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)

# An env.py that tells all it knows, in every spelling that it can think of.
TALKATIVE = """
import json, logging, sys, traceback, warnings
from urllib.parse import quote_plus
from alembic import context
from sqlalchemy import create_engine, make_url
text = context.config.get_main_option("sqlalchemy.url")
url = make_url(text)
password = url.password or ""
for said in (text, url, repr(url), password, repr(password), quote_plus(password),
             json.dumps(password), [password], {"p": password}, password.encode()):
    print(said)
    print(said, file=sys.stderr)
logging.getLogger("alembic").warning("url %s", text)
warnings.warn(text)
try:
    raise ValueError(text)
except ValueError:
    traceback.print_exc()
engine = create_engine(text)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""


@dataclass(frozen=True)
class Place:
    """Two tenants, a login to them, and an application that is talkative."""

    agencies: Fleet
    user: str
    project: Path
    aws: Cloud
    registry: str

    @property
    def host(self) -> str:
        return f"{self.agencies.server.host}:{self.agencies.server.port}"

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"mysql+pymysql://{self.user}:{quote(password, safe='')}@{self.host}/{database}"

    def value(self, name: str, password: str) -> dict[str, Any]:
        host, _, port = self.host.partition(":")
        return {
            "host": host,
            "port": int(port),
            "username": self.user,
            "password": password,
            "dbname": name,
            "tenant": name,
        }


@pytest.fixture
def place(server: AnyServer, fleet: Fleets, aws: Cloud, tmp_path: Path) -> Iterator[Place]:
    agencies, registry = fleet(2, prefix="acme"), fleet(1, prefix="registry").names[0]
    project = tmp_path / "talkative"
    shutil.copytree(PROJECTS / "linear", project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "migrations" / "env.py").write_text(TALKATIVE)
    user = f"app_{secrets.token_hex(3)}"
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER %s@'127.0.0.1' IDENTIFIED BY %s", (user, PASSWORD))
        cursor.execute("GRANT ALL ON *.* TO %s@'127.0.0.1'", (user,))
        cursor.execute(f"CREATE TABLE `{registry}`.agency (name VARCHAR(64), url VARCHAR(300))")
    yield Place(agencies, user, project, aws, registry)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP USER %s@'127.0.0.1'", (user,))


# --- where a password may come from -------------------------------------------------------------


def in_a_variable(place: Place, password: str) -> dict[str, str]:
    return {"EBHOOK_TENANTS_URL": place.url("{tenant}", password), **names(place)}


def in_the_file(place: Place, password: str) -> dict[str, str]:
    with (place.project / "ebhook.toml").open("a") as file:
        file.write(f"\n[tenants]\nurl = '{place.url('{tenant}', password)}'\n")
    return {**names(place), "EBHOOK_SCRATCH_URL": f"mysql://root:{PLANTED}@127.0.0.1:9/"}


def in_a_coupled_database(place: Place, password: str) -> dict[str, str]:
    host, _, port = place.host.partition(":")
    login = {"RDS_HOSTNAME": host, "RDS_PORT": port, "RDS_USERNAME": place.user}
    return {**login, "RDS_PASSWORD": password, "RDS_DB_NAME": "x", **names(place)}


def in_a_registry(place: Place, password: str) -> dict[str, str]:
    server = place.agencies.server
    with server.connect(database=place.registry) as connection, connection.cursor() as cursor:
        for name in place.agencies.names:
            url = place.url(name, password)
            cursor.execute("INSERT INTO agency VALUES (%s, %s)", (name, url))
    return {
        "EBHOOK_TENANTS_QUERY": "SELECT name, url FROM agency ORDER BY name",
        "EBHOOK_TENANTS_QUERY_URL": place.url(place.registry),
    }


def in_parameters(place: Place, password: str) -> dict[str, str]:
    first, second = place.agencies.names
    place.aws.parameter(f"/agencies/{first}", place.url(first, password))
    for field, value in place.value(second, password).items():
        place.aws.parameter(f"/agencies/{second}/{field}", str(value))
    return place.aws.environment | {"EBHOOK_TENANTS_SSM_PATH": "/agencies"}


def in_secrets(place: Place, password: str) -> dict[str, str]:
    for name in place.agencies.names:
        place.aws.secret(f"agency/{name}", place.value(name, password))
    return place.aws.environment | {"EBHOOK_TENANTS_SECRETS_PREFIX": "agency/"}


def in_one_secret(place: Place, password: str) -> dict[str, str]:
    place.aws.secret("shared", password)
    own = {
        "EBHOOK_TENANTS_URL": f"mysql+pymysql://{place.user}@{place.host}/{{tenant}}",
        "EBHOOK_TENANTS_PASSWORD_SECRET": "shared",
    }
    return {**place.aws.environment, **own, **names(place)}


def in_a_registry_and_secrets(place: Place, password: str) -> dict[str, str]:
    """The names from the one, a password for each from the other."""
    server = place.agencies.server
    with server.connect(database=place.registry) as connection, connection.cursor() as cursor:
        for name in place.agencies.names:
            cursor.execute("INSERT INTO agency (name) VALUES (%s)", (name,))
            value = {"username": place.user, "password": password}
            place.aws.secret(f"agency/{name}/db", value)
    return place.aws.environment | {
        "EBHOOK_TENANTS_QUERY": "SELECT name FROM agency ORDER BY name",
        "EBHOOK_TENANTS_QUERY_URL": place.url(place.registry),
        "EBHOOK_TENANTS_URL": f"mysql+pymysql://{place.host}/{{tenant}}",
        "EBHOOK_TENANTS_PASSWORD_SECRET": "agency/{tenant}/db",
    }


def names(place: Place) -> dict[str, str]:
    return {"EBHOOK_TENANTS_NAMES": ",".join(place.agencies.names)}


SOURCES: list[Callable[[Place, str], dict[str, str]]] = [
    in_a_variable,
    in_the_file,
    in_a_coupled_database,
    in_a_registry,
    in_parameters,
    in_secrets,
    in_one_secret,
    in_a_registry_and_secrets,
]


# --- where it must not get to -------------------------------------------------------------------


def search(what: str, text: str | bytes) -> None:
    found = text if isinstance(text, str) else text.decode("utf-8", "replace")
    at = found.find(PLANTED)
    assert at < 0, f"{what} has the password: …{found[max(0, at - 60) : at + 40]!r}…"


def search_files(folder: Path) -> None:
    """All that was written there, compiled files and forgotten ones too; the settings, where a test
    put a password itself, are what they were."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "ebhook.toml":
            search(str(path), path.read_bytes())


def search_databases(place: Place) -> None:
    """Lock, journal and all else that ebhook wrote."""
    for name in place.agencies.names:
        with place.agencies.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM `{table}`")
                search(f"{name}.{table}", repr(cursor.fetchall()))


@ON_MARIADB
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_password_gets_nowhere(
    ebhook: Ebhook, place: Place, source: Callable[[Place, str], dict[str, str]]
) -> None:
    """An application that tells everything, a boot, the settings, the doctor; and a wrong one."""
    env, log = source(place, PASSWORD), place.project / "ebhook.log"
    scratch = place.project.parent / "tmp"
    scratch.mkdir()
    env = env | {"TMPDIR": str(scratch)}

    boot = ebhook("boot", "--log-file", str(log), cwd=place.project, env=env)
    assert boot.code == Exit.OK, boot.stderr
    assert "***" in boot.stderr  # it did talk
    runs = [boot]
    for command in (["config"], ["doctor", "--json"]):
        runs.append(ebhook(*command, "--log-file", str(log), cwd=place.project, env=env))

    for ran in runs:
        search("stdout", ran.stdout)
        search("stderr", ran.stderr)
    search("the log", log.read_bytes())
    search_files(place.project)
    search_files(scratch)
    search_databases(place)


@ON_MARIADB
@pytest.mark.parametrize("source", [in_a_variable, in_a_coupled_database, in_a_registry])
def test_a_wrong_password_gets_nowhere(
    ebhook: Ebhook, place: Place, source: Callable[[Place, str], dict[str, str]]
) -> None:
    """Nor does one that was refused."""
    env, log = source(place, PASSWORD + " not"), place.project / "ebhook.log"

    for command in ("boot", "status", "doctor"):
        ran = ebhook(command, "--json", "--log-file", str(log), cwd=place.project, env=env)
        assert ran.code in (Exit.PERSON, Exit.FINDINGS), ran.stdout
        search("stdout", ran.stdout)
        search("stderr", ran.stderr)
    search("the log", log.read_bytes())


@ON_MARIADB
def test_every_command_keeps_it(ebhook: Ebhook, place: Place) -> None:
    """Those that read, those that plan, and those that go wrong."""
    env = in_a_variable(place, PASSWORD)
    name = place.agencies.names[0]
    for command in (
        ["upgrade", "--dry-run"],
        ["upgrade", name],
        ["status", "--json"],
        ["boot", "--json"],
        ["config", "--json"],
        ["history", name, "--json"],
        ["lock", "list"],
        ["lock", "clear", "--all"],
        ["resolve", name],
        ["downgrade", name, "-1", "--yes"],
        ["upgrade", "nobody"],
        ["status", "--config", "none.toml"],
        ["heads"],
    ):
        ran = ebhook(*command, cwd=place.project, env=env)
        search(f"{command}: stdout", ran.stdout)
        search(f"{command}: stderr", ran.stderr)
    broken = env | {"EBHOOK_TENANTS_URL": place.url("{tenant}").replace("%40", "@")}
    ran = ebhook("boot", cwd=place.project, env=broken)
    assert ran.code == Exit.SETTINGS
    search("stderr", ran.stderr)


@ON_MARIADB
def test_a_migration_that_fails_with_it(ebhook: Ebhook, place: Place) -> None:
    """An error's text, in the report, the log, the notice and the journal."""
    version = next((place.project / "migrations" / "versions").glob("a003*"))
    text = version.read_text().replace(
        "def upgrade():",
        "def upgrade():\n    raise RuntimeError(str(op.get_bind().engine.url) + PASSWORD)",
    )
    version.write_text(text.replace("revision =", f"PASSWORD = {PASSWORD!r}\nrevision =", 1))
    topic = place.aws.client("sns").create_topic(Name="ops")["TopicArn"]
    told: list[str] = []
    place.aws.after = told.append
    env = in_a_variable(place, PASSWORD) | place.aws.environment | {"EBHOOK_NOTICE_SNS": topic}
    log = place.project / "ebhook.log"

    ran = ebhook("boot", "--json", "--log-file", str(log), cwd=place.project, env=env)

    assert ran.code == Exit.PERSON
    assert "sns:Publish" in told
    for body in place.aws.bodies:
        search("a notice", body)
    search("stdout", ran.stdout)
    search("stderr", ran.stderr)
    search("the log", log.read_bytes())
    search_databases(place)


def test_no_process_shows_it(ebhook: Ebhook, place: Place) -> None:
    """While tenants are upgraded: the arguments of every process of the machine, and what the server
    lists of its own."""
    slow = place.project.parent / "slow"
    shutil.copytree(PROJECTS / "slow", slow, ignore=shutil.ignore_patterns("__pycache__"))
    env = in_secrets(place, PASSWORD) | {"EBHOOK_TEST_SLOW": "1.5", "EBHOOK_ROLLOUT_CANARY": ""}

    process = ebhook.start("boot", cwd=slow, env=env)
    seen, listed = set(), set()
    with place.agencies.server.connect() as connection, connection.cursor() as cursor:
        while process.poll() is None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue
            cursor.execute("SHOW FULL PROCESSLIST")
            listed.update(cursor.fetchall())
            time.sleep(0.05)

    stdout, stderr = process.communicate()
    assert process.returncode == Exit.OK, stderr
    assert any(b"ebhook.rollout.worker_process" in arguments for arguments in seen)
    for arguments in seen - {Path(f"/proc/{os.getpid()}/cmdline").read_bytes()}:
        search("a process", arguments)
    assert any(place.user in row for row in listed)
    search("the server's list", repr(listed))
    search("stderr", stdout + stderr)
