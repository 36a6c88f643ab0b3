"""The files that ebhook adds to an application's bundle.

The files are in ``ebhook/aws/templates``; nowhere else is there another version of them.
"""

from __future__ import annotations

import difflib
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

TEMPLATES = {
    **dict.fromkeys(HOOKS, "hook.sh"),
    EXTENSION: "ebhook.config",
    CLOUDWATCH: "cloudwatch.config",
    SETTINGS: "ebhook.toml",
}


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
    return (files("ebhook.aws") / "templates" / TEMPLATES[name]).read_text("utf-8")


def bundle_files(folder: Path, *, cloudwatch: bool) -> list[BundleFile]:
    """The files of `folder`'s bundle; with CloudWatch's where it is wanted, or there already."""
    found = []
    for name in TEMPLATES:
        path = folder / name
        if name == CLOUDWATCH and not cloudwatch and not path.exists():
            continue
        # Bytes first: reading as text would hide other ends of lines.
        text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else None
        found.append(BundleFile(name, path, template(name), text))
    return found
