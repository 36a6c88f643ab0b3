"""What one tenant could leave for the next one in the same process is seen."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ebhook.traces import Application, Traces

APPLICATION = """
import functools
import json

import sqlalchemy as sa

SEEN = []
BY_NAME = {"a": 1}
NAMES = {"a"}
NESTED = {"by": {"agency": []}}
LAST = None
COUNT = 1000
metadata = sa.MetaData()


@functools.lru_cache
def looked_up(name):
    return name


def remembering(value, known={}):
    known[value] = True
    return len(known)


def counter():
    n = 0

    def count():
        nonlocal n
        n += 1
        return n

    return count


count = counter()


class Model:
    cache = {}
    kept = None

    def __init__(self):
        self.rows = []


class Stubborn:
    def __getattribute__(self, name):
        raise RuntimeError("not outside of a context")


model = Model()
stubborn = Stubborn()
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of an application in `tmp_path`, imported."""
    (tmp_path / "the_app.py").write_text(APPLICATION)
    (tmp_path / "another.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    import the_app  # type: ignore[import-not-found]

    yield the_app
    for name in ("the_app", "another"):
        sys.modules.pop(name, None)


@pytest.fixture
def kept() -> Iterator[list[object]]:
    """What is closed after the test."""
    things: list[object] = []
    yield things
    for thing in things:
        getattr(thing, "close", getattr(thing, "set", None))()  # type: ignore[misc]


def _opens(kept: list[object]) -> None:
    kept.append(socket.socket())


def _starts_a_thread(kept: list[object]) -> None:
    event = threading.Event()
    kept.append(event)
    threading.Thread(target=event.wait).start()


@pytest.mark.parametrize(
    "code",
    [
        "app.LAST = 'agency_0001'",
        "app.COUNT += 1",
        "app.NEW = 1",
        "del app.LAST",
        "app.SEEN.append(1)",
        "app.BY_NAME['b'] = 2",
        "app.BY_NAME['a'] = 2",
        "app.NAMES.add('b')",
        "app.NESTED['by']['agency'].append(1)",
        "app.looked_up('a')",
        "app.remembering(1)",
        "app.count()",
        "app.looked_up.__wrapped__.hint = 1",
        "app.remembering.hint = 1",
        "app.Model.cache['a'] = 1",
        "app.Model.kept = 'a'",
        "app.model.rows.append(1)",
        "app.model.more = 1",
        "app.sa.Table('cases', app.metadata)",
        "import another",
        "os.environ['A_VARIABLE'] = 'a'",
        "os.chdir('/')",
        "sys.path.append('/nowhere')",
        "_opens(kept)",
        "_starts_a_thread(kept)",
        "things[0]['a'] = 1",
        "version.SEEN.append(1)",
    ],
)
def test_a_trace_is_seen(
    app: ModuleType,
    tmp_path: Path,
    kept: list[object],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    things: list[dict[str, int]] = [{}]
    version = ModuleType("a001")
    version.SEEN = []  # type: ignore[attr-defined]
    traces = Traces(Application(tmp_path, modules=(version,), things=tuple(things)))
    assert traces.none()

    exec(code, {**globals(), "app": app, "kept": kept, "things": things, "version": version})

    assert not traces.none()


@pytest.mark.parametrize(
    "harmless",
    [
        lambda app: app.model.rows,
        lambda app: app.json.dumps(app.BY_NAME),
        lambda app: app.sa.create_engine("mysql+pymysql://"),
        lambda app: app.sa.Table("cases", app.sa.MetaData()),
        lambda app: __import__("wave"),
        lambda app: Path(app.__file__).read_text(),
        lambda app: app.Model().rows.append(1),
        lambda app: socket.socket().close(),
    ],
)
def test_what_is_gone_leaves_no_trace(
    app: ModuleType, tmp_path: Path, harmless: Callable[[ModuleType], object]
) -> None:
    traces = Traces(Application(tmp_path))

    harmless(app)

    assert traces.none()


def test_what_is_installed_is_not_the_applications(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtualenv in the application's folder: its libraries' caches are their own matter, but for a
    package of the application's that is installed there."""
    installed = tmp_path / "venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "a_library.py").write_text("CACHE = {}\n")
    monkeypatch.syspath_prepend(installed)
    import a_library  # type: ignore[import-not-found]

    its_own = Traces(Application(tmp_path, frozenset({"a_library"})))
    others = Traces(Application(tmp_path))
    a_library.CACHE["a"] = 1

    assert others.none()
    assert not its_own.none()
    del sys.modules["a_library"]
