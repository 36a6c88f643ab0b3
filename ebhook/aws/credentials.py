"""Logins that AWS keeps or makes. Importing this does not import boto3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ebhook.database.url import Url


@dataclass(frozen=True)
class AwsCredential:
    """A `Credential`: a token of RDS for each login (``iam``), or the secret or parameter `id`."""

    kind: Literal["iam", "secret", "parameter"]
    id: str = ""
    region: str | None = None
    profile: str | None = None

    @property
    def is_per_login(self) -> bool:
        return self.kind == "iam"

    @property
    def noun(self) -> str:
        return "a token of RDS" if self.kind == "iam" else "a password from AWS"

    @property
    def action(self) -> str:
        if self.kind == "iam":
            return "a token for rds-db:connect"
        if self.kind == "secret":
            return f"secretsmanager:GetSecretValue {self.id.rpartition(':secret:')[2]}"
        return f"ssm:GetParameter {self.id}"

    def fresh(self, url: Url) -> Url:
        from ebhook.aws.client import fresh_login  # boto3 takes a quarter of a second

        return fresh_login(self, url)
