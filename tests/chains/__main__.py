"""``make chains``: real chains by plain Alembic and by ebhook, and the table in docs/real-chains.md.

``python -m tests.chains zun magnum`` tries some. What differs is printed; the page has each chain's last row.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import Server, server
from tests.chains import page
from tests.chains.compare import Comparison, Result
from tests.chains.packages import CHAINS, Environment, environment
from tests.chains.project import ChainProject


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chains", description=__doc__)
    parser.add_argument("chains", nargs="*", metavar="CHAIN", help=", ".join(CHAINS))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    found = environment()
    with ExitStack() as stack:
        servers = {
            flavour: stack.enter_context(server(flavour, report=print)) for flavour in Flavour
        }
        for name in arguments.chains or CHAINS:
            _try(name, found, servers, arguments.seed)


def _try(name: str, environment: Environment, servers: dict[Flavour, Server], seed: int) -> None:
    """One chain on each server."""
    package = environment.package(name) if environment.install(name) else None
    if package is None:
        print(f"{name}: cannot be installed beside the others, or has no such chain")
        return
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder:
        project = ChainProject.make(Path(folder) / name, environment, package)
        for flavour, running in servers.items():
            result = Comparison(project, running, seed).run()
            results[_named(running)] = result
            print(
                f"{name} {package.version} on {flavour}: {result.plain}, {result.boots}, {result.kills}",
                flush=True,
            )
            for line in result.details:
                print(f"    {line[-1500:]}")
        revisions = len([p for p in package.versions.rglob("*.py") if "revision" in p.read_text()])
    page.write(f"{name} {package.version}", revisions, results)


def _named(running: Server) -> str:
    return f"{'MySQL' if running.flavour is Flavour.MYSQL else 'MariaDB'} {running.version.partition('-')[0]}"


if __name__ == "__main__":
    main()
