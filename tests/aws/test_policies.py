"""docs/iam.md: a user who may do what a section says, and nothing else, has that feature; and each
action of it is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from ebhook.errors import Exit, Refused
from ebhook.fleet.discovery import discover
from ebhook.holder import Holder
from ebhook.report.notices import Ended, send
from ebhook.settings import Settings, load
from tests.aws.conftest import forget
from tests.support.cloud import Cloud

TEXT = (Path(__file__).parents[2] / "docs" / "iam.md").read_text("utf-8")
SECTIONS: dict[str, list[dict[str, Any]]] = {
    part.partition("\n")[0]: json.loads(part.split("```json\n")[1].partition("```")[0])
    for part in TEXT.split("\n## ")[1:]
    if re.match(r"[a-z_]+\.[a-z_]+\n", part)
}
HOLDER = Holder("i-0abc", 1, "prod", "v1", "boot", "t")
SECRET = {"host": "h", "username": "u", "password": "p", "dbname": "acme"}


def actions(statements: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for statement in statements:
        action = statement["Action"]
        found += [action] if isinstance(action, str) else action
    return found


def only(statements: list[dict[str, Any]], allowed: set[str]) -> list[dict[str, Any]]:
    """The statements with these actions alone, as moto knows them, for everything.

    moto looks at no resource, and has its own name for CloudWatch.
    """
    names = [a.replace("cloudwatch:", "monitoring:") for a in actions(statements) if a in allowed]
    return [{"Effect": "Allow", "Action": names or ["iam:GetUser"], "Resource": "*"}]


# --- what each feature does ----------------------------------------------------------------------


def read_tenants(settings: Settings) -> None:
    """Finds the tenants, and reads each login again, as after a rotation."""

    for tenant in discover(settings):
        if tenant.url.credential is not None:
            tenant.url.credential.fresh(tenant.url)


def send_notices(settings: Settings) -> None:
    """Sends what is to be sent after a failure."""
    problems = send(
        Ended("a", (), 0, 1.0, Exit.PERSON, False, HOLDER), settings, lambda document: document
    )
    if problems:
        raise Refused(problems[0])


Feature = tuple[Callable[[Settings], None], Mapping[str, str]]

FEATURES: dict[str, Feature] = {
    "tenants.ssm_path": (read_tenants, {"TENANTS_SSM_PATH": "/agencies/prod"}),
    "tenants.secrets": (read_tenants, {"TENANTS_SECRETS": "agency/acme"}),
    "tenants.secrets_prefix": (read_tenants, {"TENANTS_SECRETS_PREFIX": "agency/"}),
    "notice.cloudwatch": (send_notices, {"NOTICE_CLOUDWATCH": "true"}),
    "notice.sns": (send_notices, {"NOTICE_SNS": "arn:aws:sns:eu-west-1:123456789012:ops"}),
    "notice.event_bus": (send_notices, {"NOTICE_EVENT_BUS": "default"}),
}


@pytest.fixture
def use(
    aws: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, list[dict[str, Any]]], None]:
    """``use("notice.sns", statements)``: the feature, by a user who may do that alone."""
    aws.secret("agency/acme", SECRET)
    aws.parameter("/agencies/prod/acme", json.dumps(SECRET))
    aws.client("sns").create_topic(Name="ops")

    def feature(name: str, statements: list[dict[str, Any]]) -> None:
        what, variables = FEATURES[name]
        with aws.as_user(*statements) as environ:
            for key, value in environ.items():
                monkeypatch.setenv(key, value)
            forget()
            given = {f"EBHOOK_{key}": value for key, value in variables.items()}
            what(load({**environ, **given}, directory=tmp_path))

    return feature


def test_every_feature_has_a_section() -> None:
    """tenants.iam asks nobody: RDS looks that one up."""
    assert SECTIONS.keys() == {*FEATURES, "tenants.iam"}


@pytest.mark.parametrize("name", FEATURES)
def test_a_section_is_enough(
    use: Callable[[str, list[dict[str, Any]]], None], aws: Cloud, name: str
) -> None:
    """And nothing is done that it does not list."""
    statements = SECTIONS[name]

    use(name, only(statements, set(actions(statements))))

    assert set(aws.calls) <= set(actions(statements))


@pytest.mark.parametrize(
    ("name", "action"),
    [(name, action) for name in FEATURES for action in actions(SECTIONS[name])],
)
def test_each_action_is_needed(
    use: Callable[[str, list[dict[str, Any]]], None], name: str, action: str
) -> None:
    """Without it the feature is refused, with the action and where to look."""
    statements = SECTIONS[name]

    with pytest.raises(Refused) as failure:
        use(name, only(statements, set(actions(statements)) - {action}))

    words = action.replace("cloudwatch:", "monitoring:")
    assert words in failure.value.what or action in failure.value.what
    assert "docs/iam.md" in str(failure.value)


def test_resources_are_of_the_right_kind() -> None:
    """Each ARN is of the service that its actions are of, or says everything where AWS allows
    nothing narrower."""
    everything = {
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:ListSecrets",
        "cloudwatch:PutMetricData",
    }
    for statements in SECTIONS.values():
        for statement in statements:
            services = {action.partition(":")[0] for action in actions([statement])}
            resources = statement["Resource"]
            for resource in [resources] if isinstance(resources, str) else resources:
                if resource == "*":
                    assert set(actions([statement])) <= everything
                else:
                    assert {resource.split(":")[2]} == services


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("tenants.ssm_path", "parameter/agencies/prod"),
        ("tenants.ssm_path", "parameter/agencies/prod/"),  # the path as it is asked for
        ("tenants.ssm_path", "parameter/agencies/prod/acme/password"),
        ("tenants.secrets", "secret:agency/acme-AbCdEf"),
        ("tenants.secrets_prefix", "secret:agency/acme-AbCdEf"),
        ("notice.sns", "ops"),
        ("notice.event_bus", "event-bus/default"),
    ],
)
def test_resources_are_those_that_are_used(name: str, used: str) -> None:
    """By the settings that the sections are tried with above: moto looks at no resource."""
    narrow = [s["Resource"] for s in SECTIONS[name] if s["Resource"] != "*"]
    patterns = [p for r in narrow for p in ([r] if isinstance(r, str) else r)]
    service = patterns[0].split(":")[2]
    arn = f"arn:aws:{service}:eu-west-1:123456789012:{used}"

    assert any(fnmatchcase(arn, pattern) for pattern in patterns)
    others = arn.replace(used, f"other/{used}")
    assert not any(fnmatchcase(others, pattern) for pattern in patterns)


def test_metrics_are_for_the_namespace_that_is_set() -> None:
    """The one by default, which the document says."""
    (statement,) = SECTIONS["notice.cloudwatch"]

    namespace = statement["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert namespace == Settings().notice.namespace
