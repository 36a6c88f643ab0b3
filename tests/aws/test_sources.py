"""Tenants and passwords that AWS keeps: what is read, what is refused, and what is asked again."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ebhook.aws.client import _refusal
from ebhook.database.connection import connect
from ebhook.errors import Refused, SettingsFailed, Transient, Unreachable
from ebhook.fleet.discovery import discover
from ebhook.secret import Secret
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from tests.support.cloud import Answer, Cloud, skewed, throttled

Make = Callable[..., Settings]

RDS = {"engine": "mysql", "host": "db.example", "port": 3307, "username": "app"}


def shown(tenant: Tenant) -> tuple[str, str, int, str | None, str | None, str | None]:
    url = tenant.url
    password = url.password.reveal() if url.password is not None else None
    return tenant.name, url.host, url.port, url.user, password, url.database


def problem_of(tenant: Tenant) -> Refused:
    """What whoever connects to the tenant is told."""
    with pytest.raises(Refused) as failure:
        connect(tenant.url, database=tenant.database, timeout=1)
    return failure.value


# --- the Parameter Store -------------------------------------------------------------------------


def test_parameters_are_tenants(aws: Cloud, settings: Make) -> None:
    """A URL, the JSON of a database's secret, a folder of fields, and a folder with a URL."""
    aws.parameter("/agencies/acme", "mysql+pymysql://app:p%40ss@db.example:3307/acme_db")
    aws.parameter("/agencies/birch", json.dumps({**RDS, "password": "p", "dbname": "birch_db"}))
    for field, value in (("host", "h"), ("username", "u"), ("password", "a=b#c"), ("other", "x")):
        aws.parameter(f"/agencies/cedar/{field}", value)
    aws.parameter("/agencies/elm/db/url", "not read: it is deeper than a field")
    aws.parameter("/agencies/elm/url", "mysql://u@h/elm")
    aws.parameter("/other/zenith", "mysql://h/zenith")

    found = discover(settings(TENANTS_SSM_PATH="/agencies/"))

    assert [shown(tenant) for tenant in found] == [
        ("acme", "db.example", 3307, "app", "p@ss", "acme_db"),
        ("birch", "db.example", 3307, "app", "p", "birch_db"),
        ("cedar", "h", 3306, "u", "a=b#c", "cedar"),
        ("elm", "h", 3306, "u", None, "elm"),
    ]


def test_parameters_in_folders_of_folders(aws: Cloud, settings: Make) -> None:
    """A tenant is called as its folder; as the whole path, where two folders have the same name."""
    aws.parameter("/prod/eu/acme", "mysql://u:p@h/acme")
    aws.parameter("/prod/eu/birch/host", "h1")
    aws.parameter("/prod/us/west/birch/host", "h2")
    aws.parameter("/prod/us/west/cedar/url", "mysql://u:p@h/cedar")
    aws.parameter("/prod/us/west/cedar/more/note", "not read: it is deeper than a field")

    found = discover(settings(TENANTS_SSM_PATH="/prod"))

    assert {(t.name, t.url.host) for t in found} == {
        ("acme", "h"),
        ("eu/birch", "h1"),
        ("us/west/birch", "h2"),
        ("cedar", "h"),
    }


def test_parameters_fill_a_template(aws: Cloud, settings: Make) -> None:
    """What a parameter leaves open, tenants.url says: here all but the password."""
    aws.parameter("/agencies/acme", "only a password ☂")

    (tenant,) = discover(
        settings(TENANTS_SSM_PATH="/agencies", TENANTS_URL="mysql://app@db:3307/{tenant}_prod")
    )

    assert shown(tenant) == ("acme", "db", 3307, "app", "only a password ☂", "acme_prod")


def test_parameters_come_in_pages(aws: Cloud, settings: Make) -> None:
    """The Parameter Store gives ten at a time."""
    for number in range(25):
        aws.parameter(f"/agencies/a{number:02}", f"mysql://u:p@h/a{number:02}")

    found = discover(settings(TENANTS_SSM_PATH="/agencies"))

    assert [tenant.name for tenant in found] == [f"a{number:02}" for number in range(25)]
    assert aws.calls == ["ssm:GetParametersByPath"] * 3


# --- Secrets Manager -----------------------------------------------------------------------------


def test_secrets_by_prefix(aws: Cloud, settings: Make) -> None:
    """The rest of a secret's name is the tenant's; more than one page, and one call for 20 values."""
    for number in range(25):
        aws.secret(f"agency/a{number:02}", {**RDS, "password": f"p{number}"})
    aws.secret("agencies/no", {**RDS, "password": "p"})

    found = discover(settings(TENANTS_SECRETS_PREFIX="agency/"))

    assert [tenant.name for tenant in found] == [f"a{number:02}" for number in range(25)]
    assert shown(found[7]) == ("a07", "db.example", 3307, "app", "p7", "a07")
    assert aws.calls.count("secretsmanager:BatchGetSecretValue") == 2
    assert "secretsmanager:GetSecretValue" not in aws.calls


def test_secrets_by_tag(aws: Cloud, settings: Make) -> None:
    """Key and value have to be of one tag: AWS's own filters do not see to that."""
    aws.secret("prod/acme", {**RDS, "password": "p", "dbname": "acme"}, tenants="prod")
    aws.secret("test/acme", {**RDS, "password": "p"}, tenants="test", stage="prod")

    found = discover(settings(TENANTS_SECRETS_TAG="tenants=prod"))

    assert [shown(tenant) for tenant in found] == [("acme", "db.example", 3307, "app", "p", "acme")]


def test_secrets_by_list(aws: Cloud, settings: Make) -> None:
    """Names and ARNs, whole or without their last characters, in the order of the list."""
    arn = aws.secret("rds!db-1", {**RDS, "password": "p", "dbname": "acme"})
    cut = aws.secret("agency/birch", {**RDS, "password": "p"}).rpartition("-")[0]
    aws.secret("agency/cedar", {**RDS, "password": "p", "tenant": "Cedar County"})

    found = discover(settings(TENANTS_SECRETS=f"agency/cedar,{cut},{arn}"))

    assert [tenant.name for tenant in found] == ["Cedar County", "birch", "acme"]


def test_passwords_for_names_from_elsewhere(aws: Cloud, settings: Make) -> None:
    """Names from a list, passwords from Secrets Manager: JSON or bare; where the database is
    stays as it was."""
    aws.secret("agency/acme/db", {**RDS, "username": "acme_app", "password": "one"})
    aws.secret("agency/birch/db", "two")

    found = discover(
        settings(
            TENANTS_NAMES="birch,acme",
            TENANTS_URL="mysql://app@db:3307/{tenant}",
            TENANTS_PASSWORD_SECRET="agency/{tenant}/db",
        )
    )

    assert [shown(tenant) for tenant in found] == [
        ("birch", "db", 3307, "app", "two", "birch"),
        ("acme", "db", 3307, "acme_app", "one", "acme"),
    ]


def test_one_password_for_all(aws: Cloud, settings: Make) -> None:
    """A secret without {tenant} is read once, and all tenants remain one login."""
    aws.secret("rds!db-1", {"username": "master", "password": "p"})
    names = ",".join(f"a{number}" for number in range(30))

    found = discover(
        settings(
            TENANTS_NAMES=names,
            TENANTS_URL="mysql://db/{tenant}",
            TENANTS_PASSWORD_SECRET="rds!db-1",
        )
    )

    assert {(tenant.url.user, tenant.url.password) for tenant in found} == {("master", Secret("p"))}
    assert aws.calls == ["secretsmanager:BatchGetSecretValue"]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"username": "u", "password": "hunter2"}, "has no host, and tenants.url is not set"),
        ({**RDS, "port": "x1", "password": "hunter2"}, "has a port that is not a number"),
        ({**RDS, "host": "db..example", "password": "hunter2"}, "has a host name with a part"),
        ({**RDS, "engine": "postgres", "password": "hunter2"}, "of another kind ('postgres')"),
        ("mysql://u:hunter2@h@x/y", "has more than one @"),
        ("[hunter2]", "has no host, and tenants.url is not set"),
    ],
)
@pytest.mark.parametrize("place", ["secret", "parameter"])
def test_what_cannot_be_a_tenant(
    aws: Cloud, settings: Make, place: str, value: object, complaint: str
) -> None:
    """It is refused for its own tenant, the others are there; nothing of it is shown."""
    other = {**RDS, "password": "p", "dbname": "birch"}
    if place == "secret":
        aws.secret("agency/acme", value)
        aws.secret("agency/birch", other)
        made = settings(TENANTS_SECRETS_PREFIX="agency/")
    else:
        aws.parameter("/agency/acme", value if isinstance(value, str) else json.dumps(value))
        aws.parameter("/agency/birch", json.dumps(other))
        made = settings(TENANTS_SSM_PATH="/agency")

    acme, birch = discover(made)

    assert (acme.name, birch.name, birch.url.host) == ("acme", "birch", "db.example")
    problem = problem_of(acme)
    assert f"The {place} " in problem.what
    assert "agency/acme" in problem.what
    assert complaint in problem.what
    assert "hunter2" not in str(problem)


def test_values_that_come_in_more_than_one_answer(aws: Cloud, settings: Make) -> None:
    """Secrets Manager may give a part of what was asked for, down to nothing, and a token."""
    aws.secret("agency/acme", {**RDS, "password": "p"})
    aws.faults = [lambda: (200, json.dumps({"SecretValues": [], "NextToken": "0"}))]

    assert [t.name for t in discover(settings(TENANTS_SECRETS="agency/acme"))] == ["acme"]
    assert json.loads(aws.bodies[-1])["NextToken"] == "0"


def test_a_tenant_that_is_listed_twice(aws: Cloud, settings: Make) -> None:
    """Two secrets of one tenant are a mistake, whichever of them was meant; so are two of one database."""
    aws.secret("a", {**RDS, "password": "p", "tenant": "acme", "dbname": "one"})
    aws.secret("b", {**RDS, "password": "p", "tenant": "acme", "dbname": "two"})
    aws.secret("c", {**RDS, "password": "p", "tenant": "birch", "dbname": "three"})
    aws.secret("d", {**RDS, "password": "p", "tenant": "cedar", "dbname": "three"})
    aws.secret("e", {**RDS, "password": "p", "tenant": "elm", "dbname": "elm"})

    *wrong, elm = discover(settings(TENANTS_SECRETS="a,b,c,d,e"))

    assert [tenant.name for tenant in wrong] == ["acme", "birch", "cedar"]
    acme, birch, cedar = map(problem_of, wrong)
    assert "'acme': is listed twice" in acme.what
    assert "'cedar' and 'birch' are the same database" in birch.what
    assert birch.what == cedar.what
    assert elm.url.host == "db.example"


@pytest.mark.parametrize(
    "variables",
    [
        {"TENANTS_SSM_PATH": "/none"},
        {"TENANTS_SECRETS_PREFIX": "none/"},
        {"TENANTS_SECRETS_TAG": "none=none"},
    ],
)
def test_no_tenant_at_all(aws: Cloud, settings: Make, variables: dict[str, str]) -> None:
    """An empty source is a mistake in it, not an empty fleet."""
    with pytest.raises(SettingsFailed) as failure:
        discover(settings(**variables))

    assert "No tenant was found by tenants.s" in failure.value.what


def test_a_secret_that_is_not_there(aws: Cloud, settings: Make) -> None:
    """Its tenant is refused, and named by it; the other one is there."""
    aws.secret("agency/acme", {**RDS, "password": "p", "dbname": "acme"})

    acme, birch = discover(settings(TENANTS_SECRETS="agency/acme,agency/birch"))

    assert (acme.name, acme.url.database, birch.name) == ("acme", "acme", "birch")
    assert "agency/birch" in problem_of(birch).what


# --- what AWS does, besides answering ------------------------------------------------------------


@pytest.mark.parametrize("fault", [throttled, lambda: (503, ""), lambda: (0, "")])
def test_passing_failures_are_tried_again(
    aws: Cloud, settings: Make, fault: Callable[[], Answer]
) -> None:
    """Throttling, a server's failure and a connection that breaks off are botocore's to handle."""
    aws.parameter("/agencies/acme", "mysql://u:p@h/acme")
    aws.faults = [fault, fault]

    assert [tenant.name for tenant in discover(settings(TENANTS_SSM_PATH="/agencies"))] == ["acme"]
    assert len(aws.calls) == 3


def refused() -> Answer:
    """What AWS says to somebody who may not."""
    return 400, json.dumps({"__type": "AccessDeniedException", "message": "no"})


@pytest.mark.parametrize(("fault", "word"), [(skewed, "chronyc"), (refused, "docs/iam.md")])
def test_lasting_failures_are_told(
    aws: Cloud, settings: Make, fault: Callable[[], Answer], word: str
) -> None:
    """At once, with what was asked, and what to do."""
    aws.faults = [fault] * 5

    with pytest.raises(Refused) as failure:
        discover(settings(TENANTS_SSM_PATH="/agencies"))

    assert len(aws.calls) == 1
    assert "ssm:GetParametersByPath /agencies/" in failure.value.what
    assert word in str(failure.value)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "TooManyRequestsException", "InternalServiceError"]
)
def test_what_may_pass_is_told_as_such(code: str) -> None:
    """When it did not, after all tries of botocore's."""
    assert isinstance(_refusal("ssm:GetParameter x", code, "Rate exceeded"), Transient)


def test_nobody_at_the_other_end(
    aws: Cloud, settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network to AWS may pass by itself: exit 75."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(Unreachable) as failure:
        discover(settings(TENANTS_SSM_PATH="/agencies"))

    assert "network to AWS" in str(failure.value.next)


def test_nobody_to_ask_as(aws: Cloud, settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a role or keys there is nothing that waiting would mend."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    with pytest.raises(Refused) as failure:
        discover(settings(TENANTS_SSM_PATH="/agencies"))

    assert "role" in str(failure.value.next)


def test_a_profile_that_is_not_there(aws: Cloud, settings: Make) -> None:
    """A mistake of the settings."""
    with pytest.raises(SettingsFailed) as failure:
        discover(settings(TENANTS_SSM_PATH="/agencies", AWS_PROFILE="nobody"))

    assert "nobody" in failure.value.what


def test_no_region_at_all(aws: Cloud, settings: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off AWS nobody can guess it."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    made = settings(TENANTS_SSM_PATH="/agencies")
    made = type(made)(tenants=made.tenants, metadata="")

    with pytest.raises(SettingsFailed) as failure:
        discover(made)

    assert "aws.region" in str(failure.value.next)


def test_secrets_say_it_in_the_short_words_too(aws: Cloud, settings: Make) -> None:
    """`user` and `database`, as people write them, are RDS's `username` and `dbname`."""
    aws.secret("agency/acme", {"host": "h", "user": "u", "password": "p", "database": "acme_db"})

    (tenant,) = discover(settings(TENANTS_SECRETS="agency/acme"))

    assert shown(tenant) == ("acme_db", "h", 3306, "u", "p", "acme_db")


def test_a_secret_is_asked_for_where_its_arn_says_it_is(aws: Cloud, settings: Make) -> None:
    """Also when it is read again after a rotation; names are asked for in the region of the settings."""
    far = aws.client("secretsmanager", "ap-southeast-2")
    kept = json.dumps({**RDS, "password": "one"})
    arn = far.create_secret(Name="far/birch", SecretString=kept)["ARN"]
    aws.secret("agency/acme", {**RDS, "password": "p"})

    near, birch = discover(settings(TENANTS_SECRETS=f"agency/acme,{arn}"))
    far.put_secret_value(SecretId=arn, SecretString=kept.replace("one", "two"))

    assert near.name == "acme"
    assert birch.name == "birch"
    assert birch.url.credential is not None
    assert birch.url.credential.fresh(birch.url).password == Secret("two")
