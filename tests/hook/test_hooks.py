"""The real hooks in their real places, from the first boot to the rollback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebhook.errors import Exit
from ebhook.scratch import Flavour
from tests.conftest import AnyServer, Fleet, Fleets, Ran
from tests.hook.instance import Instance

Instances = Callable[..., Instance]
Bundle = Callable[..., Path]

# Everything that breaks a shell's `export $(cat env | xargs)`, and a newline.
PASSWORD = "a b'c\"d=e#f!g$h\\i`j%k&l;m*n@o:p/q?r\tt\nu v=w"

ON_MARIADB = pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)


@pytest.fixture
def coupled(server: AnyServer, fleet: Fleets) -> Iterator[tuple[Fleet, dict[str, str]]]:
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


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it never came: {what}"
        time.sleep(0.02)


def is_quiet(ran: Ran) -> bool:
    return PASSWORD not in ran.stdout + ran.stderr


# --- from boot to boot ---------------------------------------------------------------------------


def test_a_first_boot_of_three_at_once(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """Every revision is applied once to every agency, by somebody who can be told: instance,
    environment and bundle. The coupled database's login is one that hooks do not see."""
    agencies, variables = coupled
    three = [on(instances(f"i-0{n}"), agencies, variables) for n in ("a1", "b2", "c3")]
    for instance in three:
        instance.stage(bundle("linear"), "v512")

    processes = [instance.start_hooks() for instance in three]
    codes = [process.wait(timeout=120) for process in processes]

    logs = [instance.path("/var/log/eb-hooks.log").read_text() for instance in three]
    assert codes == [0, 0, 0], logs
    assert versions(agencies) == {"a005"}
    for name in agencies.names:
        lines = journal(agencies, name)
        assert [line[0] for line in lines] == ["a001", "a002", "a003", "a004", "a005"]
        assert {line[1].partition(":")[0] for line in lines} <= {"i-0a1", "i-0b2", "i-0c3"}
        assert {line[2:] for line in lines} == {("agencies-prod", "v512")}
    assert all("3 tenants:" in log for log in logs)
    assert not any("hunter2" in log or PASSWORD in log for log in logs)
    for instance in three:
        events = instance.events()
        assert events[-1]["Environment"] == "agencies-prod"
        assert events[-1]["_aws"]


@ON_MARIADB
def test_deploy_scale_out_and_rollback(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """A deployment upgrades; a new instance finds nothing to do; an older bundle starts on the
    newer databases, and leaves them as they are."""
    agencies, variables = coupled
    first = on(instances("i-0a1"), agencies, variables)

    assert first.deploy(bundle("linear", upto=3), "v1").code == Exit.OK
    assert versions(agencies) == {"a003"}
    assert first.deploy(bundle("linear"), "v2").code == Exit.OK
    assert versions(agencies) == {"a005"}

    second = on(instances("i-0b2"), agencies, variables)
    began = time.monotonic()
    late = second.deploy(bundle("linear"), "v2")
    assert late.code == Exit.OK
    assert "3 at head" in late.stdout
    assert time.monotonic() - began < 10
    assert not [event for event in second.events() if event["event"] == "LockTaken"]

    back = first.deploy(bundle("linear", upto=3), "v1")
    assert back.code == Exit.OK, back.stdout
    assert "3 ahead" in back.stdout
    assert versions(agencies) == {"a005"}


@ON_MARIADB
def test_a_configuration_change(
    instances: Instances,
    bundle: Bundle,
    coupled: tuple[Fleet, dict[str, str]],
    fleet: Fleets,
) -> None:
    """It runs the other hooks only, and may have brought another database: that is upgraded, too."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK
    more = fleet(1, prefix="newcomer")

    instance.properties["EBHOOK_TENANTS_NAMES"] = ",".join([*agencies.names, *more.names])
    changed = instance.deploy(bundle("linear"), "v1", kind="confighooks")

    assert changed.code == Exit.OK, changed.stdout
    assert "3 at head, 1 upgraded" in changed.stdout
    assert versions(more) == {"a005"}


@ON_MARIADB
def test_a_failing_migration_stops_the_deployment(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """The hook's exit code is ebhook's, and the engine's log says which tenant, why and what next."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)

    ran = instance.deploy(bundle("fails_midway"), "v1")

    assert ran.code == Exit.PERSON
    assert not instance.path("/var/app/current").exists()
    assert f"{agencies.names[0]}: revision a002 failed at statement" in ran.stdout
    assert "ebhook doctor" in ran.stdout
    assert is_quiet(ran)


@ON_MARIADB
def test_starting_all_the_same(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """boot.on_failure = start: the deployment goes on, and nobody can miss why it might not have."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_BOOT_ON_FAILURE"] = "start"

    ran = instance.deploy(bundle("fails_midway"), "v1")

    assert ran.code == Exit.OK
    assert instance.path("/var/app/current").exists()
    assert "*** THIS INSTANCE STARTS ALL THE SAME: 3 of 3 tenants not at head" in ran.stdout


@ON_MARIADB
def test_sigterm_ends_it_cleanly(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """The platform's signal: no further revision is begun, no lock stays, and the rest is told."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_TEST_SLOW"] = "2"
    instance.stage(bundle("slow"), "v1")

    process = instance.start_hooks()
    until(
        lambda: [e for e in instance.events() if e.get("revision") == "a002"], "the slow revision"
    )
    os.kill(process.pid, signal.SIGTERM)
    code = process.wait(timeout=60)

    said = instance.path("/var/log/eb-hooks.log").read_text()
    assert code == Exit.TRY_AGAIN, said
    assert "SIGTERM" in said
    for name in agencies.names[:1]:
        with agencies.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM migration_lock")
            assert cursor.fetchone()[0] == 0
    instance.properties["EBHOOK_TEST_SLOW"] = "0"
    assert instance.hooks().code == Exit.OK
    assert len(versions(agencies)) == 1


@ON_MARIADB
def test_sigterm_before_anything(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """While nobody answers, too: exit 75 within seconds, and no traceback."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables | {"RDS_HOSTNAME": "192.0.2.1"})
    instance.stage(bundle("linear"), "v1")

    process = instance.start_hooks()
    until(lambda: instance.path("/var/log/ebhook.log").exists(), "the log")
    os.kill(process.pid, signal.SIGTERM)

    assert process.wait(timeout=15) == Exit.TRY_AGAIN
    said = instance.path("/var/log/eb-hooks.log").read_text()
    assert "Interrupted." in said
    assert "Traceback" not in said


# --- what an instance may lack ------------------------------------------------------------------


@ON_MARIADB
def test_get_config_misbehaves(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """What it does not say, the service's file of the last deployment does; it is told, and nothing
    of what get-config printed is."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK
    program = instance.path("/opt/elasticbeanstalk/bin/get-config")

    for how in ("fails", "prints no JSON", "prints bytes", "hangs", "cannot be run"):
        instance.misbehave(how)
        program.chmod(0o644 if how == "cannot be run" else 0o755)
        ran = instance.deploy(bundle("linear"), "v1")

        assert ran.code == Exit.OK, ran.stdout
        assert (
            f"Elastic Beanstalk: /{program.relative_to(instance.folder)} environment" in ran.stdout
        )
        assert "hunter2" not in ran.stdout
        assert ran.seconds < 60


@ON_MARIADB
def test_get_config_fails_on_a_first_boot(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """Nothing else has the coupled login then: the settings are incomplete, and both are told."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.misbehave("fails")

    ran = instance.deploy(bundle("linear"), "v1")

    assert ran.code == Exit.SETTINGS
    assert "get-config environment failed (exit 1)" in ran.stdout
    assert "tenants.names: needs tenants.url" in ran.stdout


@ON_MARIADB
def test_a_log_folder_that_cannot_be_written(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """No log is no reason to stop."""
    agencies, variables = coupled
    instance = on(instances("i-0a1", log_folder="ro"), agencies, variables)

    ran = instance.deploy(bundle("linear"), "v1")

    assert ran.code == Exit.OK, ran.stdout
    assert "/var/log/ebhook.log: Read-only file system; going on without this log" in ran.stdout
    assert versions(agencies) == {"a005"}


@ON_MARIADB
def test_no_network_to_aws(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """Metrics and notices are lost, and said to be; the boot is not."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties |= {
        "EBHOOK_NOTICE_CLOUDWATCH": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }

    ran = instance.deploy(bundle("linear"), "v1")

    assert ran.code == Exit.OK, ran.stdout
    assert "The metrics were not sent" in ran.stdout


def test_a_bundle_without_ebhook(instances: Instances, bundle: Bundle) -> None:
    """The hook itself says what is missing: there is nobody else."""
    instance = instances("i-0a1", venv="empty")
    instance.path("/var/app/venv/empty").unlink()

    ran = instance.deploy(bundle("linear"), "v1")

    assert ran.code == Exit.SETTINGS
    assert "requirements.txt" in ran.stdout


# --- people --------------------------------------------------------------------------------------


@ON_MARIADB
def test_over_ssh_from_any_folder(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """`sudo ebhook status` finds the deployed application and its properties, with no exports."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK

    for cwd in ("/", "/root", "/var/app/current/migrations", "/tmp"):
        ran = instance.ssh("ebhook", "status", cwd=cwd)

        assert ran.code == Exit.OK, ran.stderr
        assert ran.stdout.count("at head") == 3
    assert not instance.ssh("which", "ebhook").stdout.startswith("/usr/local")

    doctor = instance.ssh("ebhook", "doctor", "--json")
    told = {f["check"]: (f["level"], f["text"]) for f in doctor.json()["findings"]}
    assert doctor.code == Exit.OK, doctor.stdout
    assert told["identity"] == ("ok", "agencies-prod, v1")
    assert told["properties"][0] == told["log"][0] == "ok"
    assert told["deadline"] == ("ok", "540 s, of the 600 s of a deployment")


@ON_MARIADB
def test_over_ssh_with_properties_that_are_secrets(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """get-config does not have what comes from Secrets Manager; the service's file does."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, {})
    instance.secret = dict(variables)

    deployed = instance.deploy(bundle("linear"), "v1")
    ran = instance.ssh("ebhook", "status", "--json")

    assert deployed.code == Exit.OK, deployed.stdout
    assert ran.code == Exit.OK, ran.stderr
    assert "get-config" in instance.ssh("ebhook", "config").stdout


@ON_MARIADB
def test_a_hook_does_not_read_yesterdays_properties(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """The service's file still has a property that this deployment took away: it would contradict
    the new ones."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    del instance.properties["EBHOOK_TENANTS_NAMES"]
    instance.properties["EBHOOK_TENANTS_LIKE"] = agencies.names[0][:-4] + "%"
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK

    again = on(instance, agencies, variables).deploy(bundle("linear"), "v2")

    assert again.code == Exit.OK, again.stdout


@ON_MARIADB
def test_by_hand_beside_a_boot(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """An engineer's upgrade waits for the boot that is running, and finds its work done."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_TEST_SLOW"] = "1.5"
    assert instance.deploy(bundle("slow", upto=1), "v1").code == Exit.OK
    instance.path("/var/log/ebhook.log").unlink()
    instance.stage(bundle("slow"), "v2")

    booting = instance.start_hooks()
    until(lambda: [e for e in instance.events() if e["event"] == "LockTaken"], "the lock")
    listed = instance.ssh("ebhook", "lock", "list", cwd="/var/app/staging")
    by_hand = instance.ssh("ebhook", "upgrade", "--json", cwd="/var/app/staging")

    assert booting.wait(timeout=60) == Exit.OK
    assert by_hand.code == Exit.OK, by_hand.stderr
    assert "i-0a1" in listed.stdout
    assert len(versions(agencies)) == 1
    revisions = [line[0] for line in journal(agencies, agencies.names[0])]
    assert revisions == sorted(set(revisions))


@ON_MARIADB
def test_a_lock_that_was_left_and_one_that_was_frozen(
    instances: Instances, bundle: Bundle, coupled: tuple[Fleet, dict[str, str]]
) -> None:
    """A row whose holder is gone does not stop a boot; a row that a person made does, until
    `sudo ebhook lock clear`, or until the person deletes it."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_LOCK_WAIT"] = "0"
    assert instance.deploy(bundle("linear", upto=3), "v1").code == Exit.OK
    left, frozen, other = agencies.names
    for name, token in ((left, "'" + "f" * 32 + "'"), (frozen, "NULL")):
        with agencies.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO migration_lock (token, holder) VALUES ({token}, 'i-0dead')"
            )

    held = instance.deploy(bundle("linear"), "v2")
    cleared = instance.ssh("ebhook", "lock", "clear", frozen, cwd="/home")
    done = instance.deploy(bundle("linear"), "v2")

    assert held.code == Exit.TRY_AGAIN
    assert f"{left}: took over the lock of i-0dead" in held.stdout
    assert f"{frozen}: locked" in held.stdout
    assert cleared.code == Exit.OK, cleared.stderr
    assert done.code == Exit.OK, done.stdout
    assert versions(agencies) == {"a005"}
    del other
