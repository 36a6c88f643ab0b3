"""``rehearse``: the pending revisions, run on copies without rows of each different schema."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ebhook.chain.graph import Chain
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.drift.fleet import Difference
from ebhook.drift.found import compared_with_fleet
from ebhook.drift.reader import SchemaReading, read_schemas
from ebhook.errors import EbhookError, Exit, Skipped, worst
from ebhook.fleet.discovery import select
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.next_command import Again, then
from ebhook.plan.algorithms import ServerKind
from ebhook.rehearsal.expected import ScratchFleet
from ebhook.rehearsal.rehearse import ShapeRehearsal, take_along
from ebhook.rehearsal.rehearse import rehearse as run_shape
from ebhook.rehearsal.rows import RowFinding, RowRisk, look_at_rows, risks
from ebhook.rehearsal.shapes import shapes_behind
from ebhook.report.documents import error_document, print_json, unread_documents
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.tables import problems_text, some
from ebhook.settings import Settings

SHOWN = 12  # lines of a difference; drift has them all


@dataclass(frozen=True)
class RehearsalRun:
    """How all shapes did. `rows` is what looking at rows found, with `--with-data`."""

    target: str | None
    tenants: int
    results: tuple[ShapeRehearsal, ...]
    differences: Mapping[str, Difference]  # of the tenants that failed
    risks: tuple[RowRisk, ...]
    rows: tuple[RowFinding, ...]
    unseen: Mapping[str, Sequence[str]]  # what the copies lack, as their login is not shown it
    problems: tuple[tuple[str, EbhookError], ...]

    @property
    def exit_code(self) -> Exit:
        failed = any(one.error is not None for one in self.results)
        bad = any(one.bad for one in self.rows)
        codes = [Exit.FINDINGS] if failed or bad else []
        return worst([*codes, *(error.exit_code for _, error in self.problems)])


def rehearse(options: Options, *, names: Sequence[str], to: str | None, with_data: bool) -> Exit:
    """0 when every shape passes, 1 when one does not, worse when a tenant cannot be read.

    Args:
        with_data: also look, in the tenants, for rows that would make a statement fail.
    """
    began = time.monotonic()
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, ())
        chosen = {tenant.name for tenant in select(tenants, names)}
        target = chain.find(to).id if to is not None else chain.head
        standings = survey(tenants, chain, settings)
        readings = read_schemas([s.tenant for s in standings if s.is_read], settings)
        wanted = [s for s in standings if s.tenant.name in chosen]
        results: list[ShapeRehearsal] = []
        problems = [(s.tenant.name, s.error) for s in wanted if s.error is not None]
        with ScratchFleet(settings, chain, report.say) as scratch:
            for shape in shapes_behind(wanted, readings, chain, target):
                try:
                    taken = take_along(
                        shape.tenants[0], settings, half=shape.standing.half is not None
                    )
                    bench = scratch.bench(ServerKind.of(taken.server).flavour)
                except EbhookError as error:
                    problems += [(name, error) for name in shape.names]
                    continue
                report.say(f"rehearsing {some(shape.names)} on {bench.flavour} {bench.version}")
                results.append(run_shape(shape, taken, bench, scratch.project(bench), target))
        moved = _moved(results, settings, chain)
        problems += [problem for one in results for problem in moved.get(one.shape.names[0], ())]
        results = [one for one in results if one.shape.names[0] not in moved]
        found = _run(
            settings, standings, readings, results, problems, target, len(chosen), with_data
        )
        document = report.hidden(_document(found, options.commands))
        report.log({"event": "Rehearsal", **document})
    if options.json:
        print_json(document)
    else:
        report.print("\n\n".join(_parts(found, time.monotonic() - began, options.commands)))
    return found.exit_code


def _moved(
    results: Sequence[ShapeRehearsal], settings: Settings, chain: Chain
) -> dict[str, list[tuple[str, EbhookError]]]:
    """The copied tenants of failed rehearsals that a boot has moved since they were surveyed: the copy
    was not of where they stood. First name of the shape → the problem of each of its tenants."""
    failed = [one.shape for one in results if one.error is not None]
    found: dict[str, list[tuple[str, EbhookError]]] = {}
    for shape, now in zip(
        failed, survey([shape.tenants[0] for shape in failed], chain, settings), strict=True
    ):
        before = shape.standing
        if (now.revisions, now.half) != (before.revisions, before.half):
            found[shape.names[0]] = [
                (
                    name,
                    Skipped(
                        f"{name}: somebody has moved it while it was rehearsed.",
                        "Nothing was changed by this.",
                        then("Rehearse once more: ", Again()),
                    ),
                )
                for name in shape.names
            ]
    return found


def _run(
    settings: Settings,
    standings: Sequence[Standing],
    readings: Mapping[str, SchemaReading],
    results: Sequence[ShapeRehearsal],
    problems: Sequence[tuple[str, EbhookError]],
    target: str | None,
    tenants: int,
    with_data: bool,
) -> RehearsalRun:
    failed = {name for one in results if one.error is not None for name in one.shape.names}
    read = [s for s in standings if s.tenant.name in readings]
    drift = compared_with_fleet(read, readings, settings, failed) if failed else None
    differences = {
        name: one for one in (drift.differences if drift else ()) for name in one.tenants
    }
    passed = [one for one in results if one.error is None]
    found = {
        (risk.revision, risk.sql, risk.why): risk
        for one in passed
        for risk in risks(one.statements)
    }
    rows = [
        finding
        for one in passed
        for tenant in (one.shape.tenants if with_data else ())
        for finding in look_at_rows(tenant, risks(one.statements), settings)
    ]
    unseen: dict[str, list[str]] = {}
    for one in results:
        for kind in readings[one.shape.names[0]].unseen:
            unseen.setdefault(kind, []).extend(one.shape.names)
    return RehearsalRun(
        target,
        tenants,
        tuple(results),
        differences,
        tuple(found.values()),
        tuple(rows),
        unseen,
        tuple(problems),
    )


# For people


def _parts(run: RehearsalRun, seconds: float, commands: NextCommands) -> Iterator[str]:
    for one in run.results:
        yield "\n".join(_result(one, run))
    if run.rows:
        yield "\n".join(_rows(run))
    elif run.risks:
        yield "\n".join(_unseen(run))
    for kind, names in sorted(run.unseen.items()):
        yield (
            f"the copies of {some(names)} have no {kind}: the login is not shown them "
            "(docs/privileges.md)"
        )
    problems = problems_text(run.problems, commands)
    if problems:
        yield problems
    if not run.results and not run.problems:
        yield f"{count(run.tenants, 'tenant')}: nothing to rehearse, none is behind"
        return
    passed = sum(len(one.shape.names) for one in run.results if one.error is None)
    failed = sum(len(one.shape.names) for one in run.results if one.error is not None)
    shapes = count(len(run.results), "different schema")
    fail = f", {failed} would fail" if failed else ""
    yield f"{shapes}: {count(passed, 'tenant')} pass{fail}, in {seconds:.1f} s. No tenant was changed."


def _result(one: ShapeRehearsal, run: RehearsalRun) -> Iterator[str]:
    names = some(one.shape.names, 5)
    where = one.server
    if one.tenants_server not in one.server:
        where += f" (the tenants have {one.tenants_server})"
    if one.error is None:
        be = "passes" if len(one.shape.names) == 1 else "pass"
        yield f"{names} {be}: {one.shape.before} → {run.target or 'base'} on {where}"
        return
    what = one.error.what.removeprefix(f"{one.shape.names[0]}: ")
    yield f"{names}: {what}"
    yield f"  Rehearsed from {one.shape.before} on {where}."
    difference = run.differences.get(one.shape.names[0])
    if difference is not None:
        yield f"  Its schema differs from {difference.expected}:"
        yield from (f"    {line}" for line in difference.lines[:SHOWN])


def _unseen(run: RehearsalRun) -> Iterator[str]:
    yield "not seen, since a copy has no rows (--with-data looks where it can):"
    for risk in run.risks:
        yield f"  {risk.revision}: {risk.why}: {_short(risk.sql)}"


def _rows(run: RehearsalRun) -> Iterator[str]:
    for one in run.rows:
        what = f"has {one.risk.why}" if one.bad else f"{one.risk.why} not looked for: {one.why}"
        yield f"{one.tenant}: {what}: {one.risk.revision}: {_short(one.risk.sql)}"


def _short(sql: str) -> str:
    text = " ".join(sql.split())
    return text if len(text) <= 120 else text[:119] + "…"


# For programs


def _document(run: RehearsalRun, commands: NextCommands) -> dict[str, Any]:
    return {
        "exit_code": int(run.exit_code),
        "target": run.target,
        "tenants": run.tenants,
        "shapes": [
            {
                "tenants": list(one.shape.names),
                "before": one.shape.before,
                "fingerprint": one.shape.fingerprint,
                "passes": one.error is None,
                "server": one.server,
                "tenants_server": one.tenants_server,
                "error": error_document(one.error, commands) if one.error is not None else None,
                "differs": list(run.differences[one.shape.names[0]].lines)
                if one.shape.names[0] in run.differences
                else [],
            }
            for one in run.results
        ],
        "depends_on_rows": [
            {"revision": risk.revision, "sql": risk.sql, "why": risk.why} for risk in run.risks
        ],
        "rows": [
            {
                "tenant": one.tenant,
                "revision": one.risk.revision,
                "sql": one.risk.sql,
                "bad": one.bad,
                "why": one.risk.why if one.bad else one.why,
            }
            for one in run.rows
        ],
        "not_copied": {kind: list(names) for kind, names in sorted(run.unseen.items())},
        "unread": unread_documents(run.problems, commands),
    }
