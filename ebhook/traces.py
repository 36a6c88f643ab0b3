"""What a tenant's migration leaves behind in its process: nothing, or that process gets no second tenant.

A cache of the application's that outlives a tenant is how tenants get mixed up, and so is a connection
that stays open. Looked at is where they can be: open descriptors, threads, the environment, and what
the application's own modules and the version files hold, a few levels deep. Only a process in which all
that is as it was goes on to another tenant.

The application's own is what lies in its folder, and what is installed but named by its Flask application,
its env.py or a version file: its packages may come as wheels.
"""

from __future__ import annotations

import ast
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from sqlalchemy import MetaData

from ebhook.project import Project

_DEPTH = 4  # module → class → dict → list
_SEQUENCES = (list, tuple, set, frozenset, deque)
_CACHE = type(lru_cache(len))
_OTHERS = {"alembic", "sqlalchemy", "flask", "flask_migrate", "flask_sqlalchemy", "ebhook"}


@dataclass(frozen=True)
class Application:
    """Where an application can keep something.

    `root` is its folder, `packages` are those of its own that may lie elsewhere; `modules` are those that
    Python does not list, its version files; `things` is what else it may write to.
    """

    root: Path
    packages: frozenset[str] = frozenset()
    modules: tuple[ModuleType, ...] = ()
    things: tuple[object, ...] = ()

    def listed(self) -> dict[str, ModuleType]:
        """Its modules that are imported, by name."""
        here, installed = f"{self.root}{os.sep}", f"{sys.prefix}{os.sep}"
        found = {}
        for name, module in list(sys.modules.items()):
            file = str(getattr(module, "__file__", None))
            inside = file.startswith(here) and not file.startswith(installed)
            if name.partition(".")[0] in self.packages or (inside and "site-packages" not in file):
                found[name] = module
        return found


def application_of(project: Project) -> Application:
    """Of a loaded project; its version files are imported by then."""
    app, extensions = project.app, getattr(project.app, "extensions", {})
    modules = tuple(script.module for script in project.script.walk_revisions())
    metadatas = getattr(extensions.get("sqlalchemy"), "metadatas", {})  # Flask-SQLAlchemy's
    named = {getattr(app, "import_name", ""), *_imports(project.env_py)}
    for module in modules:
        for value in vars(module).values():
            is_module = isinstance(value, ModuleType)
            named.add(value.__name__ if is_module else str(getattr(value, "__module__", "")))
    tops = {name.partition(".")[0] for name in named} - {"", *(one.__name__ for one in modules)}
    packages = tops - _OTHERS - sys.stdlib_module_names
    return Application(
        project.settings.root,
        frozenset(packages),
        modules,
        (project.config.attributes, getattr(app, "config", {}), extensions, metadatas),
    )


def _imports(file: Path) -> set[str]:
    """What a Python file imports."""
    try:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
    except (OSError, SyntaxError, ValueError):
        return set()
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@dataclass
class Traces:
    """How the process looks when this is made; `none` asks whether it looks so still."""

    application: Application
    _surroundings: tuple[object, ...] = field(init=False)
    _listed: dict[str, ModuleType] = field(init=False)
    _names: set[str] = field(init=False)
    # Each with what it referred to, and with that by id: those do not come back while it is kept.
    _held: list[tuple[object, list[object], list[int]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        own = self.application
        self._surroundings, self._listed = _surroundings(), own.listed()
        modules = [*self._listed.values(), *own.modules]
        self._names = {module.__name__ for module in modules}
        seen: set[int] = set()
        for thing in (*map(vars, modules), *own.things):
            self._keep(thing, _DEPTH, seen)

    def none(self) -> bool:
        return (
            _surroundings() == self._surroundings
            and self.application.listed().keys() == self._listed.keys()
            and all(list(map(id, _parts(thing))) == ids for thing, _, ids in self._held)
        )

    def _keep(self, thing: object, depth: int, seen: set[int]) -> None:
        if depth == 0 or id(thing) in seen or not self._may_change(thing):
            return
        seen.add(id(thing))
        parts = list(_parts(thing))
        self._held.append((thing, parts, list(map(id, parts))))
        for part in parts:
            self._keep(part, depth - 1, seen)

    def _may_change(self, thing: object) -> bool:
        # By its type alone: a proxy (Flask's) may stand for nothing at the moment.
        kind = type(thing)
        if issubclass(kind, (dict, *_SEQUENCES, _CACHE, MetaData)):
            return True
        if issubclass(kind, type | FunctionType):
            return getattr(thing, "__module__", None) in self._names
        return kind.__module__ in self._names


def _parts(thing: Any) -> Iterable[object]:
    """What a thing refers to, and could refer to otherwise later."""
    kind = type(thing)
    if issubclass(kind, dict):
        return [*thing, *thing.values()]
    if issubclass(kind, _SEQUENCES):
        return thing  # type: ignore[no-any-return]
    if issubclass(kind, FunctionType):
        cells = [_filled(cell) for cell in thing.__closure__ or ()]
        return [thing.__defaults__, thing.__kwdefaults__, thing.__dict__, *cells]
    if issubclass(kind, _CACHE):
        info = thing.cache_info()
        return [thing.__wrapped__, sys.intern(f"{info.misses} {info.currsize}")]
    if issubclass(kind, MetaData):
        return list(thing.tables.values())
    own = _attributes(thing)
    return [*own, *own.values()]


def _attributes(thing: object) -> dict[str, object]:
    try:
        return dict(vars(thing))
    except Exception:  # it has none, or a class of its own mind
        return {}


def _filled(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not yet
        return None


def _surroundings() -> tuple[object, ...]:
    """What a process has besides its memory; descriptors by what they lead to."""
    places: dict[str, tuple[int, int]] = {}
    for name in os.listdir("/dev/fd"):
        try:
            status = os.fstat(int(name))
        except OSError:  # of this very listing
            continue
        places[name] = status.st_dev, status.st_ino
    return places, threading.active_count(), dict(os.environ), os.getcwd(), list(sys.path)
