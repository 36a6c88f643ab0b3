"""Tenants by server and login: what one connection can read together, and all of them side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ebhook.concurrency import Answers
from ebhook.database.credential import BrokenCredential
from ebhook.database.url import Url
from ebhook.tenant import Tenant

R = TypeVar("R")

THREADS = 16


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
        broken = url.credential if isinstance(url.credential, BrokenCredential) else None
        key = (url.host, url.port, url.user, url.password, options, broken)
        groups.setdefault(key, []).append(tenant)
    return [LoginGroup(tuple(group)) for group in groups.values()]


def ask_side_by_side(
    groups: Sequence[LoginGroup],
    ask: Callable[[LoginGroup], R],
    is_silent: Callable[[R], bool],
    *,
    until: float,
    threads: int = THREADS,
) -> Iterator[tuple[LoginGroup, R | None]]:
    """Each group with its answer, as they come. The first login of each server goes ahead: where
    nothing answers it, its answer is that of all logins there, and none of them is tried.

    Args:
        ask: runs in a thread, and does not raise for what a server does.
        is_silent: did nothing answer at all?
        until: monotonic seconds; a group without an answer by then has None.
    """
    others: dict[tuple[str, int, str], list[LoginGroup]] = {}
    first = [group for group in groups if _is_first(group, others)]
    asked = list(first)
    with Answers(ask, threads) as answers:
        answers.ask(first)
        while answers.open:
            said = answers.next(max(0.0, until - time.monotonic()))
            if said is None:
                break
            group, answer = said
            asked.remove(group)
            yield group, answer
            rest = others.pop(group.server, [])
            if is_silent(answer):
                yield from ((other, answer) for other in rest)
            else:
                answers.ask(rest)
                asked += rest
    yield from ((group, None) for group in asked)
    yield from ((group, None) for rest in others.values() for group in rest)


def _is_first(group: LoginGroup, others: dict[tuple[str, int, str], list[LoginGroup]]) -> bool:
    """Is it the first one of its server? Else it is noted among the others."""
    if group.server in others:
        others[group.server].append(group)
        return False
    others[group.server] = []
    return True
