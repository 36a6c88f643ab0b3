"""Tenants by server and login: what one connection can read together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ebhook.database.url import Url
from ebhook.tenant import Tenant


@dataclass(frozen=True)
class LoginGroup:
    """Tenants that share a server, a login, and all options of the connection."""

    tenants: tuple[Tenant, ...]

    @property
    def url(self) -> Url:
        """How to log in; the database in it is one of many."""
        return self.tenants[0].url

    @property
    def server(self) -> tuple[str, int, str]:
        """What the connection goes to: host, port, socket."""
        return self.url.host, self.url.port, self.url.options.get("unix_socket", "")


def by_login(tenants: Iterable[Tenant]) -> list[LoginGroup]:
    """The groups in the order of their first tenants."""
    groups: dict[tuple[object, ...], list[Tenant]] = {}
    for tenant in tenants:
        url = tenant.url
        options = tuple(sorted(url.options.items()))
        key = (url.host, url.port, url.user, url.password, options)
        groups.setdefault(key, []).append(tenant)
    return [LoginGroup(tuple(group)) for group in groups.values()]
