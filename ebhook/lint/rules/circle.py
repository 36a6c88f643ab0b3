"""EBH022: the chain goes in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ebhook.lint.finding import Finding, Rule
from ebhook.lint.subject import VersionFile, WholeChain

RULE = Rule("EBH022", "the chain goes in a circle", breaks_chain=True)


def check_chain(whole: WholeChain) -> Iterator[Finding]:
    left = dict(whole.by_id)
    # Take away whatever has no parent left, then whatever is nobody's parent: circles stay.
    while gone := [id for id, file in left.items() if not any(one in left for one in file.parents)]:
        for id in gone:
            del left[id]
    while gone := [id for id in left if not any(id in file.parents for file in left.values())]:
        for id in gone:
            del left[id]
    if not left:
        return
    file = next((one for one in left.values() if one.path in whole.judged), None)
    file = file or next(iter(left.values()))
    yield file.finding(
        RULE,
        file.place("down_revision"),
        f"These revisions are each other's parents: {' → '.join(_round(left, file.id))}. There is no "
        "first one, so no instance of this bundle boots. One of the down_revision is wrong; most "
        "often it is the one that was edited last.",
        example='down_revision = "…"  # the head of the chain before this revision was written',
    )


def _round(files: Mapping[str, VersionFile], start: str | None) -> list[str]:
    found = [start or ""]
    while True:
        following = next(one for one in files[found[-1]].parents if one in files)
        found.append(following)
        if following in found[:-1]:
            return found[found.index(following) :]
