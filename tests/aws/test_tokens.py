"""Tokens of RDS: for which server, in which region, and never for one that proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ebhook.errors import SettingsFailed
from ebhook.fleet.discovery import discover
from ebhook.settings import Settings
from tests.support.cloud import REGION, Cloud

Make = Callable[..., Settings]


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("acme.c0ffee.us-east-2.rds.amazonaws.com", "us-east-2"),
        ("acme.cluster-c0ffee.eu-west-1.rds.amazonaws.com", "eu-west-1"),
        ("proxy.proxy-c0ffee.ap-south-1.rds.amazonaws.com", "ap-south-1"),
        ("acme.c0ffee.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("db.example", REGION),
    ],
)
def test_a_token_is_of_the_servers_region(
    aws: Cloud, settings: Make, tmp_path: Path, host: str, region: str
) -> None:
    """Which its name tells; else it is this account's. It is made without asking anybody, and anew
    for each login."""
    (tmp_path / "ca.pem").write_text("")
    (tenant,) = discover(
        settings(TENANTS_IAM="true", TENANTS_URL=f"mysql://app@{host}/acme", TLS_CA="ca.pem")
    )
    assert tenant.url.password is None

    assert tenant.url.credential is not None
    password = tenant.url.credential.fresh(tenant.url).password

    assert password is not None
    token = urlsplit(f"https://{password.reveal()}")
    assert (token.hostname, token.port) == (host, 3306)
    assert f"/{region}/rds-db/" in parse_qs(token.query)["X-Amz-Credential"][0]
    assert not aws.calls


@pytest.mark.parametrize(
    "variables",
    [
        {"TENANTS_URL": "mysql://app@db/acme?ssl_check_hostname=false", "TLS_CA": "ca.pem"},
        {"TENANTS_URL": "mysql://app@db/acme", "TLS_CA": "ca.pem", "TLS_VERIFY": "ca"},
        {"TENANTS_URL": "mysql://app@db/acme", "TLS_VERIFY": "off"},
        {"TENANTS_URL": "mysql://app@db/acme"},
    ],
)
def test_a_token_is_for_a_server_that_proves_itself(
    aws: Cloud, settings: Make, tmp_path: Path, variables: dict[str, str]
) -> None:
    """It goes over the wire as it is: whatever demands less than host name and certificate is a
    mistake of the settings."""
    (tmp_path / "ca.pem").write_text("")

    with pytest.raises(SettingsFailed) as failure:
        discover(settings(TENANTS_IAM="true", **variables))

    assert "tenants.iam" in failure.value.what


def test_a_password_needs_no_token(aws: Cloud, settings: Make) -> None:
    """Where a URL has one, it is used."""
    (tenant,) = discover(
        settings(TENANTS_IAM="true", TENANTS_URL="mysql://app:p@db/acme", TLS_CA="/dev/null")
    )

    assert tenant.url.credential is None
