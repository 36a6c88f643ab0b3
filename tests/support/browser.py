"""A headless Chromium, driven by its own protocol over two pipes: no driver, no port."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-headless-shell", "google-chrome", "chromium-browser")
PATIENCE = 30.0  # seconds


def installed() -> str | None:
    """The browser that this machine has."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@dataclass
class Browser:
    """One page. `events` are all that the browser has told so far."""

    send_to: int
    read_from: int
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> Any:
        """One command, and its result."""
        id = next(self._ids)
        message: dict[str, Any] = {"id": id, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.send_to, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda one: one.get("id") == id)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path) -> None:
        """Loads a file, and returns when it is there."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=path.as_uri())
        self._until(lambda one: one.get("method") == "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """One key, where the focus is."""
        for kind in ("keyDown", "keyUp"):
            given = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **given)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """A screenshot, as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self) -> list[str]:
        """Exceptions and errors of the page so far."""
        wrong = ("Runtime.exceptionThrown",)
        return [
            json.dumps(one["params"])
            for one in self.events
            if one.get("method") in wrong
            or (
                one.get("method") == "Log.entryAdded"
                and one["params"]["entry"]["level"] in ("error", "warning")
            )
        ]

    def requests(self) -> list[str]:
        """Every address that the page asked for."""
        return [
            one["params"]["request"]["url"]
            for one in self.events
            if one.get("method") == "Network.requestWillBeSent"
        ]

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while True:
            while b"\0" in self._rest:
                text, _, self._rest = self._rest.partition(b"\0")
                message: dict[str, Any] = json.loads(text)
                self.events.append(message)
                if wanted(message):
                    return message
            left = until - time.monotonic()
            assert left > 0, "no answer"
            assert select.select([self.read_from], [], [], left)[0], "no answer"
            data = os.read(self.read_from, 1 << 16)
            assert data, "the browser ended"
            self._rest += data


@contextmanager
def browser(program: str, folder: Path) -> Iterator[Browser]:
    """Starts one, with a profile of its own in `folder`, and ends it."""
    commands, send_to = os.pipe()
    read_from, answers = os.pipe()
    process = subprocess.Popen(
        [
            "bash",  # dash knows no file descriptor above 9
            "-c",
            f'exec "$@" 3<&{commands} 4>&{answers}',
            "browser",
            program,
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}",
        ],
        pass_fds=[commands, answers],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    try:
        yield Browser(send_to, read_from)
    finally:
        os.close(send_to)
        os.close(read_from)
        process.kill()
        process.wait()
