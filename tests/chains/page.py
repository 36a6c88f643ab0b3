"""The table in docs/real-chains.md, between two marks: a run writes anew the rows of the chains that it tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.chains.compare import Result

PAGE = Path(__file__).parents[2] / "docs" / "real-chains.md"
_BEGIN, _END = "<!-- made by `make chains`: begin -->", "<!-- made by `make chains`: end -->"


def write(chain: str, revisions: int, results: Mapping[str, Result]) -> None:
    """Puts a chain's row into the page. `results`: the server, as it is named there → what came of it."""
    text = PAGE.read_text("utf-8")
    begin, end = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    heads = [
        head
        for server in results
        for head in (f"{server}: Alembic", "two boots at once", "killed five times")
    ]
    cells = [cell for one in results.values() for cell in (one.plain, one.boots, one.kills)]
    row = f"| {chain} | {revisions} | {' | '.join(cells)} |"
    name = chain.split()[0]
    kept = [
        line
        for line in text[begin:end].strip().splitlines()[2:]
        if not re.match(rf"\| {re.escape(name)} ", line)
    ]
    table = [
        f"| chain | revisions | {' | '.join(heads)} |",
        "|---" * (len(heads) + 2) + "|",
        *sorted([*kept, row]),
    ]
    PAGE.write_text(text[:begin] + "\n" + "\n".join(table) + "\n" + text[end:], "utf-8")
