"""Lists in people's words."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str], most: int = 6) -> str:
    """``a, b and c``."""
    if len(words) > most:
        return f"{', '.join(words[: most - 1])} and {len(words) - most + 1} more"
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
