"""A server to play with: ``python -m ebhook.scratch mysql``, until Ctrl-C."""

import argparse
import signal
import sys
from contextlib import closing

from ebhook.database.connection import quoted, run
from ebhook.errors import ScratchFailed
from ebhook.scratch.installation import Flavour
from ebhook.scratch.process import server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ebhook.scratch", description=__doc__)
    parser.add_argument("flavour", type=Flavour, choices=list(Flavour))
    parser.add_argument(
        "--databases",
        metavar="NAMES",
        default="",
        help="make these first (a,b,c); the URL is then the template of tenants.url",
    )
    arguments, options = parser.parse_known_args()
    try:
        with server(
            arguments.flavour, options, report=lambda line: print(line, file=sys.stderr)
        ) as running:
            names = [name for name in arguments.databases.split(",") if name]
            with closing(running.connect()) as connection:
                for name in names:
                    run(connection, f"CREATE DATABASE {quoted(name)}")
            print(running.url("{tenant}" if names else ""), flush=True)
            print(f"{running.version}, log in {running.log}. Ctrl-C ends it.", file=sys.stderr)
            signal.pause()
    except KeyboardInterrupt:
        pass
    except ScratchFailed as failure:
        raise SystemExit(str(failure)) from None


if __name__ == "__main__":
    main()
