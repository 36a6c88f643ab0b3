"""People on an instance: `sudo ebhook …` over SSH, beside a boot and after one."""

from __future__ import annotations

from ebhook.errors import Exit
from tests.support.hook.agencies import (
    ON_MARIADB,
    Bundle,
    Coupled,
    Instances,
    journal,
    on,
    versions,
)
from tests.support.watching import until


@ON_MARIADB
def test_over_ssh_from_any_folder(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
    """`sudo ebhook status` finds the deployed application and its properties, with no exports."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK

    for cwd in ("/", "/root", "/var/app", "/var/app/venv", "/var/app/current/migrations", "/tmp"):
        ran = instance.ssh("ebhook", "status", cwd=cwd)

        assert ran.code == Exit.OK, ran.stderr
        assert "3 tenants: 3 at head" in ran.stdout
    assert not instance.ssh("which", "ebhook").stdout.startswith("/usr/local")

    doctor = instance.ssh("ebhook", "doctor", "--json")
    assert doctor.code == Exit.OK, doctor.stdout + doctor.stderr
    told = {f["check"]: (f["level"], f["text"]) for f in doctor.json()["findings"]}
    assert told["identity"] == ("ok", "agencies-prod, v1")
    assert told["properties"][0] == told["log"][0] == "ok"
    assert told["deadline"] == ("ok", "540 s, of the 600 s of a deployment")


@ON_MARIADB
def test_in_a_folder_that_a_deployment_took_away(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """A shell that stood in the bundle before the last one."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK
    away = "mkdir gone && cd gone && rmdir ../gone"

    ran = instance.ssh("bash", "-c", f"{away} && ebhook status", cwd="/var/app/current")
    work = instance.ssh("bash", "-c", f"{away} && ebhook upgrade", cwd="/var/app/current")

    assert (ran.code, work.code) == (Exit.OK, Exit.OK), ran.stderr + work.stderr
    assert "3 tenants: 3 at head" in ran.stdout


@ON_MARIADB
def test_after_a_first_deployment_that_failed(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """Nothing is deployed then: what is meant is the bundle that was to be. The doctor is harmless,
    and so is the command that it gives next."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("fails_midway"), "v1").code == Exit.PERSON

    status = instance.ssh("ebhook", "status", cwd="/root")
    doctor = instance.ssh("ebhook", "doctor", cwd="/root")

    assert status.code == Exit.FINDINGS, status.stderr
    assert "a002 half applied" in status.stdout
    assert "/var/app/staging/migrations" in doctor.stdout
    assert f"ebhook history {agencies.names[0]}" in doctor.stdout
    assert "ebhook upgrade" not in doctor.stdout


@ON_MARIADB
def test_without_sudo(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
    """Who may not read the properties is told so, and what to type."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK
    for place in ("bin/get-config", "deployment/env"):
        instance.path("/opt/elasticbeanstalk", place).chmod(0)
    # Root without the right to read what it may not: the virtualenv of the tests is root's own.
    stripped = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]

    ran = instance.ssh(*stripped, "ebhook", "status")
    doctor = instance.ssh(*stripped, "ebhook", "doctor")

    assert ran.code == Exit.SETTINGS
    assert "Only root may read it: use sudo." in ran.stderr
    assert doctor.code == Exit.FINDINGS
    assert "sudo ebhook doctor" in doctor.stdout


@ON_MARIADB
def test_over_ssh_with_properties_that_are_secrets(
    instances: Instances, bundle: Bundle, coupled: Coupled
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
def test_by_hand_beside_a_boot(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
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
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """A row whose holder is gone does not stop a boot; a row that a person made does, until
    `sudo ebhook lock clear`, or until the person deletes it."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_LOCK_WAIT"] = "0"
    assert instance.deploy(bundle("linear", upto=3), "v1").code == Exit.OK
    left, frozen, _ = agencies.names
    # A connection that is no more, as a killed holder leaves it; and none, as a person does.
    for name, token, id in ((left, "f" * 32, 999_999_999), (frozen, None, None)):
        with agencies.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO migration_lock (token, holder, connection_id) "
                "VALUES (%s, 'i-0dead', %s)",
                (token, id),
            )

    held = instance.deploy(bundle("linear"), "v2")
    cleared = instance.ssh("ebhook", "lock", "clear", frozen, cwd="/home")
    done = instance.deploy(bundle("linear"), "v2")

    assert held.code == Exit.TRY_AGAIN
    assert f"{left}: took over the lock of i-0dead" in held.stdout
    assert f"{frozen}: frozen" in held.stdout
    assert cleared.code == Exit.OK, cleared.stderr
    assert done.code == Exit.OK, done.stdout
    assert versions(agencies) == {"a005"}
