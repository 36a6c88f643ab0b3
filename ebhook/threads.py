"""Many servers at once, in threads: an interruption does not wait for those that do not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_threads(function: Callable[[T], R], items: Sequence[T], most: int) -> Iterator[R]:
    """What `function` makes of each item, in their order, by at most so many threads."""
    if not items:
        return
    pool = ThreadPoolExecutor(max_workers=min(most, len(items)))
    try:
        yield from pool.map(function, items)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
