"""The complete run: ``make differential``, or ``python -m tests.differential --probes 300 mariadb``.

It prints, for each flavour, probes, right, asked and wrong, and a file for each probe that ended wrong.
A run that was ended goes on where it was, if it has the same seed.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import Server
from tests.conftest import FOREIGN_VARIABLES, SERVERS_FOLDER, AnyServer, GivenServer, installation
from tests.differential.campaign import Campaign, Tally, summary
from tests.differential.corpus import corpus
from tests.differential.judge import Verdict


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("flavours", nargs="*", type=Flavour, default=list(Flavour))
    parser.add_argument("--probes", type=int, default=10_000, help="for each flavour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each flavour")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--url", help="a server that runs, of the one flavour that is named")
    parser.add_argument("--folder", type=Path, default=_default_folder(), help="for what is found")
    arguments = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(FOREIGN_VARIABLES)]:
        del os.environ[name]
    wrong = 0
    for flavour in arguments.flavours:
        wrong += _run(flavour, arguments).verdicts[Verdict.WRONG]
    return 1 if wrong else 0


def _default_folder() -> Path:
    return Path(tempfile.gettempdir()) / "ebhook-differential"


def _run(flavour: Flavour, arguments: argparse.Namespace) -> Tally:
    """All probes of one flavour; each job has a server of its own, if none is given."""
    folder, seed, until = arguments.folder, arguments.seed, time.monotonic() + arguments.seconds
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{flavour}-{seed}.jsonl"
    known = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    total = sum((Tally.loaded(one["tally"]) for one in known), Tally())
    done = {one["test"] for one in known}
    names = [name for name in Campaign.order(corpus(flavour), seed) if name not in done]
    began = shown = time.monotonic()
    context = multiprocessing.get_context("fork")
    with (
        kept.open("a") as out,
        context.Pool(
            arguments.jobs, _begin, (flavour, seed, folder / "wrong", arguments.url, until)
        ) as pool,
    ):
        for name, tally in pool.imap_unordered(_probe, names):
            total += tally
            print(json.dumps({"test": name, "tally": tally.dumped()}), file=out, flush=True)
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"{summary(flavour, total)}, {shown - began:.0f} s", file=sys.stderr)
            if total.probes >= arguments.probes or time.monotonic() > until:
                break
        pool.terminate()  # what is under way is not finished; the servers end with their owners
        pool.join()
    print(summary(flavour, total))
    for why, number in total.reasons.most_common():
        print(f"  {number:>5} {why}")
    print(f"  not counted, since they end in another way by themselves: {total.unsteady}")
    if total.verdicts[Verdict.WRONG]:
        print(f"  See: {folder / 'wrong'}")
    return total


_campaign: Campaign | None = None  # of this job


_until = float("inf")


def _begin(flavour: Flavour, seed: int, wrongs: Path, url: str | None, until: float) -> None:
    global _campaign, _until
    sys.dont_write_bytecode = True  # a file is written anew within the second that pyc files know
    server: AnyServer
    if url is not None:
        server = GivenServer(flavour, make_url(url))
    else:
        server = Server(installation(flavour), parent=SERVERS_FOLDER)
        server.start()
    _campaign, _until = Campaign(server, corpus(flavour), seed, wrongs), until
    atexit.register(_campaign.close)
    gc.freeze()


def _probe(name: str) -> tuple[str, Tally]:
    """A test's name, and how its probes ended, as far as there was time for them."""
    assert _campaign is not None
    _campaign.tally = Tally()
    _campaign.server.start()  # in case a statement was its end
    _campaign.run(name, lambda: time.monotonic() > _until)
    return name, _campaign.tally


if __name__ == "__main__":
    sys.exit(main())
