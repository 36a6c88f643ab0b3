"""Which revisions the last gate is asked about, and what is said when it does not let them pass."""

from __future__ import annotations

from collections.abc import Sequence

from ebhook.chain.graph import Chain
from ebhook.errors import ChainBroken
from ebhook.fleet.standing import Standing, State
from ebhook.lint.gate import Gate, GateVerdict
from ebhook.next_command import ebhook, then
from ebhook.settings import Settings


def pending(standings: Sequence[Standing], chain: Chain, target: str | None) -> tuple[str, ...]:
    """The revisions that tenants lack, in order. An empty tenant has nothing that could break."""
    wanted: set[str] = set()
    for standing in standings:
        half, stands = standing.half, standing.revisions
        if half is not None and half.kind == "downgrade":
            stands = half.parents
        if stands and standing.error is None and standing.state in (State.AT_HEAD, State.BEHIND):
            wanted.update(one.id for one in chain.missing(stands, target))
    return tuple(id for id in chain.revisions if id in wanted)


def gate_for(
    settings: Settings, chain: Chain, standings: Sequence[Standing], target: str | None
) -> Gate | None:
    """The gate to ask; None when there is nothing to ask, or ``boot.rules`` is off."""
    if settings.boot.rules == "off":
        return None
    ids = pending(standings, chain, target)
    if settings.lint.after is not None:
        ids = tuple(id for id in ids if id not in chain.lineage([settings.lint.after]))
    return Gate(settings, chain, ids) if ids else None


def refusal(verdict: GateVerdict) -> ChainBroken:
    """Why no tenant may be touched, with the next command."""
    if verdict.problem is not None:
        return ChainBroken(
            f"The pending revisions could not be held against the rules: {verdict.problem}.",
            "No tenant was touched.",
            then(
                "See what lint says: ",
                ebhook("lint"),
                "\nTo go on without the rules, for once: EBHOOK_BOOT_RULES=off",
            ),
        )
    ids = tuple(dict.fromkeys(one.revision for one in verdict.findings if one.revision))
    rules = ", ".join(sorted({one.rule for one in verdict.findings}))
    return ChainBroken(
        f"{', '.join(ids)}: rules that protect running code and data are broken ({rules}).",
        "No tenant was touched.",
        then(
            "Correct it as shown, or allow it where it stands, with the reason: # ebhook: allow "
            f"{verdict.findings[0].rule} -- …\nThen look: ",
            ebhook("lint", words=ids),
        ),
    )
