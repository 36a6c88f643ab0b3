"""Alembic's view of the version files, made from the chain: a file is imported when its code is asked for.

Alembic imports all of them after env.py has begun, in each process anew. Here a process imports what it
runs, and env.py has run before: what it puts on the path, or into the environment, is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import load_python_file

from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision


class LazyScript(Script):
    """One version file, of which Alembic knows the id and what comes before it."""

    def __init__(self, revision: Revision) -> None:
        parents: Any = revision.parents
        named: Any = SimpleNamespace(
            down_revision=parents[0] if len(parents) == 1 else parents or None,
            branch_labels=revision.labels or None,
            depends_on=revision.dependencies or None,
        )
        self._module: ModuleType | None = None
        super().__init__(named, revision.id, str(revision.path))

    @property
    def module(self) -> ModuleType:
        """The file, imported. Raises whatever the file does."""
        if self._module is None:
            path = Path(self.path)
            self._module = load_python_file(str(path.parent), path.name)
        return self._module

    @module.setter
    def module(self, named: object) -> None:
        """Alembic's own constructor gives one; here it is read from the file."""


def show_chain(script: ScriptDirectory, chain: Chain) -> None:
    """From now on `script` has the revisions of `chain`, which was read without importing them."""
    found = RevisionMap(lambda: [LazyScript(one) for one in chain.revisions.values()])
    order_dependencies(found._revision_map.values())
    vars(script)["revision_map"] = found


def import_all(script: ScriptDirectory) -> None:
    """Imports every version file. Raises whatever a file does."""
    for one in script.walk_revisions():
        _ = one.module


def order_dependencies(revisions: Iterable[Any]) -> None:
    """Alembic keeps what a revision depends on in a set: its plan would differ from process to process,
    and a half-applied revision has to be the next one in each."""
    for revision in revisions:
        if revision is not None and revision.dependencies:
            named = list(revision._resolved_dependencies)
            revision._normalized_resolved_dependencies = tuple(
                sorted(revision._normalized_resolved_dependencies, key=named.index)
            )
