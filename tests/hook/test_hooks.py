"""The real hooks in their real places, from the first boot to the rollback."""

from __future__ import annotations

import os
import signal
import time

from ebhook.errors import Exit
from tests.conftest import Fleets
from tests.support.hook.agencies import (
    ON_MARIADB,
    PASSWORD,
    Bundle,
    Coupled,
    Instances,
    is_quiet,
    journal,
    on,
    versions,
)
from tests.support.watching import until


def test_a_first_boot_of_three_at_once(
    instances: Instances, bundle: Bundle, coupled: Coupled
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
        *_, metrics, last = instance.events()
        assert (metrics["event"], last["event"]) == ("Metrics", "Ended")
        assert metrics["Environment"] == "agencies-prod"
        assert metrics["_aws"]


@ON_MARIADB
def test_deploy_scale_out_and_rollback(
    instances: Instances, bundle: Bundle, coupled: Coupled
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

    first.properties["EBHOOK_LATER_SETTING"] = "of a newer ebhook"
    back = first.deploy(bundle("linear", upto=3), "v1")
    assert back.code == Exit.OK, back.stdout
    assert "EBHOOK_LATER_SETTING: is no setting; a newer bundle was here" in back.stdout
    assert "3 ahead" in back.stdout
    assert versions(agencies) == {"a005"}

    again = first.deploy(bundle("linear"), "v2")
    assert again.code == Exit.SETTINGS  # no database is ahead: the property is a mistake
    assert "EBHOOK_LATER_SETTING: is no setting" in again.stdout


@ON_MARIADB
def test_a_configuration_change(
    instances: Instances,
    bundle: Bundle,
    coupled: Coupled,
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
    instances: Instances, bundle: Bundle, coupled: Coupled
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
def test_starting_all_the_same(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
    """boot.on_failure = start: the deployment goes on, and nobody can miss why it might not have."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["EBHOOK_BOOT_ON_FAILURE"] = "start"

    ran = instance.deploy(bundle("fails_midway"), "v1")

    assert ran.code == Exit.OK
    assert instance.path("/var/app/current").exists()
    assert "*** THIS INSTANCE STARTS ALL THE SAME: 3 of 3 tenants not at head" in ran.stdout


@ON_MARIADB
def test_sigterm_ends_it_cleanly(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
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
def test_sigterm_before_anything(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
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


@ON_MARIADB
def test_the_deadline_counts_from_the_beginning_of_the_step(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """Pip and the others have used up the step's time: nothing is begun (75). A boot that cannot know
    when the step began says so, and counts from its own start."""
    agencies, variables = coupled
    late = on(instances("i-0a1"), agencies, variables)
    late.stage(bundle("linear"), "v1")
    late.start_engine(ago=595)  # of 600, less a minute

    ran = late.hooks()

    assert ran.code == 75, ran.stdout
    assert "the deadline is too near" in ran.stdout
    assert "3 skipped" in ran.stdout

    late.path("/var/log/eb-engine.log").unlink()
    ran = late.hooks()

    assert ran.code == Exit.OK, ran.stdout
    assert "does not say when this step began" in ran.stdout
    assert versions(agencies) == {"a005"}
