"""What ebhook adds to an application's bundle, and what could keep it from arriving there.

The files are in ``ebhook/aws/templates``; nowhere else is there another version of them.
"""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

HOOKS = (
    ".platform/hooks/predeploy/50_ebhook.sh",
    ".platform/confighooks/predeploy/50_ebhook.sh",
)
EXTENSION = ".ebextensions/50_ebhook.config"
CLOUDWATCH = ".ebextensions/51_ebhook_cloudwatch.config"
SETTINGS = "ebhook.toml"

_TEMPLATES = {
    **dict.fromkeys(HOOKS, "hook.sh"),
    EXTENSION: "ebhook.config",
    CLOUDWATCH: "cloudwatch.config",
    SETTINGS: "ebhook.toml",
}

# What other hooks and commands do that ebhook does now.
_UPGRADE = re.compile(rb"\b(db|alembic)\s+upgrade\b")


class FileState(StrEnum):
    """What is to be done with a file."""

    NEW = "new"
    SAME = "same"
    DIFFERS = "differs"
    KEPT = "kept"  # the application's own: it is never compared


@dataclass(frozen=True)
class BundleFile:
    """A file of the bundle: how it should be, and how it is."""

    name: str
    path: Path
    wanted: str
    found: str | None

    @property
    def state(self) -> FileState:
        if self.found is None:
            return FileState.NEW
        if self.name == SETTINGS:
            return FileState.KEPT
        return FileState.SAME if self.found == self.wanted else FileState.DIFFERS

    @property
    def diff(self) -> str:
        """From how it is to how it should be; ends of lines that are another system's show as ^M."""
        lines = difflib.unified_diff(
            (self.found or "").replace("\r", "^M").splitlines(),
            self.wanted.splitlines(),
            f"{self.name} (here)",
            f"{self.name} (of this ebhook)",
            lineterm="",
        )
        return "\n".join(lines)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self.wanted.encode())
        if self.name in HOOKS:
            self.path.chmod(0o755)


def template(name: str) -> str:
    """The text that the file `name` of a bundle should have."""
    return (files("ebhook.aws") / "templates" / _TEMPLATES[name]).read_text("utf-8")


def bundle_files(folder: Path, *, cloudwatch: bool) -> list[BundleFile]:
    """The files of `folder`'s bundle; with CloudWatch's where it is wanted, or there already."""
    found = []
    for name in _TEMPLATES:
        path = folder / name
        if name == CLOUDWATCH and not cloudwatch and not path.exists():
            continue
        # Bytes first: reading as text would hide other ends of lines.
        text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else None
        found.append(BundleFile(name, path, template(name), text))
    return found


def warnings(folder: Path) -> list[str]:
    """What would keep the files from working on an instance. Each names a file and the remedy."""
    return [
        *_of_hooks(folder),
        *_of_leaving_out(folder),
        *_of_requirements(folder),
        *_of_other_upgrades(folder),
    ]


def _of_hooks(folder: Path) -> Iterator[str]:
    staged = _git(folder, "ls-files", "--stage", "--", ".platform")
    modes = {line.partition("\t")[2]: line[:6] for line in staged}
    for name in _platform_hooks(folder):
        path = folder / name
        if not path.stat().st_mode & 0o100:
            yield f"{name}: is not executable (older platforms need it): chmod +x {name}"
        elif modes.get(name) == "100644":
            yield f"{name}: git has it as not executable: git update-index --chmod=+x {name}"
        if b"\r\n" in path.read_bytes():
            yield f"{name}: has CRLF ends of lines (older platforms fail): dos2unix {name}"
    for line in _git(folder, "check-attr", "eol", "--", *HOOKS, EXTENSION):
        name, _, value = line.rsplit(": ", 2)
        if value == "crlf":
            yield f"{name}: .gitattributes gives it CRLF: add the line '{name} eol=lf'"


def _platform_hooks(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for kind in ("hooks", "confighooks")
        for path in (folder / ".platform" / kind).glob("*/*")
        if path.is_file()
    )


def _of_leaving_out(folder: Path) -> Iterator[str]:
    """`eb deploy` takes what git has committed; with an .ebignore, the folder less what that says."""
    wanted = [name for name in _TEMPLATES if (folder / name).is_file()]
    if (folder / ".ebignore").is_file():
        if shutil.which("git") is None:
            yield ".ebignore: could not be read as git reads it; see that it leaves no dot folder out"
        for name in _left_out(folder, wanted):
            yield f".ebignore leaves {name} out of the bundle: add the line '!/{_top(name)}'"
    else:
        for name in _git(folder, "check-ignore", "--", *wanted):
            yield f".gitignore leaves {name} out of the bundle: add the line '!/{_top(name)}'"


def _top(name: str) -> str:
    return f"{name.split('/')[0]}/" if "/" in name else name


def _left_out(folder: Path, names: Iterable[str]) -> list[str]:
    """What an .ebignore leaves out. It is read as git reads .gitignore, and so by git."""
    with tempfile.TemporaryDirectory() as empty:
        _git(folder, "init", "--quiet", "--bare", empty)
        return _git(
            folder,
            f"--git-dir={empty}",
            f"--work-tree={folder}",
            *("ls-files", "--others", "--ignored", "--exclude-from=.ebignore", "--"),
            *names,
        )


def _of_requirements(folder: Path) -> Iterator[str]:
    for name in ("requirements.txt", "Pipfile"):
        path = folder / name
        if path.is_file():
            if not re.search(r"^\W*ebhook\b", path.read_text("utf-8", "replace"), re.M | re.I):
                yield f"{name}: has no ebhook, and the hook finds none: add it"
            return


def _of_other_upgrades(folder: Path) -> Iterator[str]:
    ours = {*_TEMPLATES}
    extensions = (str(p.relative_to(folder)) for p in (folder / ".ebextensions").glob("*.config"))
    for name in [*_platform_hooks(folder), *sorted(extensions)]:
        if name not in ours and _UPGRADE.search((folder / name).read_bytes()):
            yield f"{name}: upgrades databases, too, and without a lock: take that out of it"


def _git(folder: Path, *arguments: str) -> list[str]:
    """The lines that git prints; none where there is no git, or no repository."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
