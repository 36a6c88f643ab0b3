"""AWS: the only place that knows boto3. Import it where a setting asks for AWS, not before.

Throttling and passing failures are tried again by botocore itself. An error of AWS becomes one of
ours here, with what was asked; never with what was answered.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

from ebhook.aws.beanstalk import ask_metadata
from ebhook.aws.credentials import AwsCredential
from ebhook.database.url import Url, UrlInvalid, read_login
from ebhook.errors import EbhookError, Refused, SettingsFailed, Transient, Unreachable
from ebhook.next_command import ebhook, then
from ebhook.secret import Secret
from ebhook.settings import Settings

BATCH = 20  # secrets in one BatchGetSecretValue: its limit

# For what a boot needs, and for notices, which must not keep it.
_PATIENT = Config(
    connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5}
)
_BRIEF = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
)

_PASSING = re.compile(r"Throttl|TooManyRequests|RequestLimit|InternalS|ServiceUnavail|Timeout")
_MISSING = {"ResourceNotFoundException", "ParameterNotFound"}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
# db.….eu-west-1.rds.amazonaws.com; db.….rds.cn-north-1.amazonaws.com.cn
_RDS_HOST = re.compile(
    r"\.(?:([a-z0-9-]+)\.rds\.amazonaws\.com|rds\.([a-z0-9-]+)\.amazonaws\.com\.cn)$"
)

_making = threading.Lock()  # boto3's clients may be used by many threads, but not made


@dataclass(frozen=True)
class Account:
    """Where to ask, and as whom; None as boto3 finds it."""

    region: str | None = None
    profile: str | None = None


@dataclass(frozen=True)
class Stored:
    """A parameter or a secret. `id` is what finds it again."""

    name: str
    id: str
    value: Secret


def account_of(settings: Settings) -> Account:
    """The account of the settings; without a region of boto3's, the one that this instance is in."""
    profile = settings.aws.profile
    return Account(settings.aws.region or _region(profile, settings.metadata), profile)


@functools.cache
def _region(profile: str | None, metadata: str) -> str | None:
    with _asked("boto3 for its region"):
        known = _session(profile).region_name
    return known or ask_metadata(metadata, "placement/region")


# Parameters and secrets


def parameters(path: str, account: Account) -> list[Stored]:
    """All parameters below `path`, however deep, decrypted; named from there on."""
    path = path.rstrip("/") + "/"
    found = []
    with _asked(f"ssm:GetParametersByPath {path}"):
        pages = _client("ssm", account).get_paginator("get_parameters_by_path")
        for page in pages.paginate(Path=path, Recursive=True, WithDecryption=True):
            for one in page["Parameters"]:
                name = one["Name"].removeprefix(path)
                found.append(Stored(name, one["Name"], Secret(one["Value"])))
    return sorted(found, key=lambda one: one.name)


def names_of_secrets(account: Account, *, prefix: str = "", tag: str = "") -> list[str]:
    """The secrets whose name begins with `prefix`, or that have the tag KEY=VALUE, by name."""
    key, _, value = tag.partition("=")
    filters = [{"Key": "name", "Values": [prefix]}] if prefix else []
    if tag:
        filters += [{"Key": "tag-key", "Values": [key]}, {"Key": "tag-value", "Values": [value]}]
    names = []
    with _asked("secretsmanager:ListSecrets"):
        pages = _client("secretsmanager", account).get_paginator("list_secrets")
        for page in pages.paginate(Filters=filters):
            for one in page["SecretList"]:
                # The filters know neither where a name ends nor which value is of which key.
                tags = {t["Key"]: t["Value"] for t in one.get("Tags", ())}
                if one["Name"].startswith(prefix) and (not tag or tags.get(key) == value):
                    names.append(one["Name"])
    return sorted(names)


def secrets(ids: Sequence[str], account: Account) -> list[Stored | EbhookError]:
    """The secrets with these names or ARNs, in their order; an error in place of one that cannot be
    had: it is its own tenant's matter.

    Raises:
        Transient, Refused: AWS gave none of them.
    """
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Stored | EbhookError] = {}
    for part, where in _batches(wanted, account):
        for one in _batch(part, where):
            if "ErrorCode" in one:
                id = one["SecretId"]
                found[id] = _refusal(f"the secret {id}", one["ErrorCode"], one["Message"])
                continue
            stored = Stored(one["Name"], one["ARN"], Secret(one.get("SecretString", "")))
            found[one["Name"]] = found[one["ARN"]] = stored
            # An ARN may be given without the six characters that AWS puts at its end.
            found.setdefault(one["ARN"].rpartition("-")[0], stored)
    for id in wanted:
        if id not in found:
            words = "it was not returned"
            found[id] = _refusal(f"the secret {id}", "ResourceNotFoundException", words)
    return [found[id] for id in ids]


def _batches(ids: Sequence[str], account: Account) -> Iterator[tuple[list[str], Account]]:
    """At most `BATCH` secrets each, asked for where they are: an ARN names its region."""
    by_region: dict[str | None, list[str]] = {}
    for id in ids:
        by_region.setdefault(region_of(id) or account.region, []).append(id)
    for region, wanted in by_region.items():
        for start in range(0, len(wanted), BATCH):
            yield wanted[start : start + BATCH], replace(account, region=region)


def region_of(id: str) -> str | None:
    """The region in an ARN; None for a name."""
    return id.split(":")[3] if id.startswith("arn:") and id.count(":") > 3 else None


def _batch(ids: Sequence[str], account: Account) -> Iterator[dict[str, Any]]:
    """At most `BATCH` secrets, and errors (with an ErrorCode), in as many answers as AWS wants to give."""
    more: dict[str, str] = {}
    while True:
        with _asked("secretsmanager:BatchGetSecretValue"):
            client = _client("secretsmanager", account)
            answer = client.batch_get_secret_value(SecretIdList=ids, **more)
        yield from answer.get("Errors", ())
        yield from answer["SecretValues"]
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def fresh_login(credential: AwsCredential, url: Url) -> Url:
    """`url` with a login that is read, or made, now. Called for each login with a token, and once
    when a password was refused.

    Raises:
        Unreachable, Transient, Refused: AWS did not answer, or said no.
    """
    account = Account(region_of(credential.id) or credential.region, credential.profile)
    if credential.kind == "iam":
        return replace(url, password=_token(url, account))
    if credential.kind == "secret":
        with _asked(f"secretsmanager:GetSecretValue {credential.id}"):
            answer = _client("secretsmanager", account).get_secret_value(SecretId=credential.id)
        text = answer.get("SecretString", "")
    else:
        with _asked(f"ssm:GetParameter {credential.id}"):
            answer = _client("ssm", account).get_parameter(Name=credential.id, WithDecryption=True)
        text = answer["Parameter"]["Value"]
    try:
        login = read_login(text)
    except UrlInvalid as error:
        raise Refused(
            f"{credential.id} {error}.", next=then("Mend it; see: ", ebhook("doctor"))
        ) from None
    return replace(url, user=login.user or url.user, password=login.password)


def _token(url: Url, account: Account) -> Secret:
    """A token that RDS takes for a password, for a quarter of an hour."""
    host = _RDS_HOST.search(url.host)
    region = host[1] or host[2] if host else account.region
    with _asked(f"rds-db:connect to {url.host}"):
        return Secret(
            _client("rds", replace(account, region=region)).generate_db_auth_token(
                DBHostname=url.host, Port=url.port, DBUsername=url.user or "", Region=region
            )
        )


# Notices


def put_metrics(namespace: str, data: Iterable[dict[str, Any]], account: Account) -> None:
    """Custom metrics, as PutMetricData takes them."""
    with _asked(f"cloudwatch:PutMetricData {namespace}"):
        _client("cloudwatch", account, _BRIEF).put_metric_data(
            Namespace=namespace, MetricData=list(data)
        )


def publish(topic: str, subject: str, text: str, account: Account) -> None:
    """A message to an SNS topic, in the topic's own region."""
    account = replace(account, region=topic.split(":")[3])
    with _asked(f"sns:Publish {topic}"):
        _client("sns", account, _BRIEF).publish(TopicArn=topic, Subject=subject, Message=text)


def put_event(bus: str, kind: str, detail: str, account: Account) -> None:
    """An event of source ``ebhook``; `detail` is JSON."""
    if bus.startswith("arn:"):
        account = replace(account, region=bus.split(":")[3])
    entry = {"Source": "ebhook", "DetailType": kind, "Detail": detail, "EventBusName": bus}
    with _asked(f"events:PutEvents {bus}"):
        answer = _client("events", account, _BRIEF).put_events(Entries=[entry])
    for one in answer["Entries"]:
        if one.get("ErrorCode"):
            raise _refusal(f"events:PutEvents {bus}", one["ErrorCode"], one.get("ErrorMessage", ""))


def whoami(account: Account) -> str:
    """The ARN that AWS knows us by."""
    with _asked("sts:GetCallerIdentity"):
        return str(_client("sts", account).get_caller_identity()["Arn"])


# boto3


@functools.cache
def _session(profile: str | None) -> boto3.Session:
    return boto3.Session(profile_name=profile)


@functools.cache
def _made(service: str, account: Account, config: Config) -> Any:
    return _session(account.profile).client(
        service,  # type: ignore[call-overload]
        region_name=account.region,
        config=config,
    )


def _client(service: str, account: Account, config: Config = _PATIENT) -> Any:
    with _making:
        return _made(service, account, config)


class _asked:
    """Turns what goes wrong in the block into ours; `what` names the action and its object."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            said = error.response.get("Error", {})
            raise _refusal(self.what, said.get("Code", "?"), said.get("Message", "")) from None
        if isinstance(error, BotoCoreError):
            raise _failure(self.what, error) from None


def _refusal(what: str, code: str, words: str) -> EbhookError:
    said = f"AWS refused {what}: {code}{': ' + words if words else ''}"
    said = said if said.endswith(".") else said + "."
    if _PASSING.search(code):
        return Transient(said, next=then("It may pass; see: ", ebhook("doctor")))
    if code in _SKEWED or "Signature expired" in words or "Signature not yet" in words:
        return Refused(
            said, next=then("Set this machine's clock (chronyc tracking); see: ", ebhook("doctor"))
        )
    if code in _MISSING:
        return Refused(
            said, next=then("Make it, or mend its name in the settings: ", ebhook("config"))
        )
    return Refused(
        said, next=then("Look at the role's policy (docs/iam.md), then: ", ebhook("doctor"))
    )


def _failure(what: str, error: BotoCoreError) -> EbhookError:
    words = str(error).rstrip(".")
    if isinstance(error, NoRegionError | ProfileNotFound):
        return SettingsFailed(
            f"{what}: {words}.",
            next=then("Set aws.region and aws.profile; see: ", ebhook("config")),
        )
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Refused(
            f"{what}: {words}.",
            next=then("Give the instance a role (docs/iam.md); see: ", ebhook("doctor")),
        )
    if isinstance(error, ConnectionError | HTTPClientError | CredentialRetrievalError):
        return Unreachable(
            f"{what}: {words}.", next=then("Check the network to AWS: ", ebhook("doctor"))
        )
    return Refused(f"{what}: {words}.", next=then("See: ", ebhook("doctor")))
