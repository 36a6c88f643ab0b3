"""The graph of revisions: heads, lineage, order. Pure: the files are read by `ebhook.chain.folder`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken, UsageFailed


@dataclass(frozen=True)
class Chain:
    """All revisions by id, parents before children, with exactly one head (or none at all)."""

    revisions: Mapping[str, Revision]
    # By where a database stands: a fleet's stand in few places, and each is asked about often.
    _lineages: dict[tuple[str, ...], frozenset[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def head(self) -> str | None:
        """The revision that is nobody's parent; None when there are no revisions."""
        return next(iter(heads_of(self.revisions)), None)

    def lineage(self, ids: Iterable[str]) -> frozenset[str]:
        """The revisions that a database standing at `ids` has, `ids` included."""
        place = tuple(ids)
        if place not in self._lineages:
            seen: set[str] = set()
            todo = [one for one in place if one in self.revisions]
            while todo:
                one = todo.pop()
                if one not in seen:
                    seen.add(one)
                    todo.extend(self.revisions[one].parents)
            self._lineages[place] = frozenset(seen)
        return self._lineages[place]

    def missing(self, ids: Iterable[str], target: str | None) -> tuple[Revision, ...]:
        """What a database at `ids` still needs to be at `target`, in the order to apply it."""
        wanted = self.lineage([target] if target else []) - self.lineage(ids)
        return tuple(revision for id, revision in self.revisions.items() if id in wanted)

    def reaches(self, ids: Collection[str], target: str | None) -> bool:
        """Does a database at `ids` have all that `target` needs, `target` included?"""
        return target is None or target in ids or target in self.lineage(ids)

    def knows(self, ids: Iterable[str]) -> bool:
        return all(one in self.revisions for one in ids)

    def first_of_branch(self, id: str) -> str:
        """The first revision, going back from `id`, that only heads after `id` build on."""
        rest = [head for head in heads_of(self.revisions) if id not in self.lineage([head])]
        shared = self.lineage(rest)
        at = self.revisions[id]
        while len(at.parents) == 1 and at.parents[0] not in shared:
            at = self.revisions[at.parents[0]]
        return at.id

    def find(self, text: str) -> Revision:
        """The revision that `text` means: ``head``, an id, or the unambiguous start of one."""
        if text in ("head", "heads") and self.head:
            return self.revisions[self.head]
        if text in self.revisions:
            return self.revisions[text]
        matches = [id for id in self.revisions if len(text) > 2 and id.startswith(text)]
        if len(matches) == 1:
            return self.revisions[matches[0]]
        what = f"{text!r} is the start of several revisions: {', '.join(matches)}."
        if not matches:
            what = f"The chain has no revision {text!r}."
        raise UsageFailed(what, next="See which there are: ebhook history")

    def back(self, ids: tuple[str, ...], steps: int) -> str | None:
        """The revision `steps` before `ids` (None: the base). Raises `UsageFailed` at a merge."""
        at: tuple[str, ...] = ids
        for _ in range(steps):
            if not at:
                raise UsageFailed(
                    f"Going {steps} back from {', '.join(ids) or 'base'} is more than there is.",
                    next="To undo everything, say: base",
                )
            if len(at) != 1:
                raise UsageFailed(
                    f"Going {steps} back from {', '.join(ids) or 'base'} is not one revision.",
                    next="Name the revision to go to: ebhook history",
                )
            at = self.revisions[at[0]].parents
        if len(at) > 1:
            raise UsageFailed(
                f"Before {', '.join(ids)} there is more than one revision: {', '.join(at)}.",
                next="Name the revision to go to: ebhook history",
            )
        return at[0] if at else None


def heads_of(revisions: Mapping[str, Revision]) -> tuple[str, ...]:
    """The revisions that are nobody's parent."""
    parents = {parent for revision in revisions.values() for parent in revision.parents}
    return tuple(id for id in revisions if id not in parents)


def in_order(revisions: dict[str, Revision]) -> dict[str, Revision]:
    """Parents before children, siblings by id; raises on a missing parent or a cycle."""
    for revision in revisions.values():
        for parent in revision.parents:
            if parent not in revisions:
                raise ChainBroken(
                    f"{revision.path}: its down_revision {parent!r} is in no file.",
                    "No database was touched.",
                    "Was a file left out of the commit? Add it, or mend down_revision, "
                    "then: ebhook history",
                )
    children: dict[str, list[str]] = {id: [] for id in revisions}
    waiting = {id: len(set(revision.parents)) for id, revision in revisions.items()}
    for id, revision in revisions.items():
        for parent in set(revision.parents):
            children[parent].append(id)
    ready = sorted(id for id, count in waiting.items() if count == 0)
    ordered: dict[str, Revision] = {}
    while ready:
        id = ready.pop(0)
        ordered[id] = revisions[id]
        for child in sorted(children[id]):
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if len(ordered) < len(revisions):
        stuck = sorted(set(revisions) - set(ordered))
        raise ChainBroken(
            f"The chain goes in a circle: {', '.join(stuck)}.",
            "No database was touched.",
            "Mend a down_revision among them, then: ebhook history",
        )
    return ordered
