"""A tenant: an agency's database, by name and place."""

from __future__ import annotations

from dataclasses import dataclass

from ebhook.database.url import Url


@dataclass(frozen=True)
class Tenant:
    """An agency's database: `name` is what people call it, `url` is where it is.

    `group` is what the registry's query says in its third column: a wave may be made of it.
    """

    name: str
    url: Url
    group: str | None = None

    @property
    def database(self) -> str:
        return self.url.database or self.name
