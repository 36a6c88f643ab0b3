"""Which revisions run on one tenant, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alembic.runtime.migration import MigrationStep

from ebhook.errors import ChainBroken
from ebhook.next_command import ebhook, then
from ebhook.upgrade.project import Project


@dataclass(frozen=True)
class RevisionPlan:
    """The way from where a tenant stands to `target`; None is the base.

    `only` is one revision that runs alone, wherever the tenant stands: Alembic's own plan for going
    back from a branch would take the other branch along.
    """

    target: str | None
    downgrade: bool = False
    only: str | None = None

    @property
    def kind(self) -> str:
        """The journal's word for the direction."""
        return "downgrade" if self.downgrade else "upgrade"

    def steps(self, project: Project, heads: Any) -> Sequence[Any]:
        """Alembic's steps for a tenant whose version table holds `heads`. Raises `ChainBroken`."""
        script = project.script
        try:
            if self.only is not None:
                make = (
                    MigrationStep.downgrade_from_script
                    if self.downgrade
                    else MigrationStep.upgrade_from_script
                )
                return [make(script.revision_map, script.get_revision(self.only))]
            if self.downgrade:
                return list(script._downgrade_revs(self.target or "base", heads))
            return list(script._upgrade_revs(self.target or "base", heads))
        except AttributeError:
            self._refuse_without_function(project)
            raise

    def _refuse_without_function(self, project: Project) -> None:
        """Alembic reads ``upgrade`` or ``downgrade`` of each file as it makes the plan."""
        for revision in project.chain.revisions.values():
            found: Any = project.script.get_revision(revision.id)
            if not hasattr(found.module, self.kind):
                raise ChainBroken(
                    f"{revision.path} has no {self.kind}().",
                    "No revision was run.",
                    then("Write one (pass, when it has nothing to do), then: ", ebhook("lint")),
                )
