"""The graph of revisions: heads, lineage, order. Pure: the files are read by `ebhook.chain.folder`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ebhook.chain.revision import Revision
from ebhook.errors import ChainBroken, UsageFailed
from ebhook.next_command import ebhook, then


@dataclass(frozen=True)
class Chain:
    """All revisions by id, in Alembic's order of an upgrade from the base, with exactly one head (or
    none at all)."""

    revisions: Mapping[str, Revision]
    # By where a database stands: a fleet's stand in few places, and each is asked about often.
    _lineages: dict[tuple[str, ...], frozenset[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    _missing: dict[tuple[tuple[str, ...], str | None], tuple[Revision, ...]] = field(
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
            known = [one for one in place if one in self.revisions]
            found = _closure(known, lambda id: self.revisions[id].requires)
            self._lineages[place] = frozenset(found)
        return self._lineages[place]

    def missing(self, ids: Iterable[str], target: str | None) -> tuple[Revision, ...]:
        """What a database at `ids` still needs to be at `target`, in Alembic's order of applying it."""
        place = tuple(ids), target
        if place not in self._missing:
            wanted = self.lineage([target] if target else []) - self.lineage(place[0])
            order: Iterable[str] = self.revisions
            if target is not None and wanted and not self._is_line:
                order = reversed(walk_down(self.revisions, [target], wanted))
            self._missing[place] = tuple(self.revisions[id] for id in order if id in wanted)
        return self._missing[place]

    def undone(self, ids: Iterable[str], target: str | None) -> tuple[Revision, ...]:
        """What Alembic takes back to bring a database at `ids` to `target` (None: the base), in order.

        At a merge that is what comes from `target`, and not the other branch.
        """
        here = tuple(ids)
        lost: frozenset[str] | set[str] = self.lineage(here)
        if target is not None:
            roots = [id for id, one in self.revisions.items() if target in one.parents]
            lost = lost & _closure(roots, lambda id: self._dependents[id])
        return tuple(self.revisions[id] for id in walk_down(self.revisions, here, lost))

    def standing_after(self, ids: Iterable[str], target: str | None) -> tuple[str, ...]:
        """Where a database at `ids` stands after a downgrade to `target` (None: the base)."""
        here = tuple(ids)
        undone = {revision.id for revision in self.undone(here, target)}
        left = {id: self.revisions[id] for id in self.lineage(here) if id not in undone}
        return tuple(sorted(heads_of(left)))

    def check_downgrade(self, ids: Iterable[str], target: str | None, tenant: str) -> None:
        """Raises `UsageFailed` where a downgrade to `target` would end at several revisions: behind a
        merge, one of its branches would stay. Names the revision to go to instead."""
        here = tuple(ids)
        after = self.standing_after(here, target)
        if len(after) < 2:
            return
        line = [
            id for id in reversed(list(self.revisions)) if target and id in self.lineage([target])
        ]
        before = next((id for id in line if self.standing_after(here, id) == (id,)), "base")
        raise UsageFailed(
            f"{tenant}: going back to {target} would leave the database at {len(after)} revisions: "
            f"{', '.join(after)}. A merge lies between, and only one of its branches would be undone.",
            next=then(
                "Go to where the branches part: ", ebhook("downgrade", tenant, words=[before])
            ),
        )

    @cached_property
    def _dependents(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {id: [] for id in self.revisions}
        for id, revision in self.revisions.items():
            for parent in revision.requires:
                found[parent].append(id)
        return found

    @cached_property
    def _is_line(self) -> bool:
        return all(len(revision.requires) < 2 for revision in self.revisions.values())

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
        raise UsageFailed(what, next=then("See which there are: ", ebhook("history")))

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
                    next=then("Name the revision to go to: ", ebhook("history")),
                )
            at = self.revisions[at[0]].parents
        if len(at) > 1:
            raise UsageFailed(
                f"Before {', '.join(ids)} there is more than one revision: {', '.join(at)}.",
                next=then("Name the revision to go to: ", ebhook("history")),
            )
        return at[0] if at else None


def heads_of(revisions: Mapping[str, Revision]) -> tuple[str, ...]:
    """The revisions that are nobody's parent."""
    parents = {parent for revision in revisions.values() for parent in revision.parents}
    return tuple(id for id in revisions if id not in parents)


def in_order(revisions: Mapping[str, Revision]) -> dict[str, Revision]:
    """The revisions in the order in which Alembic upgrades an empty database to their head; where there
    are several heads, parents before children.

    What depends_on names is resolved to revision ids.

    Raises:
        ChainBroken: a parent or a dependency is missing, or they go in a circle.
    """
    known = resolved(revisions)
    order = _parents_first(known)
    heads = heads_of(known)
    if len(heads) == 1 and any(len(revision.requires) > 1 for revision in known.values()):
        order = walk_down(known, heads, known)[::-1]
    return {id: known[id] for id in order}


def resolved(revisions: Mapping[str, Revision]) -> dict[str, Revision]:
    """The revisions, each with the ids of what it depends on in place of branch labels, and without
    what an ancestor depends on already, as Alembic has them. Raises `ChainBroken`."""
    for revision in revisions.values():
        for parent in revision.parents:
            if parent not in revisions:
                raise ChainBroken(
                    f"{revision.path}: its down_revision {parent!r} is in no file.",
                    "No database was touched.",
                    then(
                        "Was a file left out of the commit? Add it, or mend down_revision, then: ",
                        ebhook("history"),
                    ),
                )
    if not any(revision.dependencies for revision in revisions.values()):
        return dict(revisions)
    labelled = {label: one.id for one in revisions.values() for label in one.labels}
    named: dict[str, tuple[str, ...]] = {}
    for revision in revisions.values():
        for name in revision.dependencies:
            if name not in revisions and name not in labelled:
                raise ChainBroken(
                    f"{revision.path}: its depends_on {name!r} is in no file.",
                    "No database was touched.",
                    then(
                        "Was a file left out of the commit? Add it, or mend depends_on, then: ",
                        ebhook("history"),
                    ),
                )
        named[revision.id] = tuple(
            dict.fromkeys(labelled.get(name, name) for name in revision.dependencies)
        )
    found = {}
    for revision in revisions.values():
        needs = named[revision.id]
        if needs:
            above = _closure(revision.parents, lambda id: revisions[id].parents)
            settled = {need for id in above for need in named[id]}
            needs = tuple(need for need in needs if need not in settled)
        found[revision.id] = replace(revision, dependencies=needs)
    return found


def walk_down(
    revisions: Mapping[str, Revision], heads: Collection[str], wanted: Collection[str]
) -> list[str]:
    """The `wanted` revisions from `heads` down to their roots, in Alembic's order.

    Alembic stays on one branch as long as it can: a revision waits while another branch that is
    still to be walked comes from it. A merge is left by its first parent.
    """
    above = _ancestry(revisions)
    todo = set(wanted)
    tips = [id for id in revisions if id in heads and id in todo]
    order: list[str] = []
    at = 0
    while tips:
        tip = tips[at]
        number = above.number[tip]
        waits_for = next(
            (i for i, other in enumerate(tips) if i != at and above.mask[other] >> number & 1), None
        )
        if waits_for is not None:
            at = waits_for
            continue
        if tip in todo:
            order.append(tip)
            todo.remove(tip)
        following = [id for id in revisions[tip].requires if id in todo and id not in tips]
        if following:
            tips[at] = following[0]
            tips.extend(following[1:])
        else:
            del tips[at]
            at = max(at - 1, 0)
    return order


@dataclass(frozen=True)
class _Ancestry:
    """Bit `number[b]` of `mask[a]` says whether a has b, itself included."""

    number: Mapping[str, int]
    mask: Mapping[str, int]


def _ancestry(revisions: Mapping[str, Revision]) -> _Ancestry:
    number = {id: place for place, id in enumerate(revisions)}
    mask: dict[str, int] = {}
    for id in _parents_first(revisions):
        mask[id] = 1 << number[id]
        for parent in revisions[id].requires:
            mask[id] |= mask[parent]
    return _Ancestry(number, mask)


def _closure(ids: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    """`ids`, and whatever can be reached from them."""
    seen: set[str] = set()
    todo = list(ids)
    while todo:
        id = todo.pop()
        if id not in seen:
            seen.add(id)
            todo.extend(following(id))
    return seen


def _parents_first(revisions: Mapping[str, Revision]) -> list[str]:
    """Every revision after what it requires, siblings by id. Raises `ChainBroken` for a circle."""
    children: dict[str, list[str]] = {id: [] for id in revisions}
    waiting = {id: len(revision.requires) for id, revision in revisions.items()}
    for id, revision in revisions.items():
        for parent in revision.requires:
            children[parent].append(id)
    ready = deque(sorted(id for id, count in waiting.items() if count == 0))
    ordered: list[str] = []
    while ready:
        id = ready.popleft()
        ordered.append(id)
        for child in sorted(children[id]):
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    if len(ordered) < len(revisions):
        stuck = sorted(set(revisions) - set(ordered))
        raise ChainBroken(
            f"The chain goes in a circle: {', '.join(stuck)}.",
            "No database was touched.",
            then("Mend a down_revision or depends_on among them, then: ", ebhook("history")),
        )
    return ordered
