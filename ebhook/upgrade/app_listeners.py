"""Which functions an application lets listen to SQLAlchemy's events: what they keep, nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.event import api

_LIBRARIES = {"sqlalchemy", "flask_sqlalchemy", "flask_migrate", "alembic", "ebhook"}


@contextmanager
def listeners() -> Iterator[list[Any]]:
    """The functions that begin to listen in the block, on whatever class or object, but for those of the
    libraries themselves."""
    heard: list[Any] = []
    before = api._event_key

    def event_key(target: Any, identifier: str, fn: Any) -> Any:
        module = getattr(fn, "__module__", None) or ""
        if module.partition(".")[0] not in _LIBRARIES:
            heard.append(fn)
        return before(target, identifier, fn)

    api._event_key = event_key
    try:
        yield heard
    finally:
        api._event_key = before
