"""What an instance may lack: get-config, a log, a network, ebhook itself; and what it has too much of."""

from __future__ import annotations

from ebhook.errors import Exit
from tests.support.hook.agencies import ON_MARIADB, Bundle, Coupled, Instances, on, versions


@ON_MARIADB
def test_get_config_misbehaves(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
    """What it does not say, the service's file of the last deployment does; it is told, and nothing
    of what get-config printed is."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear"), "v1").code == Exit.OK
    program = instance.path("/opt/elasticbeanstalk/bin/get-config")
    words = {
        "fails": "failed (exit 1)",
        "prints no JSON": "printed no JSON",
        "prints half of it": "printed no JSON",
        "prints a list": "printed no JSON object",
        "prints bytes": "printed no UTF-8",
        "hangs": "gave no answer in 5 s",
        "cannot be run": "Permission denied",
        "is not there": "No such file or directory",
    }

    for how, said in words.items():
        instance.misbehave(how)
        program.chmod(0o644 if how == "cannot be run" else 0o755)
        if how == "is not there":
            program.unlink()
        ran = instance.deploy(bundle("linear"), "v1")
        by_hand = instance.ssh("ebhook", "status")

        assert ran.code == by_hand.code == Exit.OK, ran.stdout + by_hand.stderr
        for text in (ran.stdout, by_hand.stderr):
            assert "Elastic Beanstalk: /opt/elasticbeanstalk/bin/get-config environment" in text
            assert said in text
            assert "hunter2" not in text
        # It is asked for three things; after an answer that never came, for none of them.
        assert ran.seconds < 15


@ON_MARIADB
def test_get_config_fails_on_a_first_boot(
    instances: Instances, bundle: Bundle, coupled: Coupled
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
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """No log is no reason to stop."""
    agencies, variables = coupled
    instance = on(instances("i-0a1", log_folder="ro"), agencies, variables)

    ran = instance.deploy(bundle("linear"), "v1")

    assert ran.code == Exit.OK, ran.stdout
    assert "/var/log/ebhook.log: Read-only file system; going on without this log" in ran.stdout
    assert versions(agencies) == {"a005"}


@ON_MARIADB
def test_no_network_to_aws(instances: Instances, bundle: Bundle, coupled: Coupled) -> None:
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


@ON_MARIADB
def test_a_hook_does_not_read_yesterdays_properties(
    instances: Instances, bundle: Bundle, coupled: Coupled
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
