"""The .ebextensions: checked as YAML, installed as cfn-init would, and used."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ebhook.aws import beanstalk
from ebhook.aws.bundle import CLOUDWATCH, EXTENSION, HOOKS, template
from ebhook.errors import Exit
from ebhook.holder import Holder
from ebhook.report.notices import Ended, metric_data
from ebhook.settings import default_of
from tests.support.hook.instance import Instance

Instances = Callable[..., Instance]
Bundle = Callable[..., Path]

SECTIONS = {"option_settings", "files", "commands", "container_commands", "packages", "Resources"}
OPTIONS = {"aws:elasticbeanstalk:command": {"Timeout"}}
COMMAND_KEYS = {"command", "cwd", "env", "test", "ignoreErrors", "leader_only"}
LOG = str(beanstalk.LOG)


class Strict(yaml.SafeLoader):
    """Refuses what Elastic Beanstalk silently drops: a key that comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"repeated: {keys}"
        return super().construct_mapping(node, deep)


def parsed(name: str) -> dict[str, Any]:
    document = yaml.load(template(name), Loader=Strict)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("name", [EXTENSION, CLOUDWATCH])
def test_they_say_only_what_is_known(name: str) -> None:
    """Sections, namespaces, options and the keys of each entry; all values are texts where texts are
    wanted: a mode such as 000644 would be a number."""
    document = parsed(name)

    assert document.keys() <= SECTIONS
    for namespace, options in document.get("option_settings", {}).items():
        assert options.keys() <= OPTIONS[namespace]
        assert all(isinstance(value, str) for value in options.values())
    for place, entry in document.get("files", {}).items():
        assert place.startswith("/")
        assert entry.keys() == {"mode", "owner", "group", "content"}
        assert (entry["owner"], entry["group"]) == ("root", "root")
        assert entry["mode"] == ("000755" if entry["content"].startswith("#!") else "000644")
        assert entry["content"].endswith("\n")
        functions = entry["content"].count("`")
        assert functions == 2 * entry["content"].count('`{"Ref": "AWSEBEnvironmentName"}`')
    for section in ("commands", "container_commands"):
        for entry in document.get(section, {}).values():
            assert entry.keys() <= COMMAND_KEYS
            assert "leader_only" not in entry


def test_a_repeated_key_would_be_seen() -> None:
    """The check above checks."""
    with pytest.raises(AssertionError, match="repeated"):
        yaml.load("files:\n  a: 1\nfiles:\n  b: 1\n", Loader=Strict)


def test_the_time_is_one_that_the_platform_takes() -> None:
    """From 1 to 3600 seconds."""
    options = parsed(EXTENSION)["option_settings"]["aws:elasticbeanstalk:command"]

    assert 600 <= int(options["Timeout"]) <= 3600


def test_the_alarm_watches_a_metric_that_boots_send() -> None:
    """Its name, its unit's meaning and its dimension are those of the metrics."""
    (alarm,) = parsed(CLOUDWATCH)["Resources"].values()
    holder = Holder("i-0abc", 1, "prod", "v7", "boot", "t")
    ended = Ended("9c11", (), 0, 1.0, Exit.PERSON, False, holder)
    (metric,) = [m for m in metric_data(ended) if m["MetricName"] == "BootFailed"]
    wanted = alarm["Properties"]

    assert alarm["Type"] == "AWS::CloudWatch::Alarm"
    assert wanted["Namespace"] == default_of("notice.namespace")
    assert wanted["MetricName"] == "BootFailed"
    assert [d["Name"] for d in wanted["Dimensions"]] == [d["Name"] for d in metric["Dimensions"]]
    assert metric["Value"] >= wanted["Threshold"]


def test_hook_and_extension_name_the_same_log() -> None:
    """What the hook writes is what is shown, shipped and rotated."""
    assert f"--log-file {LOG}" in template(HOOKS[0])
    for place, entry in parsed(EXTENSION)["files"].items():
        if "/tasks/" in place or (place.endswith(".conf") and "logrotate.e" in place):
            assert "ebhook.log" in entry["content"] or "cron" in place
    assert LOG in template(CLOUDWATCH)


def test_shell_scripts_pass_shellcheck(tmp_path: Path) -> None:
    """Those in .ebextensions, too."""
    scripts = [template(HOOKS[0])]
    scripts += [e["content"] for e in parsed(EXTENSION)["files"].values() if "#!" in e["content"]]
    assert len(scripts) == 3
    for number, script in enumerate(scripts):
        (tmp_path / f"{number}.sh").write_text(script)
    program = Path(sys.executable).parent / "shellcheck"

    done = subprocess.run(
        [program, *sorted(tmp_path.glob("*.sh"))], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout


def test_the_agents_file(instances: Instances, bundle: Bundle, tmp_path: Path) -> None:
    """Installed, it is JSON of the agent's own form, for this environment's group."""
    folder = tmp_path / "extensions"
    folder.mkdir()
    (folder / "51.config").write_text(template(CLOUDWATCH))
    instance = instances("i-0a1")

    instance.install(folder)

    place = "/opt/aws/amazon-cloudwatch-agent/etc/ebhook.json"
    document = json.loads(instance.path(place).read_text())
    (entry,) = document["logs"]["logs_collected"]["files"]["collect_list"]
    assert entry == {
        "file_path": LOG,
        "log_group_name": f"/aws/elasticbeanstalk/agencies-prod{LOG}",
        "log_stream_name": "{instance_id}",
        "retention_in_days": 90,
    }
    command = parsed(CLOUDWATCH)["container_commands"]["50_ebhook_cloudwatch"]
    assert f"file:{place}" in command["command"]
    assert command["ignoreErrors"] is True


def test_installed_they_name_files_that_are_there(instances: Instances, bundle: Bundle) -> None:
    """After a boot, each list of logs leads to the log; the wrapper runs; a second time it is the
    same."""
    instance = instances("i-0a1")
    instance.properties = {"EBHOOK_TENANTS_URL": "mysql://u@127.0.0.1:9/x"}
    instance.properties["EBHOOK_CONNECT_TIMEOUT"] = "0.1"
    instance.deploy(bundle("linear"), "v1")
    instance.install(bundle("linear") / ".ebextensions")

    for kind in ("taillogs", "bundlelogs"):
        listed = instance.matching(f"/opt/elasticbeanstalk/tasks/{kind}.d/ebhook.conf")
        assert listed == [instance.path(LOG)]
    ran = instance.ssh("ebhook", "--version")
    assert ran.code == 0, ran.stderr
    assert "ebhook" in ran.stdout


@pytest.mark.usefixtures("rotation")
def test_the_log_is_rotated(instances: Instances, bundle: Bundle) -> None:
    """Through the script that cron runs each hour, once it is long enough; what is being written
    goes on in the same file. The older ones are kept where Elastic Beanstalk publishes them from, and
    a sixth is not."""
    instance = instances("i-0a1")
    instance.install(bundle("linear") / ".ebextensions")
    cron = ["/etc/cron.hourly/cron.logrotate.elasticbeanstalk.ebhook.conf"]
    log, rotated = instance.path(LOG), instance.path("/var/log/rotated")

    assert instance.run(cron).code == 0  # no log yet
    log.write_bytes(b"a few lines\n")
    assert instance.run(cron).code == 0
    assert log.stat().st_size == 12

    older = [rotated / f"ebhook.log-17000{number}.gz" for number in range(10000, 60000, 10000)]
    for path in older:
        path.write_bytes(gzip.compress(b"older\n"))
    with log.open("a") as boot:
        boot.write("x" * 11_000_000)
        boot.flush()
        ran = instance.run(cron)
        assert ran.code == 0, ran.stderr
        assert log.stat().st_size == 0
        boot.write("after\n")

    assert log.read_text() == "after\n"
    kept = sorted(rotated.iterdir())
    assert kept[:-1] == older[1:]
    assert kept[-1].suffix == ".gz"
    assert gzip.decompress(kept[-1].read_bytes()).startswith(b"a few lines\nxxx")
    assert len(instance.matching("/opt/elasticbeanstalk/tasks/publishlogs.d/ebhook.conf")) == 5
    assert len(instance.matching("/opt/elasticbeanstalk/tasks/bundlelogs.d/ebhook.conf")) == 6
