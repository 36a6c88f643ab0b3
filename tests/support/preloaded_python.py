"""A Python that has Alembic and Flask-Migrate loaded, and runs each program in a fork of itself: what a
second of imports would precede otherwise. It has nothing of ebhook.

Run by path. Each line of input is one request in JSON, each line of output the program's exit code.
"""

import json
import os
import runpy
import sys
import traceback
from importlib import import_module
from typing import Any

LOADED = (
    "alembic.command",
    "alembic.config",
    "flask.cli",
    "flask_migrate",
    "flask_sqlalchemy",
    "pymysql",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.orm",
)


def serve() -> None:
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            live(**request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def live(arguments: list[str], folder: str, env: dict[str, str], output: list[str]) -> None:
    """The program's whole life: ``python -c …`` or ``python -m …``, as from a shell."""
    code = 1
    try:
        for target, path in zip((0, 1, 2), ("/dev/null", *output), strict=True):
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, target)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(env)
        sys.path.insert(0, folder)
        code = run(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(how: str, what: str, *arguments: str) -> int:
    sys.argv = [what if how == "-m" else how, *arguments]
    program: dict[str, Any] = {"__name__": "__main__"}
    try:
        if how == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, program)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    serve()
