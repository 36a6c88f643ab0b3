"""A tenant: an agency's database, by name and place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ebhook.database.url import Url
from ebhook.errors import EbhookError


@dataclass(frozen=True)
class Tenant:
    """An agency's database: `name` is what people call it, `url` is where it is.

    `problem`: what its source says of it cannot be used (a broken secret, say); it is not contacted.
    """

    name: str
    url: Url
    problem: EbhookError | None = field(default=None, compare=False)

    @property
    def database(self) -> str:
        return self.url.database or self.name
