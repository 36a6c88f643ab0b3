"""A few seconds of what ``make differential`` does for many minutes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ebhook.errors import ScratchFailed
from tests.conftest import AnyServer, missing
from tests.differential.corpus import corpus
from tests.support.tally import count

# Of a flavour; on a busy machine fewer are reached. Always the same ones, for all to see the same.
PROBES, SECONDS = 40, 14


def test_statements_of_the_servers_own_tests_survive_crashes(
    server: AnyServer, tmp_path: Path
) -> None:
    """Chains of statements that nobody here wrote, killed or refused anywhere, end as undisturbed."""
    try:
        corpus(server.flavour)
    except ScratchFailed as failure:
        missing(server.flavour, failure)

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.differential", server.flavour, "--url", server.url()),
            *("--jobs", "1", "--probes", str(PROBES), "--seconds", str(SECONDS)),
            *("--folder", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    found = re.search(r"(\d+) probes, (\d+) right, (\d+) asked .* (\d+) wrong", ran.stdout)
    assert found is not None, ran.stderr
    wrongs = "\n".join(path.read_text("utf-8") for path in tmp_path.glob("wrong/*"))
    assert int(found[4]) == 0, wrongs
    assert int(found[2]) > 0
    for number, what in enumerate(("probes", "right", "asked"), 1):
        count(server.flavour, f"statements of the server's own tests: {what}", int(found[number]))
