"""A value that shows itself to nobody by accident."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_SHORTEST = 4  # what is shorter stands in many a text that says nothing of it


class Secret:
    """A string that prints as ``***``; `reveal` is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def spellings(self) -> Iterator[str]:
        """As texts may have it: plain, quoted by Python or JSON, in a URL, in an ini file's URL."""
        value = self._value
        if len(value) < _SHORTEST:
            return
        for text in (
            value,
            repr(value)[1:-1],
            repr(value.encode("utf-8", "surrogateescape"))[2:-1],
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
            quote(value),
            quote(value, safe=""),
            quote(value, safe=" +"),  # SQLAlchemy's own way
            quote_plus(value),
        ):
            yield text
            yield text.replace("%", "%%")

    def out_of(self, text: str) -> str:
        """`text` with ``***`` in its place, however it is spelled."""
        for spelling in sorted(self.spellings(), key=len, reverse=True):
            text = text.replace(spelling, "***")
        return text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (self._value,))
