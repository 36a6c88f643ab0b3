"""Tenants of which their source says something that cannot be used: one agency's matter, not all's."""

from __future__ import annotations

from collections.abc import Callable

from ebhook.database.credential import BrokenCredential
from ebhook.database.url import Url
from ebhook.errors import EbhookError, Refused, SettingsFailed
from ebhook.tenant import Tenant


def broken(name: str, problem: EbhookError) -> Tenant:
    """A tenant that nobody connects to: whoever tries gets `problem`."""
    return Tenant(name, Url(database=name, credential=BrokenCredential(problem)))


def is_broken(tenant: Tenant) -> bool:
    return isinstance(tenant.url.credential, BrokenCredential)


def usable_or_broken(name: str, make: Callable[[], Tenant]) -> Tenant:
    """What `make` gives, or in its place a tenant `name` that is refused for what it raised."""
    try:
        return make()
    except SettingsFailed as error:
        return broken(name, Refused(error.what, error.state, error.next))
