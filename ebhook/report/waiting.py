"""A sign of life, where a server takes longer to answer than a person likes to wait without one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ebhook.report.reporter import Reporter
from ebhook.tenant import Tenant

SECONDS = 1.0


@contextmanager
def sign_of_life(report: Reporter, tenants: Sequence[Tenant]) -> Iterator[None]:
    """Says who is waited for when the block takes longer than a second."""
    places = list(dict.fromkeys(f"{one.url.host}:{one.url.port}" for one in tenants))
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    timer = threading.Timer(
        SECONDS, report.say, [f"waiting for an answer of {', '.join(places[:3])}{more} …"]
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
