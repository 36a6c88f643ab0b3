"""The bundles on an instance: which one is meant, its label, its application and its modules.

Elastic Beanstalk unpacks a bundle into /var/app/staging, runs its hooks there, and makes it
/var/app/current when all of them succeeded. So a folder in staging is being deployed, or its
deployment has failed; current is the one that runs.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ebhook.aws import beanstalk
from ebhook.errors import UsageFailed
from ebhook.holder import Holder
from ebhook.settings import FILE_NAME, Settings

# Folder (device and inode, which renaming keeps) → label, of the bundles whose hooks ran here.
LABELS = Path("/var/lib/ebhook/labels.json")
_KEPT = 10  # labels
STAGING, CURRENT = "staging", "current"


@dataclass(frozen=True)
class Bundle:
    """The folder that a command works in. `note`: a line for people, where another was possible."""

    folder: Path
    note: str = ""


def choose(wanted: str | None, directory: Path | None = None) -> Bundle:
    """The bundle to use.

    A hook runs in its bundle. A person on an instance may be anywhere, and means the bundle whose
    deployment has just failed, or else the one that runs.

    Args:
        wanted: ``staging``, ``current`` or a folder; None: what is most likely meant.
        directory: where the command was typed; None: the working directory.

    Raises:
        UsageFailed: there is no such bundle.
    """
    if wanted is not None:
        return Bundle(_wanted(wanted))
    here = directory if directory is not None else _working_directory()
    deployed = _deployed()
    if not beanstalk.is_here() or not deployed:
        return Bundle(here)
    place = here.resolve()
    inside = [folder for folder in deployed if place.is_relative_to(folder.resolve())]
    if any((folder / FILE_NAME).is_file() for folder in (place, *place.parents)):
        return Bundle(here, _note(inside[0], deployed) if inside else "")
    folder = [*inside, *deployed][0]
    return Bundle(folder, _note(folder, deployed))


def _wanted(wanted: str) -> Path:
    folder = beanstalk.APP / wanted if wanted in (STAGING, CURRENT) else Path(wanted)
    if not folder.is_dir():
        raise UsageFailed(
            f"--bundle {wanted}: there is no folder {folder}.",
            next="See which bundles are here: ls /var/app",
        )
    return folder


def _working_directory() -> Path:
    """Where we are; a deployment may have taken that folder away."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def _deployed() -> list[Path]:
    """The bundles that there are, the one whose deployment did not end first."""
    folders = (beanstalk.APP / STAGING, beanstalk.APP / CURRENT)
    return [folder for folder in folders if folder.is_dir()]


def _note(folder: Path, deployed: list[Path]) -> str:
    others = [other for other in deployed if other != folder]
    if not others or _is_hook():
        return ""
    (other,) = others
    what = {STAGING: "is being deployed, or failed", CURRENT: "runs"}
    return (
        f"Elastic Beanstalk: this is about {_named(folder)}, the bundle that {what[folder.name]}. "
        f"The one that {what[other.name]}: --bundle {other.name}"
    )


def _is_hook() -> bool:
    """A hook has the environment's properties, with the port that the platform gives; a shell has not."""
    return "PORT" in os.environ and "SUDO_USER" not in os.environ


def _named(folder: Path) -> str:
    label = label_of(folder)
    return f"{folder} ({label})" if label else str(folder)


# Who we are


def host_of(settings: Settings) -> str:
    """This machine's name: the instance id where there is one."""
    name = settings.holder or beanstalk.instance_id(settings.metadata) or socket.gethostname()
    return name[:190]


def identify(command: str, settings: Settings) -> Holder:
    """This process as a holder; `command` is what the operator typed, without secrets."""
    return Holder(
        name=host_of(settings),
        pid=os.getpid(),
        environment=beanstalk.environment_name(),
        version_label=label_of(settings.root),
        command=command[:190],
        token=secrets.token_hex(16),
    )


# Labels


def label_of(folder: Path) -> str | None:
    """The version label of the bundle that `folder` lies in; None when that is not known.

    The platform keeps one label, of the bundle that it unpacked last.
    """
    last = beanstalk.version_label(beanstalk.text_of(beanstalk.MANIFEST))
    place = folder.resolve()
    inside = next((one for one in _deployed() if place.is_relative_to(one.resolve())), None)
    if inside is None or len(_deployed()) == 1 or inside.name == STAGING:
        return last
    return _labels().get(_key(inside))


def remember_label(folder: Path) -> None:
    """Keeps the label of a bundle in staging for the time when it runs, and another one fails."""
    place = folder.resolve()
    staging = beanstalk.APP / STAGING
    label = beanstalk.version_label(beanstalk.text_of(beanstalk.MANIFEST))
    if not staging.is_dir() or not place.is_relative_to(staging.resolve()) or label is None:
        return
    known = {key: text for key, text in _labels().items() if key != _key(staging)}
    kept = dict([*known.items(), (_key(staging), label)][-_KEPT:])
    with suppress(OSError):  # not root, or a read-only disk: a label that is not known is not told
        LABELS.parent.mkdir(mode=0o755, exist_ok=True)
        part = LABELS.with_suffix(".part")
        part.write_text(json.dumps(kept), "utf-8")
        part.replace(LABELS)


def _labels() -> dict[str, str]:
    try:
        document = json.loads(LABELS.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {key: text for key, text in document.items() if isinstance(text, str)}


def _key(folder: Path) -> str:
    found = folder.stat()
    return f"{found.st_dev}:{found.st_ino}"


# The application


def modules_of(paths: Iterable[str], folder: Path) -> list[str]:
    """`paths` of modules, with those of the bundle that runs replaced by the same ones of `folder`'s.

    A property like PYTHONPATH=/var/app/current/src would give a staged bundle the old modules.

    Args:
        folder: in the bundle that is used.
    """
    current, staging = beanstalk.APP / CURRENT, beanstalk.APP / STAGING
    if not (beanstalk.is_here() and folder.resolve().is_relative_to(staging)):
        return list(paths)
    return [
        str(staging / Path(path).relative_to(current)) if _is_below(path, current) else path
        for path in paths
    ]


def _is_below(path: str, folder: Path) -> bool:
    return path.startswith("/") and Path(os.path.normpath(path)).is_relative_to(folder)


def flask_app_of(folder: Path) -> str | None:
    """The application that the platform would serve, where ``flask`` itself would find none.

    Elastic Beanstalk's default is the callable `application` of application.py; WSGIPath names another
    (DG, "Python platform configuration namespaces"). None: leave it to ``flask``.
    """
    if any((folder / name).is_file() for name in ("wsgi.py", "app.py")):
        return None
    said = beanstalk.wsgi_path()
    if said and said != "application":
        return said.removesuffix(".py").replace("/", ".") if ":" not in said else said
    return "application:application" if (folder / "application.py").is_file() else None
