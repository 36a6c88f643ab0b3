#!/usr/bin/python3 -IS
"""get-config as the tests have it: what it prints is in files beside it, and how it misbehaves, too.

The real one is a program of the platform; its documented calls are ``environment``, ``container`` and
``optionsettings``, each with ``-k KEY`` (``-n NAMESPACE -o OPTION``) for one value.
"""

import json
import sys
import time
from pathlib import Path

here = Path(__file__).resolve().parent.parent / "told"


def main(what: str, *options: str) -> None:
    how = (here / "misbehaves").read_text().strip() if (here / "misbehaves").exists() else ""
    if how == "hangs":
        time.sleep(60)
    if how == "fails":
        sys.exit("could not parse environment variables")
    if how == "prints no JSON":
        print("Error: hunter2secret is no option")
        return
    if how == "prints half of it":
        print('{"RDS_PASSWORD": "hunter2secret')
        return
    if how == "prints a list":
        print('["hunter2secret"]')
        return
    if how == "prints bytes":
        sys.stdout.buffer.write(b"\xff\xfe")
        return
    told = json.loads((here / f"{what}.json").read_text())
    named = dict(zip(options[::2], options[1::2], strict=True))
    if "-n" in named:
        told = told.get(named["-n"], {})
    key = named.get("-k") or named.get("-o")
    if key is None:
        print(json.dumps(told))
    elif key in told:
        print(told[key])
    else:
        sys.exit(f"key {key} is not found")


main(*sys.argv[1:])
