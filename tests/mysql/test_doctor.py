"""ebhook doctor: what would go wrong at the next boot is found, told with its remedy, and left as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ebhook.doctor.finding import Level
from ebhook.doctor.servers import LoginChecks
from ebhook.errors import Exit
from ebhook.scratch.installation import Flavour
from ebhook.settings import Settings
from tests.conftest import AnyServer, Ebhook, Fleet, Fleets, Ran
from tests.support.cloud import Cloud, cloud

PROJECTS = Path(__file__).parents[1] / "projects"
NOBODY = "mysql+pymysql://app:hunter2secret@127.0.0.1:9/{tenant}"

ON_MARIADB = pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)


def env_of(agencies: Fleet, **more: str) -> dict[str, str]:
    return {
        "EBHOOK_TENANTS_URL": agencies.template,
        "EBHOOK_TENANTS_NAMES": ",".join(agencies.names),
        "EBHOOK_CONNECT_TIMEOUT": "1",
    } | {f"EBHOOK_{key}": value for key, value in more.items()}


def found(ran: Ran, level: str = "") -> list[tuple[str, str, str]]:
    """Check, subject and text of the findings (of one level)."""
    return [
        (finding["check"], finding["subject"], finding["text"])
        for finding in ran.json()["findings"]
        if level in ("", finding["level"])
    ]


def examine(
    ebhook: Ebhook, env: Mapping[str, str], *arguments: str, project: str = "linear"
) -> Ran:
    return ebhook("doctor", "--json", *arguments, cwd=PROJECTS / project, env=env)


def ask(agencies: Fleet, name: str, *statements: str) -> None:
    with agencies.connect(name) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def snapshot(agencies: Fleet) -> list[Any]:
    """Every table of the databases."""
    with agencies.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN %s ORDER BY 1, 2",
            (agencies.names,),
        )
        return list(cursor.fetchall())


def test_a_fleet_that_is_well(ebhook: Ebhook, fleet: Fleets) -> None:
    """Every part is named in one line; nothing is left in the databases; boot agrees."""
    agencies = fleet(3)

    ran = examine(ebhook, env_of(agencies))

    assert ran.code == Exit.OK, ran.stdout
    assert not found(ran, "warn") + found(ran, "fail")
    checks = [check for check, _, _ in found(ran)]
    wanted = [
        "settings",
        "chain",
        "identity",
        "application",
        "login",
        "tls",
        "server",
        "lock",
        "clock",
    ]
    assert checks == [*wanted, "privileges", "tables", "tenants"]
    assert "in 3 of 3" in found(ran)[9][2]
    assert snapshot(agencies) == []
    assert ebhook("boot", cwd=PROJECTS / "linear", env=env_of(agencies)).code == Exit.OK
    again = examine(ebhook, env_of(agencies), agencies.names[1])
    assert found(again)[-1] == ("tenants", "1 of 1", "1 at head")


@ON_MARIADB
def test_what_is_wrong_with_some_databases(ebhook: Ebhook, fleet: Fleets) -> None:
    """One that is not there, tables of others, an older lock table, a freeze: all in one run, each
    with its next command."""
    agencies = fleet(4)
    foreign, older, frozen, well = agencies.names
    ask(agencies, foreign, "CREATE TABLE migration_journal (id INT PRIMARY KEY)")
    ask(agencies, older, "CREATE TABLE migration_lock (locked_by VARCHAR(50) NULL)")
    env = env_of(agencies, TENANTS_NAMES=",".join([*agencies.names, "none"]))
    ebhook("upgrade", frozen, cwd=PROJECTS / "linear", env=env)
    ask(agencies, frozen, "INSERT INTO migration_lock (holder) VALUES ('ann')")

    ran = examine(ebhook, env)
    text = ebhook("doctor", cwd=PROJECTS / "linear", env=env)

    assert ran.code == text.code == Exit.FINDINGS
    assert [(check, subject) for check, subject, _ in found(ran, "fail")] == [
        ("tables", foreign),
        ("database", "none"),
    ]
    assert [(check, subject) for check, subject, _ in found(ran, "warn")] == [
        ("tables", older),
        ("lock", frozen),
    ]
    for word in ("lock.table, journal.table", f"ebhook lock list {frozen}", "2 warn, 2 fail"):
        assert word in text.stdout
    assert well not in text.stdout


@ON_MARIADB
def test_a_database_that_cannot_be_read(ebhook: Ebhook, fleet: Fleets) -> None:
    """Where no check of its own says why, the error that a boot would meet is the finding."""
    agencies = fleet(2)
    broken, _ = agencies.names
    ask(agencies, broken, "CREATE TABLE kept (version_num INT)")
    ask(agencies, broken, "CREATE VIEW alembic_version AS SELECT version_num FROM kept")
    ask(agencies, broken, "DROP TABLE kept")

    ran = examine(ebhook, env_of(agencies))
    boot = ebhook("boot", cwd=PROJECTS / "linear", env=env_of(agencies))

    ((check, subject, text),) = found(ran, "fail")
    assert (check, subject) == ("database", broken)
    assert "(1356)" in text
    assert ("tenants", "2 of 2", "1 refused, 1 empty") in found(ran)
    assert boot.code == Exit.PERSON


@ON_MARIADB
def test_a_tenant_that_nobody_knows(ebhook: Ebhook, fleet: Fleets) -> None:
    """Is a mistake of the command line, and no finding."""
    ran = ebhook("doctor", "acmee", cwd=PROJECTS / "linear", env=env_of(fleet(1)))

    assert ran.code == Exit.USAGE
    assert "There is no tenant 'acmee'" in ran.stderr


def test_what_is_wrong_before_any_database(ebhook: Ebhook, tmp_path: Path) -> None:
    """Settings, chain, host name, port: each is a finding, never a traceback."""
    broken = examine(ebhook, {"EBHOOK_LOCK_WAIT": "soon"})
    two = examine(
        ebhook, {"EBHOOK_TENANTS_URL": "mysql://u@no.such.host.invalid/x"}, project="two_heads"
    )
    port = examine(ebhook, {"EBHOOK_TENANTS_URL": NOBODY, "EBHOOK_TENANTS_NAMES": "a,b"})
    none = examine(ebhook, {})

    assert [f[0] for f in found(broken, "fail")] == ["settings"]
    assert "lock.wait" in broken.stdout
    assert [f[:2] for f in found(two, "fail")] == [
        ("chain", str(PROJECTS / "two_heads" / "migrations")),
        ("dns", "no.such.host.invalid"),
    ]
    assert found(port, "fail") == [("tcp", "127.0.0.1:9", "Connection refused")]
    assert [f[0] for f in found(none, "fail")] == ["tenants"]
    for ran in (broken, two, port, none):
        assert ran.code == Exit.FINDINGS
        assert "Traceback" not in ran.stderr
        assert "hunter2" not in ran.stdout + ran.stderr


def test_a_wrong_password(ebhook: Ebhook, fleet: Fleets, server: AnyServer) -> None:
    """The login, after the network was found to be there."""
    url = f"mysql+pymysql://nobody:hunter2secret@{server.host}:{server.port}/x"

    ran = examine(ebhook, {"EBHOOK_TENANTS_URL": url})

    ((check, who, said),) = found(ran, "fail")
    assert (check, who) == ("login", f"nobody@{server.host}:{server.port}")
    assert "1045" in said
    assert "hunter2" not in ran.stdout


@contextmanager
def globally(server: AnyServer, on: str, off: str) -> Iterator[None]:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(on)
        try:
            yield
        finally:
            cursor.execute(off)


def test_a_server_that_is_read_only(ebhook: Ebhook, fleet: Fleets, server: AnyServer) -> None:
    """As after a fail-over."""
    agencies = fleet(1)
    user = "replica_reader"
    with globally(server, f"CREATE USER {user}@'127.0.0.1'", f"DROP USER {user}@'127.0.0.1'"):
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"GRANT SELECT, DROP, CREATE ON *.* TO {user}@'127.0.0.1'")
        with globally(server, "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"):
            env = env_of(agencies, TENANTS_URL=agencies.template.replace("root@", f"{user}@"))
            ran = examine(ebhook, env)

    assert ran.code == Exit.FINDINGS
    assert ("server", f"{server.host}:{server.port}", "is read-only (read_only)") in found(
        ran, "fail"
    )
    assert "Traceback" not in ran.stderr


@ON_MARIADB
def test_lock_named_against_what_the_server_can(ebhook: Ebhook, fleet: Fleets) -> None:
    """The row alone where GET_LOCK works is a needless risk."""
    ran = examine(ebhook, env_of(fleet(1), LOCK_NAMED="false"))

    assert ran.code == Exit.OK
    assert [(f[0], f[2]) for f in found(ran, "warn")] == [("lock", "GET_LOCK works")]


@ON_MARIADB
@pytest.mark.parametrize(("seconds", "level"), [(0, Level.OK), (60, Level.WARN), (-60, Level.WARN)])
def test_clocks_that_are_apart(server: AnyServer, seconds: int, level: Level) -> None:
    """The server's is what locks and journals are told in."""
    with server.connect() as connection, connection.cursor() as cursor:
        then = datetime.now(UTC) + timedelta(seconds=seconds)
        cursor.execute("SET SESSION timestamp = %s", (then.timestamp(),))
        from ebhook.database.url import Url
        from ebhook.fleet.logins import LoginGroup
        from ebhook.tenant import Tenant

        finding = LoginChecks(LoginGroup((Tenant("x", Url()),)), Settings(), False).clock(
            connection
        )

    assert finding.level is level


def test_no_room_for_the_log(ebhook: Ebhook, tmp_path: Path) -> None:
    """A folder that is not there, and one that is."""
    env = {"EBHOOK_TENANTS_URL": NOBODY, "EBHOOK_TENANTS_NAMES": "a"}

    none = examine(ebhook, env, "--log-file", str(tmp_path / "none" / "x.log"))
    here = examine(ebhook, env, "--log-file", str(tmp_path / "x.log"))

    assert ("log", str(tmp_path / "none" / "x.log"), "No such file or directory") in found(
        none, "fail"
    )
    assert [f[0] for f in found(here, "ok")].count("log") == 1
    lines = (tmp_path / "x.log").read_text().splitlines()
    assert {json.loads(line)["event"] for line in lines} == {"Finding", "Ended"}


@pytest.fixture(scope="module")
def aws() -> Iterator[Cloud]:
    with cloud() as here:
        yield here


def test_aws_is_asked(ebhook: Ebhook, aws: Cloud) -> None:
    """As whom, and whether what a boot may have to ask is allowed; notices are sent on demand."""
    aws.reset()
    aws.secret("agency/acme", {"host": "127.0.0.1", "port": 9, "username": "u", "password": "p"})
    topic = aws.client("sns").create_topic(Name="ops")["TopicArn"]
    env = aws.environment | {
        "EBHOOK_TENANTS_SECRETS_PREFIX": "agency/",
        "EBHOOK_NOTICE_SNS": topic,
        "EBHOOK_CONNECT_TIMEOUT": "1",
    }

    untried = examine(ebhook, env)
    sent = examine(ebhook, env, "--send")
    gone = examine(ebhook, env | {"EBHOOK_NOTICE_SNS": topic + "x"}, "--send")

    assert [f[1].split()[0] for f in found(untried) if f[0] == "aws"] == [
        "eu-west-1",
        "secretsmanager:GetSecretValue",
    ]
    assert ("notices", topic, "not tried; --send tries them") in found(untried, "ok")
    assert ("notices", topic, "sent") in found(sent, "ok")
    assert [f[0] for f in found(gone, "warn")] == ["notices"]


def test_aws_says_no(ebhook: Ebhook, aws: Cloud) -> None:
    """A role that lacks something is a finding with the document that lists it."""
    aws.reset()
    aws.parameter("/agencies/acme", "mysql://u:p@127.0.0.1:9/x")
    only = {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": "*"}
    with aws.as_user(only) as env:
        given = env | {"EBHOOK_TENANTS_SSM_PATH": "/agencies", "EBHOOK_CONNECT_TIMEOUT": "1"}
        ran = examine(ebhook, given)
        nothing = examine(ebhook, given | {"EBHOOK_TENANTS_SSM_PATH": "/none"})

    assert [f[:2] for f in found(ran, "fail")] == [
        ("aws", "ssm:GetParameter /agencies/acme"),
        ("tcp", "127.0.0.1:9"),
    ]
    assert "docs/iam.md" in ran.stdout
    assert [f[0] for f in found(nothing, "fail")] == ["tenants"]


# --- what a boot will meet ------------------------------------------------------------------------


@ON_MARIADB
def test_the_application_is_loaded_as_a_boot_loads_it(ebhook: Ebhook, fleet: Fleets) -> None:
    """An env.py that raises is found here, with the exit code's reason, and not by the next boot."""
    env = env_of(fleet(1))

    ran = examine(ebhook, env, project="env_raises")
    boot = ebhook("boot", "--json", cwd=PROJECTS / "env_raises", env=env)

    assert boot.code == Exit.CHAIN
    ((check, _, text),) = found(ran, "fail")
    assert check == "application"
    assert text == boot.json()["error"]["what"]


def test_tables_without_a_revision(ebhook: Ebhook, fleet: Fleets) -> None:
    """A database that another tool made is told of, before the chain fails in it."""
    agencies = fleet(2)
    made, _ = agencies.names
    ask(agencies, made, "CREATE TABLE clients (id INT PRIMARY KEY)")

    ran = examine(ebhook, env_of(agencies))

    ((check, name, text),) = found(ran, "fail")
    assert (check, name) == ("tables", made)
    assert "has tables (1) and no revision" in text


def test_limits_of_the_server(ebhook: Ebhook, fleet: Fleets) -> None:
    """A statement's time and a silent connection's; a server that only reads says by which setting."""
    agencies = fleet(1)
    mysql = agencies.server.flavour is Flavour.MYSQL
    limit = ("max_execution_time", 90_000) if mysql else ("max_statement_time", 90)
    with agencies.server.connect() as connection, connection.cursor() as cursor:
        for name, value in (limit, ("wait_timeout", 20), ("read_only", 1)):
            cursor.execute(f"SET GLOBAL {name} = {value}")
        try:
            ran = examine(ebhook, env_of(agencies))
        finally:
            for name, value in ((limit[0], 0), ("wait_timeout", 28_800), ("read_only", 0)):
                cursor.execute(f"SET GLOBAL {name} = {value}")

    told = [text for check, _, text in found(ran) if check in ("limits", "server")]
    assert any(f"{limit[0]} ends" in text and "after 90 s" in text for text in told)
    assert any("wait_timeout ends a connection after 20 s" in text for text in told)
    assert "is read-only (read_only)" in told
    assert ran.code == Exit.FINDINGS


def test_a_bundle_is_examined_without_a_database(ebhook: Ebhook, tmp_path: Path) -> None:
    """`doctor --bundle FILE.zip`: settings, chain, hooks, and the application, loaded as a boot does."""
    env = {"EBHOOK_TENANTS_URL": NOBODY, "EBHOOK_TENANTS_NAMES": "acme"}
    for project in ("linear", "env_raises"):
        shutil.make_archive(str(tmp_path / project), "zip", PROJECTS / project)

    well = ebhook("doctor", "--json", "--bundle", str(tmp_path / "linear.zip"), env=env)
    ill = ebhook("doctor", "--json", "--bundle", str(tmp_path / "env_raises.zip"), env=env)

    assert [check for check, _, _ in found(well, "fail")] == ["bundle"]
    assert {"settings", "chain", "application"} <= {check for check, _, _ in found(well, "ok")}
    assert "application" in [check for check, _, _ in found(ill, "fail")]
    assert ebhook("doctor", "--bundle", "no.zip", env=env).code == Exit.USAGE
