"""Which revisions a git branch adds, and which older ones it edits."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ebhook.errors import UsageFailed
from ebhook.lint.subject import VersionFile
from ebhook.next_command import ebhook, then

_REVISION = re.compile(r"""^revision(?:\s*:[^=]+)?\s*=\s*\(?["']([^"']+)["']""", re.M)


@dataclass(frozen=True)
class Branch:
    """`added`: files of revisions that are not in `ref`. `edited`: files that were there otherwise."""

    ref: str
    added: frozenset[Path]
    edited: frozenset[Path]


def branch_since(ref: str, files: Iterable[VersionFile], folders: Iterable[Path]) -> Branch:
    """Compares the working tree with `ref`, and with where the branch left it.

    A revision counts as added when neither has its id: merging `ref` into the branch, renaming a
    file and rewriting commits change nothing about that. Raises `UsageFailed`.
    """
    places = [place.resolve() for place in folders if place.is_dir()]
    listed = list(files)
    if not places:
        return Branch(ref, frozenset(file.path for file in listed), frozenset())
    git = _Git(places[0])
    if not git.succeeds("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"):
        raise UsageFailed(
            f"git knows no commit {ref!r} here.",
            next="Fetch it first (in CI: with the history, fetch-depth: 0): git fetch origin",
        )
    bases = git.lines("merge-base", "--all", ref, "HEAD", may_fail=True)
    known: set[str] = set()
    for tree in (ref, *bases):
        known |= git.revisions(tree, places)
    added = frozenset(file.path for file in listed if file.id not in known)
    changed: set[Path] = set()
    for base in bases[:1] or [ref]:
        changed |= git.changed(base, places)
    edited = frozenset(
        file.path for file in listed if file.path not in added and file.path.resolve() in changed
    )
    return Branch(ref, added, edited)


class _Git:
    def __init__(self, place: Path) -> None:
        self._place = place
        top = self._run("rev-parse", "--show-toplevel")
        if top is None:
            raise UsageFailed(
                f"{place} is in no git repository.",
                next=then(
                    "--since needs one; without it, all revisions are judged: ", ebhook("lint")
                ),
            )
        self._top = Path(top.rstrip("\n"))

    def succeeds(self, *words: str) -> bool:
        return self._run(*words) is not None

    def lines(self, *words: str, may_fail: bool = False) -> list[str]:
        told = self._run(*words)
        if told is None and not may_fail:
            raise UsageFailed(f"git {' '.join(words)} failed.", next="Run it by hand to see why.")
        return (told or "").splitlines()

    def revisions(self, tree: str, places: list[Path]) -> set[str]:
        """The revision ids in the version files of a commit."""
        told = self._run("grep", "-h", "-E", "^revision\\b", tree, "--", *self._pathspecs(places))
        return set(_REVISION.findall(told or ""))

    def changed(self, tree: str, places: list[Path]) -> set[Path]:
        """The files that a commit has and the working tree has otherwise."""
        told = self._run(
            "diff", "--name-only", "-z", "--diff-filter=M", tree, "--", *self._pathspecs(places)
        )
        return {self._top / name for name in (told or "").split("\0") if name}

    def _pathspecs(self, places: list[Path]) -> list[str]:
        return [f":(top,literal){os.path.relpath(one, self._top)}" for one in places]

    def _run(self, *words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(self._place), *words],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError:
            raise UsageFailed(
                "git is not installed, or not on the PATH.",
                next=then(
                    "--since needs it; without it, all revisions are judged: ", ebhook("lint")
                ),
            ) from None
        return done.stdout if done.returncode == 0 else None
