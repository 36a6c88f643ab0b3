"""What a person reads in the end: tables, each problem once, sums, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ebhook.errors import EbhookError, one_line
from ebhook.events import Outcome
from ebhook.fleet.standing import Standing, State, Unfinished
from ebhook.lock.row import LockRow
from ebhook.next_command import Next, ebhook, then
from ebhook.report.lines import WORDS, count
from ebhook.report.next_commands import NextCommands
from ebhook.report.screen import columns, laid_out, said_seconds
from ebhook.results import Result

# Where a tenant with one of these stands may never have been read.
_UNREAD = (Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.UNKNOWN)

# More tenants than this, all alike and none of them begun, are one line of a table.
ALIKE = 10


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the last one is as long as it wants to be, up to a terminal's edge. Piped, a
    line is one line, whatever is in it."""
    shown = [headings, *([one_line(cell) for cell in line] for line in lines)]
    return "\n".join(laid_out(shown, columns()))


def some(names: Sequence[str], most: int = 3) -> str:
    """``acme, willow, zenith and 5 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# A rollout


def rollout_text(
    head: str | None,
    results: Sequence[Result],
    seconds: float,
    commands: NextCommands,
    *,
    target: str | None = None,
) -> str:
    """The report of a rollout: what is not simply at head, then one line of sums.

    Args:
        target: where the tenants were to go; None: to `head`.
    """
    told = [result for result in results if result.outcome is not Outcome.AT_HEAD]
    told.sort(key=lambda result: _BAD_FIRST.index(result.outcome))
    parts = []
    if told:
        headings = ("tenant", "outcome", "before", "after", "seconds")
        parts.append(table(headings, list(_rollout_lines(told))))
    parts.extend(_problems(((r.tenant, r.error) for r in results), commands))
    words = WORDS if target in (None, head) else {**WORDS, Outcome.AT_HEAD: "there already"}
    sums = _sums(words[result.outcome] for result in results)
    where = f"head {head}" if head is not None else "the chain is empty"
    parts.append(f"{count(len(results), 'tenant')}: {sums} ({where}), in {said_seconds(seconds)}")
    return "\n\n".join(parts)


# What a person has to see comes first; among their like, tenants keep their order.
_BAD_FIRST = (
    Outcome.FAILED,
    Outcome.UNKNOWN,
    Outcome.REFUSED,
    Outcome.UNREACHABLE,
    *(o for o in Outcome if o.value in ("frozen", "locked")),
    Outcome.SKIPPED,
    Outcome.UPGRADED,
    Outcome.DOWNGRADED,
    Outcome.AHEAD,
    Outcome.AT_HEAD,
)


def _rollout_lines(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """A line for each; but those that were never begun and ended alike are one."""
    alike: dict[tuple[str, ...], list[str]] = {}
    ends = [_end(result) for result in results]
    for result, end in zip(results, ends, strict=True):
        if result.seconds == 0:
            alike.setdefault(end, []).append(result.tenant)
    for result, end in zip(results, ends, strict=True):
        names = alike.get(end, []) if result.seconds == 0 else []
        if len(names) <= ALIKE:
            yield (result.tenant, *end)
        elif names[0] == result.tenant:
            yield (some(names, 1), *end)


def _end(result: Result) -> tuple[str, ...]:
    nowhere = "?" if result.outcome in _UNREAD else "base"
    return (
        WORDS[result.outcome],
        result.before or nowhere,
        result.after or nowhere,
        f"{result.seconds:.1f}",
    )


# The status


def _urgency(standing: Standing) -> int:
    """What a person has to see first, then what is under way, then what is behind."""
    if standing.error is not None or standing.unfinished is Unfinished.IN_DOUBT:
        return 0
    if standing.unfinished in _HALF:
        return 1
    if standing.lock is not None:
        return 2
    return 3 if standing.state in (State.BEHIND, State.EMPTY) or standing.edited else 4


def under_way_first(standing: Standing) -> int:
    """For whoever watches: what somebody works on, then what is wrong, then the rest."""
    at_work = standing.lock is not None and standing.lock.alive and not standing.lock.frozen
    return -1 if at_work else _urgency(standing)


def chosen(standings: Sequence[Standing], only: Sequence[str]) -> list[Standing]:
    """Those that are one of `only` (``behind``, ``failed``, ``locked``); all when that is empty."""
    found = {
        "behind": lambda s: s.state in (State.BEHIND, State.EMPTY),
        "failed": lambda s: _urgency(s) < 2,
        "locked": lambda s: s.lock is not None,
    }
    return [s for s in standings if not only or any(found[kind](s) for kind in only)]


STATUS = ("tenant", "state", "revision", "behind", "lock", "journal")


def status_text(
    head: str | None,
    standings: Sequence[Standing],
    commands: NextCommands,
    *,
    of: Sequence[Standing] | None = None,
) -> str:
    """A line per tenant, each problem once, what to type next, and one line of sums.

    Args:
        of: all that there are, for the sums; None: `standings`.
    """
    ordered = sorted(standings, key=_urgency)
    parts = [table(STATUS, [status_line(standing) for standing in ordered])] if ordered else []
    problems = ((s.tenant.name, s.error) for s in standings)
    parts.extend(_problems(problems, commands, state=False))
    advice = [commands.text(next) for next in _advice(standings)]
    if advice:
        parts.append("\n".join(advice))
    parts.append(status_sums(head, standings if of is None else of))
    return "\n\n".join(parts)


def status_line(standing: Standing) -> tuple[str, ...]:
    return (
        standing.tenant.name,
        standing.state.value.replace("_", " "),
        standing.revision or "-",
        "-" if standing.behind is None else str(standing.behind),
        lock_text(standing.lock),
        _journal_text(standing),
    )


def status_sums(head: str | None, standings: Sequence[Standing]) -> str:
    """``80 tenants: 78 at head, 2 behind; head: 7f3a``."""
    sums = _sums(standing.state.value.replace("_", " ") for standing in standings)
    told = f"{count(len(standings), 'tenant')}: {sums}"
    return f"{told}; head: {head or 'none, the chain is empty'}"


def _advice(standings: Sequence[Standing]) -> Iterator[Next]:
    """What a person may do about tenants that are not simply at head, a line each; nothing about
    those that somebody works on."""
    idle = [s for s in standings if s.lock is None or s.lock.frozen or not s.lock.alive]

    def names(*wanted: Unfinished | None, states: Sequence[State] = tuple(State)) -> list[str]:
        return [s.tenant.name for s in idle if s.unfinished in wanted and s.state in states]

    if doubtful := names(Unfinished.IN_DOUBT):
        ask = ebhook("resolve", *doubtful)
        yield then(f"{_are(doubtful)} in doubt. Look, and say what happened: ", ask)
    here = [state for state in State if state is not State.AHEAD]
    if halves := names(Unfinished.HALF_APPLIED, Unfinished.HALF_UNDONE, states=here):
        why, go_on = ebhook("history", *halves), ebhook("upgrade", *halves)
        yield then(f"{_are(halves)} half done. Why: ", why, f"; {_GO_ON}: ", go_on)
    if newer := names(*_HALF, states=[State.AHEAD]):
        see = ebhook("history", *newer)
        yield then(f"{_are(newer)} half done by a newer bundle, which goes on with it: ", see)
    if behind := names(None, states=(State.BEHIND, State.EMPTY)):
        yield then(f"{_are(behind)} behind; {_GO_ON}: ", ebhook("upgrade", *behind))
    locked = {s.tenant.name: s.lock for s in idle if s.lock is not None}
    if frozen := [name for name, lock in locked.items() if lock.frozen]:
        see = ebhook("lock list", *frozen)
        yield then(f"{some(frozen)}: frozen by hand; lock clear ends that. See: ", see)
    if gone := [name for name, lock in locked.items() if not lock.frozen]:
        see = ebhook("lock list", *gone)
        yield then(
            f"{some(gone)}: the lock's holder is gone. The next upgrade takes it over: ", see
        )
    if edited := [s.tenant.name for s in idle if s.edited]:
        see = ebhook("lint", words=["--applied"])
        yield then(f"{some(edited)}: files changed after they were applied; see: ", see)


# What a harmless command prints is the dry run.
_GO_ON = "what would run, and runs without --dry-run"
_HALF = (Unfinished.HALF_APPLIED, Unfinished.HALF_UNDONE)


def _are(names: Sequence[str]) -> str:
    return f"{some(names)} {'is' if len(names) == 1 else 'are'}"


# Problems


Problem = tuple[str, EbhookError | None]


def problems_text(problems: Iterable[Problem], commands: NextCommands) -> str:
    """Each problem in its three parts, once, with the tenants that have it."""
    return "\n\n".join(_problems(problems, commands))


def _problems(
    problems: Iterable[Problem], commands: NextCommands, *, state: bool = True
) -> Iterator[str]:
    """Each problem once, with the tenants that have it: a server that is away is one problem."""
    groups: dict[tuple[str, str, Next], list[str]] = {}
    for name, error in problems:
        if error is not None:
            what = error.what.removeprefix(f"{name}: ").replace(repr(name), "{name}")
            key = (what, error.state if state else "", error.next.for_any(name))
            groups.setdefault(key, []).append(name)
    for (what, now, next), names in groups.items():
        told = what.replace("{name}", repr(names[0]) if len(names) == 1 else "…")
        parts = (f"{some(names)}: {told}", now, commands.text(next.for_all(names)))
        yield "\n  ".join(part for part in parts if part)


# Pieces


def _sums(words: Iterable[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in Counter(words).items())


def _journal_text(standing: Standing) -> str:
    """What the journal has to say: half applied, ahead by, edited since."""
    told = []
    if standing.half is not None:
        state = standing.unfinished
        assert state is not None
        statements = count(standing.half.position, "statement")
        told.append(f"{standing.half.revision} {state.words}, {statements} in")
    if standing.ahead:
        told.append(f"ahead by {standing.ahead}")
    if standing.edited:
        told.append(f"edited after applied: {', '.join(standing.edited)}")
    return "; ".join(told) or "-"


def lock_text(lock: LockRow | None) -> str:
    """``i-0abc:412 (v512) since 10:31:07`` and whether its holder still lives."""
    if lock is None:
        return "-"
    since = f" since {lock.since:%Y-%m-%d %H:%M:%S} UTC" if lock.since is not None else ""
    state = ", frozen" if lock.frozen else "" if lock.alive else ", its session is gone"
    return f"{lock}{since}{state}"
