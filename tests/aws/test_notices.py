"""What a boot tells the world: metrics in its log and at CloudWatch, and a notice when it failed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ebhook.errors import (
    ChainBroken,
    Exit,
    MigrationFailed,
    SettingsFailed,
    Skipped,
    TenantFrozen,
    Unreachable,
)
from ebhook.events import Outcome
from ebhook.holder import Holder
from ebhook.report.notices import (
    LARGEST_DETAIL,
    TOLD,
    Ended,
    detail,
    fitting,
    metric_data,
    metric_line,
    subject,
    text,
)
from ebhook.results import Result, excused
from ebhook.scratch.installation import Flavour
from ebhook.settings import BootSettings, Settings
from tests.conftest import Ebhook, Fleets
from tests.support.cloud import Cloud, throttled

PROJECTS = Path(__file__).parents[1] / "projects"
NOBODY = "mysql+pymysql://app:hunter2secret@127.0.0.1:9/{tenant}"
HOLDER = Holder("i-0abc", 1, "prod", "v7", "boot", "t")


def result(name: str, outcome: Outcome, error: Any = None) -> Result:
    return Result(name, outcome, "7f3a", None, 1.0, error)


def failed(name: str) -> Result:
    words = (f"{name}: revision 9c11 failed at statement 2: Duplicate column (1060).", "S.", "N")
    return result(name, Outcome.FAILED, MigrationFailed(*words))


def gone(name: str) -> Result:
    return result(name, Outcome.UNREACHABLE, Unreachable(f"{name} cannot be reached.", "S.", "N"))


def frozen(name: str) -> Result:
    return result(name, Outcome.FROZEN, TenantFrozen(f"{name}: frozen.", "S.", "N"))


def shown(document: Any) -> Any:
    """Hides nothing."""
    return document


def ended(*results: Result, code: Exit = Exit.PERSON) -> Ended:
    return Ended("9c11", results, 2, 1.2345, code, False, HOLDER)


# --- metrics -------------------------------------------------------------------------------------


def test_the_embedded_metric_format() -> None:
    """Each metric that is announced is there as a number, and so is each dimension as a text: else
    CloudWatch takes none of them, and says nothing."""
    line = metric_line(ended(failed("acme"), result("birch", Outcome.AT_HEAD)), "agencies")

    assert json.loads(json.dumps(line)) == line
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert isinstance(line["_aws"]["Timestamp"], int)
    assert directive["Namespace"] == "agencies"
    assert directive["Dimensions"] == [["Environment"]]
    assert all(isinstance(line[name], str) for name in directive["Dimensions"][0])
    assert all(isinstance(line[metric["Name"]], float) for metric in directive["Metrics"])
    assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count", "Seconds"}
    assert len(directive["Metrics"]) <= 100
    assert (line["Tenants"], line["Behind"], line["Failed"], line["AtHead"]) == (2, 2, 1, 1)
    assert (line["Seconds"], line["BootFailed"], line["Unreachable"]) == (1.234, 1, 0)


def test_every_outcome_has_a_metric() -> None:
    """Also one that did not occur: an alarm wants zeros."""
    names = {metric["MetricName"] for metric in metric_data(ended())}

    assert {outcome.value.title().replace("_", "") for outcome in Outcome} < names


# --- the text ------------------------------------------------------------------------------------


def test_a_subject_is_what_sns_takes() -> None:
    """One line of ASCII, at most 100 characters."""
    holder = Holder("hôte" + "x" * 200, 1, "umgebung", None, "boot", "t")
    line = subject(Ended("9c11", [failed("acme")], 1, 1.0, Exit.PERSON, False, holder), shown)

    assert line.isascii()
    assert len(line) == 100
    assert subject(ended(failed("acme")), shown) == (
        "ebhook boot failed on i-0abc (prod): 1 of 1 tenant not at head"
    )


def test_a_boot_that_got_nowhere_says_why_in_the_subject() -> None:
    """What a person sees of a mail before opening it."""
    error = ChainBroken(
        "The chain has 2 heads:\n  a002\n  b002\n", "No database was touched.", "Merge."
    )
    told = Ended(None, (), 0, 1.0, Exit.CHAIN, False, HOLDER, error)

    assert subject(told, shown) == "ebhook boot failed on i-0abc (prod): The chain has 2 heads"
    assert text(told, shown).endswith("  a002\n  b002\n  No database was touched.\n  Merge.")


def test_no_half_of_a_password_is_left_at_a_cut() -> None:
    """What is hidden is hidden before anything is cut."""
    error = ChainBroken("env.py failed: " + "x" * 38 + " s3cr3t-and-long", "S.", "N")
    told = Ended(None, (), 0, 1.0, Exit.CHAIN, False, HOLDER, error)

    line = subject(told, lambda text: text.replace("s3cr3t-and-long", "***"))

    assert "s3cr3t" in subject(told, shown)
    assert "s3cr3t-and-long" not in subject(told, shown)
    assert "s3cr" not in line


def test_failures_come_before_what_was_not_started_for_them() -> None:
    """However many those are: a notice has an end."""
    skipped = [
        result(f"a{n:02}", Outcome.SKIPPED, Skipped(f"a{n:02}: not started", "S.", "N"))
        for n in range(TOLD + 5)
    ]
    told = ended(*skipped, failed("zoe"))

    assert text(told, shown).index("zoe: revision 9c11 failed") < text(told, shown).index(
        "a00: not started"
    )
    assert detail(told)["tenants"][0]["tenant"] == "zoe"


def test_a_notice_has_an_end() -> None:
    """A thousand tenants that fail make one message that can be sent."""
    told = text(ended(*[failed(f"a{number:04}") for number in range(1000)]), shown)

    assert told.count("9c11 failed") == TOLD
    assert f"and {1000 - TOLD} more: ebhook status" in told


def test_a_boot_that_ended_well_in_a_line() -> None:
    """For whoever wants to hear of those, too."""
    done = ended(result("a", Outcome.UPGRADED), result("b", Outcome.AT_HEAD), code=Exit.OK)

    assert (
        subject(done, shown)
        == "ebhook boot on i-0abc (prod): 2 tenants at head, 1 of them upgraded"
    )


def test_an_event_has_an_end() -> None:
    """Fifty long errors are cut until EventBridge takes them; each tenant is still there."""
    long = MigrationFailed("é" * 9000, "é" * 9000, "Mend it.")
    told = ended(*[result(f"a{n:02}", Outcome.FAILED, long) for n in range(TOLD)])

    text = fitting(detail(told))

    assert len(text.encode()) <= LARGEST_DETAIL
    document = json.loads(text)
    assert len(document["tenants"]) == TOLD
    assert document["tenants"][0]["error"]["what"].endswith("é…")
    assert document["tenants"][0]["error"]["next"] == "Mend it."


def test_an_event_that_fits_is_whole() -> None:
    """Nothing is cut without need."""
    told = ended(failed("zoe"))

    assert json.loads(fitting(detail(told))) == json.loads(json.dumps(detail(told)))


# --- starting all the same -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boot", "results", "starts"),
    [
        (BootSettings(), [gone("a")], False),
        (BootSettings(on_unreachable="start"), [gone("a")], True),
        (BootSettings(on_unreachable="start"), [gone("a"), failed("b")], False),
        (BootSettings(on_failure="start"), [gone("a"), failed("b")], False),
        (BootSettings(on_failure="start"), [failed("b")], True),
        (BootSettings(), [frozen("a")], False),
        (BootSettings(on_frozen="start"), [frozen("a")], True),
        (BootSettings(on_frozen="start"), [frozen("a"), failed("b")], False),
        (BootSettings(on_failure="start"), [frozen("a")], True),
        (BootSettings(on_failure="start", on_unreachable="start"), [gone("a"), failed("b")], True),
    ],
)
def test_what_is_excused(boot: BootSettings, results: list[Result], starts: bool) -> None:
    """Each bad outcome has to be allowed."""
    results = [result("z", Outcome.AT_HEAD), *results]

    assert excused(Settings(boot=boot), results, None) is starts


def test_a_defect_of_the_bundle_is_never_excused() -> None:
    """Wrong settings are no dead agency."""
    boot = BootSettings(on_failure="start", on_unreachable="start")

    assert not excused(Settings(boot=boot), [], SettingsFailed("x"))
    assert excused(Settings(boot=boot), [], Unreachable("x"))


# --- the whole -----------------------------------------------------------------------------------


@pytest.fixture
def inbox(aws: Cloud) -> Inbox:
    return Inbox(aws)


class Inbox:
    """A topic and an event bus, and the queue that hears of both."""

    def __init__(self, aws: Cloud) -> None:
        self.queue = aws.client("sqs")
        self.url = self.queue.create_queue(QueueName="inbox")["QueueUrl"]
        arn = "arn:aws:sqs:eu-west-1:123456789012:inbox"
        sns, events = aws.client("sns"), aws.client("events")
        self.topic = sns.create_topic(Name="ops")["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn)
        events.create_event_bus(Name="agencies")
        pattern = json.dumps({"source": ["ebhook"]})
        events.put_rule(Name="all", EventPattern=pattern, EventBusName="agencies")
        events.put_targets(Rule="all", EventBusName="agencies", Targets=[{"Id": "1", "Arn": arn}])
        self.env = {
            "EBHOOK_NOTICE_SNS": self.topic,
            "EBHOOK_NOTICE_EVENT_BUS": "agencies",
            "EBHOOK_NOTICE_CLOUDWATCH": "true",
            "EBHOOK_NOTICE_NAMESPACE": "agencies",
        }

    def messages(self) -> list[dict[str, Any]]:
        got = self.queue.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in got.get("Messages", ())]


@pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)
def test_a_failure_is_told(
    ebhook: Ebhook, fleet: Fleets, aws: Cloud, inbox: Inbox, tmp_path: Path
) -> None:
    """The notices name tenant, revision, statement and the next command; the metrics are counted,
    and the log has them; nothing of it has a password."""
    agencies = fleet(2, prefix="acme")
    (name, other), log = agencies.names, tmp_path / "ebhook.log"
    env = aws.environment | inbox.env
    env |= {
        "EBHOOK_TENANTS_URL": agencies.template,
        "EBHOOK_TENANTS_NAMES": ",".join(agencies.names),
        "EBHOOK_HOLDER": "i-0abc",
    }
    project = PROJECTS / "fails_midway"

    ran = ebhook("boot", "--log-file", str(log), cwd=project, env=env)

    assert ran.code == Exit.PERSON
    assert "ebhook doctor" in ran.stderr
    by_topic, by_bus = sorted(inbox.messages(), key=lambda message: "Message" not in message)
    told = by_topic["Message"]
    assert by_topic["Subject"] == "ebhook boot failed on i-0abc: 2 of 2 tenants not at head"
    assert f"{name}: revision a002 failed at statement 3" in told
    assert f"ebhook upgrade {name}" in told
    assert (by_bus["source"], by_bus["detail-type"]) == ("ebhook", "ebhook boot failed")
    first, second = by_bus["detail"]["tenants"]
    assert (first["tenant"], first["outcome"]) == (name, "failed")
    assert first["error"]["next"].endswith(f"ebhook upgrade {name}")
    assert (second["tenant"], second["outcome"]) == (other, "skipped")
    kept = aws.client("cloudwatch").list_metrics(Namespace="agencies")["Metrics"]
    assert {"Failed", "Seconds", "BootFailed"} <= {metric["MetricName"] for metric in kept}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (metrics,) = [line for line in lines if "_aws" in line]
    assert (metrics["Failed"], metrics["Skipped"], metrics["BootFailed"]) == (1, 1, 1)


@pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)
def test_a_success_is_counted_and_not_told(
    ebhook: Ebhook, fleet: Fleets, aws: Cloud, inbox: Inbox
) -> None:
    """Metrics are for every boot, notices for those that failed, unless more is wanted."""
    agencies = fleet(1)
    env = aws.environment | inbox.env
    env |= {"EBHOOK_TENANTS_URL": agencies.url(agencies.names[0])}

    ran = ebhook("boot", cwd=PROJECTS / "linear", env=env)

    assert ran.code == Exit.OK, ran.stderr
    assert aws.calls == ["cloudwatch:PutMetricData"]
    assert not inbox.messages()

    again = ebhook("boot", cwd=PROJECTS / "linear", env=env | {"EBHOOK_NOTICE_SUCCESS": "true"})

    assert again.code == Exit.OK, again.stderr
    by_topic, by_bus = sorted(inbox.messages(), key=lambda message: "Message" not in message)
    assert by_topic["Subject"].endswith(": 1 tenant at head, 0 of them upgraded")
    assert by_bus["detail-type"] == "ebhook boot succeeded"


@pytest.mark.parametrize(
    "fault", [throttled, lambda: (403, "no"), lambda: (200, "{}"), lambda: (0, "")]
)
def test_a_failing_notice_fails_nothing(
    ebhook: Ebhook, aws: Cloud, inbox: Inbox, fault: Any
) -> None:
    """Whatever AWS does: it is said, and the exit code is the boot's own."""
    aws.faults = [fault] * 20
    env = aws.environment | inbox.env
    env |= {
        "EBHOOK_TENANTS_URL": NOBODY,
        "EBHOOK_TENANTS_NAMES": "acme",
        "EBHOOK_CONNECT_TIMEOUT": "0.1",
    }

    ran = ebhook("boot", cwd=PROJECTS / "linear", env=env)

    assert ran.code == Exit.TRY_AGAIN, ran.stderr
    assert f"The notice to {inbox.topic} was not sent: " in ran.stderr
    assert "hunter2" not in ran.stderr + ran.stdout


def test_no_network_to_aws_fails_nothing(ebhook: Ebhook, aws: Cloud, inbox: Inbox) -> None:
    """Nor does it take long."""
    env = aws.environment | inbox.env | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    env |= {
        "EBHOOK_TENANTS_URL": NOBODY,
        "EBHOOK_TENANTS_NAMES": "acme,birch",
        "EBHOOK_CONNECT_TIMEOUT": "0.1",
        "EBHOOK_BOOT_ON_UNREACHABLE": "start",
    }

    ran = ebhook("boot", "--json", cwd=PROJECTS / "linear", env=env)

    assert ran.code == Exit.OK, ran.stderr
    assert ran.json()["exit_code"] == 0
    assert ran.json()["excused"] == Exit.TRY_AGAIN
    assert (
        "THIS INSTANCE STARTS ALL THE SAME: 2 of 2 tenants not at head: acme, birch" in ran.stderr
    )
    assert ran.stderr.count("not sent: ") == 3
    assert ran.seconds < 30


@pytest.mark.parametrize("server", [Flavour.MARIADB], indirect=True)
def test_one_dead_agency_does_not_stop_the_others(
    ebhook: Ebhook, fleet: Fleets, tmp_path: Path
) -> None:
    """With boot.on_unreachable = start, a canary that is gone is none: the next one proves."""
    agencies = fleet(3)
    registry = fleet(1, prefix="registry")
    with registry.connect(registry.names[0]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE agency (id INT, name VARCHAR(64), url VARCHAR(200))")
        cursor.execute("INSERT INTO agency VALUES (0, 'dead', 'mysql://u@127.0.0.1:9/dead')")
        for number, name in enumerate(agencies.names, start=1):
            cursor.execute(
                "INSERT INTO agency VALUES (%s, %s, %s)", (number, name, agencies.url(name))
            )
    env = {
        "EBHOOK_TENANTS_QUERY": "SELECT name, url FROM agency ORDER BY id",
        "EBHOOK_TENANTS_QUERY_URL": registry.url(registry.names[0]),
        "EBHOOK_CONNECT_TIMEOUT": "0.2",
        "EBHOOK_ROLLOUT_CANARY": "dead",
    }

    refused = ebhook("boot", "--json", cwd=PROJECTS / "linear", env=env)
    env["EBHOOK_BOOT_ON_UNREACHABLE"] = "start"
    started = ebhook("boot", "--json", cwd=PROJECTS / "linear", env=env)

    def outcomes(document: Any) -> list[str]:
        return [tenant["outcome"] for tenant in document["tenants"]]

    assert refused.code == Exit.TRY_AGAIN
    assert outcomes(refused.json()) == ["unreachable", "skipped", "skipped", "skipped"]
    assert started.code == Exit.OK, started.stderr
    assert outcomes(started.json()) == ["unreachable", "upgraded", "upgraded", "upgraded"]
    assert f"canary wave: {agencies.names[0]}" in started.stderr
