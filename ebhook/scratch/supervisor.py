"""Holds one server, and ends it together with whoever asked for it.

Run by path in a session of its own, with the standard library only. Its standard input is a pipe
whose other end nobody but the owner has: however the owner ends, kill -9 of its whole process group
included, the kernel closes that end, and the server and its folder go. Nothing polls, nothing leaks.

Each line of input is one request in JSON, each line of output its answer. The one argument, if any, is
the folder in which the server's own is made.
"""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

STOP_SECONDS = 60.0
READY_SECONDS = 90.0


def supervise(folder: Path) -> None:
    """Serve requests until the input ends: ``run``, ``start``, ``kill`` and ``stop``."""
    server: subprocess.Popen[bytes] | None = None
    with (folder / "server.log").open("ab") as log:
        try:
            answer(folder=str(folder))
            for line in sys.stdin:
                request = json.loads(line)
                match request["do"]:
                    case "run":
                        with open(request["input"], "rb") as script:
                            done = subprocess.run(
                                request["command"],
                                stdin=script,
                                stdout=log,
                                stderr=log,
                                check=False,
                            )
                        answer(exit=done.returncode)
                    case "start" if server and server.poll() is None:
                        answer(exit=None, pid=server.pid)
                    case "start":
                        server = subprocess.Popen(
                            request["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                        )
                        answer(exit=until_ready(server, request["socket"]), pid=server.pid)
                    case "kill" if server:
                        server.kill()
                        answer(exit=server.wait())
                    case "stop" if server:
                        answer(exit=shut_down(server))
                    case _:
                        answer(exit=None)
        finally:
            # Its data go as well: a clean shutdown would only take seconds.
            if server:
                server.kill()
                server.wait()


def until_ready(server: "subprocess.Popen[bytes]", address: str) -> int | None:
    """Wait until the server greets on its own socket; returns its exit code if it ended instead."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return server.wait(0.02)
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(READY_SECONDS)
            client.connect(address)
            if client.recv(1):
                return None
    server.kill()
    return server.wait()


def shut_down(server: "subprocess.Popen[bytes]") -> int:
    """End the server cleanly, by force if that takes too long; returns its exit code."""
    server.terminate()
    try:
        return server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        return server.wait()


def answer(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # The path of a socket has 107 characters at most.
    parent = sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="ebhook-", dir=parent if len(parent) < 80 else "/tmp"))
    try:
        supervise(folder)
    except BrokenPipeError:
        # The owner died while it waited for an answer. Nobody is left to read the last flush either.
        sys.stdout = None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
