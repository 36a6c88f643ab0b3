"""``stamp``: adopts databases that were not made by migrations; what they have is compared first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from ebhook.aws.deployed import identify
from ebhook.chain.graph import Chain
from ebhook.chain.revision import Revision
from ebhook.commands.context import Options, gather, load_settings, reporter
from ebhook.database.connection import Connection
from ebhook.drift.catalog import CatalogReader
from ebhook.drift.fleet import against
from ebhook.drift.reader import own_tables, read_schemas
from ebhook.drift.snapshot import Snapshot
from ebhook.errors import EbhookError, Exit, Refused, UsageFailed, worst
from ebhook.fleet.stamping import stamp_version
from ebhook.fleet.standing import Standing
from ebhook.fleet.survey import survey
from ebhook.fleet.tenant_database import open_tenant
from ebhook.holder import Holder
from ebhook.next_command import ebhook, then
from ebhook.rehearsal.expected import ScratchFleet, chain_schema, flavour_of
from ebhook.report.documents import error_document, print_json
from ebhook.report.lines import count
from ebhook.report.next_commands import NextCommands
from ebhook.report.reporter import Reporter
from ebhook.report.tables import problems_text
from ebhook.settings import Settings
from ebhook.tenant import Tenant

SHOWN = 40  # lines of a difference in a refusal


@dataclass(frozen=True)
class Stamped:
    """How one tenant ended. `tables` is how many were compared; None: nothing was."""

    tenant: str
    before: str | None
    after: str | None
    tables: int | None = None
    error: EbhookError | None = None


def stamp(
    options: Options, *, names: Sequence[str], revision: str, unchecked: bool, dry_run: bool
) -> Exit:
    """0 when all are at `revision`; 2 when one is not what the chain makes there, and was left as it is.

    Args:
        unchecked: write the version whatever the schema is.
        dry_run: only compare.
    """
    if unchecked and dry_run:
        raise UsageFailed(
            "--unchecked compares nothing, and --dry-run does nothing else.",
            next=then("Leave one of them out; see: ", ebhook("stamp", words=["--help"])),
        )
    settings = load_settings(options)
    with reporter(options) as report:
        chain, tenants = gather(settings, report, names)
        target = chain.find(revision)
        holder = identify("stamp", settings)
        work = _Stamping(settings, chain, target, holder, report, dry_run)
        with nullcontext() if unchecked else ScratchFleet(settings, chain, report.say) as scratch:
            results = [work.one(s, scratch) for s in survey(tenants, chain, settings)]
        document = report.hidden(_document(target.id, results, options.commands))
        report.log({"event": "Stamp", **document})
    if options.json:
        print_json(document)
    else:
        report.print("\n\n".join(_parts(target.id, results, options.commands, dry_run)))
    return _code(results)


@dataclass(frozen=True)
class _Stamping:
    settings: Settings
    chain: Chain
    target: Revision
    holder: Holder
    report: Reporter
    dry_run: bool

    def one(self, standing: Standing, scratch: ScratchFleet | None) -> Stamped:
        name, before = standing.tenant.name, standing.revision
        if standing.revisions == (self.target.id,) and standing.half is None:
            return Stamped(name, before, before)
        try:
            tables = self._adopted(standing, scratch)
        except EbhookError as error:
            return Stamped(name, before, before, error=error)
        return Stamped(name, before, self.target.id, tables)

    def _adopted(self, standing: Standing, scratch: ScratchFleet | None) -> int | None:
        tenant = standing.tenant
        if not standing.is_read and standing.error is not None:
            raise standing.error
        if standing.revisions and scratch is not None:
            raise Refused(
                f"{tenant.name}: stands at {standing.revision} already: it is no database to adopt.",
                next=then(
                    "Go on from there: ",
                    ebhook("upgrade", tenant.name),
                    ". To write another version all the same, whatever its schema is: --unchecked",
                ),
            )
        expected = self._expected(tenant, scratch) if scratch is not None else None

        def check(connection: Connection) -> None:
            if expected is not None:
                self._compare(connection, tenant, expected)

        if self.dry_run:
            with open_tenant(tenant, self.settings) as database:
                check(database.connection)
            return len(expected.tables) if expected is not None else None
        compared = (
            "compared with the chain" if expected is not None else "not compared (--unchecked)"
        )
        stamp_version(
            tenant,
            self.target,
            self.settings,
            self.holder,
            self.report.emit,
            expected=standing.revisions,
            check=check,
            note=f"stamped, {compared}; it stood at {standing.revision or 'base'}",
        )
        return len(expected.tables) if expected is not None else None

    def _expected(self, tenant: Tenant, scratch: ScratchFleet) -> Snapshot:
        reading = read_schemas([tenant], self.settings)[tenant.name]
        if reading.snapshot is None:
            assert reading.error is not None
            raise reading.error
        bench = scratch.bench(flavour_of(tenant, self.settings))
        return chain_schema(scratch, bench, self.target.id, reading.snapshot.options)

    def _compare(self, connection: Connection, tenant: Tenant, expected: Snapshot) -> None:
        read = CatalogReader.of(connection).read(
            [tenant.database], ignore=own_tables(self.settings)
        )
        connection.rollback()
        found = against(
            expected, {tenant.name: read[tenant.database]}, "the chain", self.settings.drift.ignore
        )
        if found:
            lines = found[0].lines
            more = f"\n    … {len(lines) - SHOWN} more lines" if len(lines) > SHOWN else ""
            shown = "\n".join(f"    {line}" for line in lines[:SHOWN])
            raise Refused(
                f"{tenant.name}: is not what the chain makes at {self.target.id} (-):\n{shown}{more}\n ",
                next=then(
                    "Name the revision that it is like (",
                    ebhook("history"),
                    "), mend it, or list what may differ in drift.ignore; whatever it is: --unchecked",
                ),
            )


def _code(results: Sequence[Stamped]) -> Exit:
    return worst([one.error.exit_code for one in results if one.error is not None])


def _parts(
    target: str, results: Sequence[Stamped], commands: NextCommands, dry_run: bool
) -> Iterator[str]:
    lines = []
    for one in results:
        if one.error is not None:
            continue
        if one.before == one.after:
            lines.append(f"{one.tenant}: is at {target} already")
            continue
        compared = (
            f"{count(one.tables, 'table')} compared" if one.tables is not None else "unchecked"
        )
        done = (
            "dry run: nothing was written"
            if dry_run
            else "its version and its journal were written, and nothing else"
        )
        lines.append(f"{one.tenant}: {one.before or 'base'} → {target} ({compared}); {done}")
    if lines:
        yield "\n".join(lines)
    problems = problems_text(((one.tenant, one.error) for one in results), commands)
    if problems:
        yield problems


def _document(target: str, results: Sequence[Stamped], commands: NextCommands) -> dict[str, Any]:
    return {
        "exit_code": int(_code(results)),
        "revision": target,
        "tenants": [
            {
                "tenant": one.tenant,
                "before": one.before,
                "after": one.after,
                "tables_compared": one.tables,
                "error": error_document(one.error, commands) if one.error is not None else None,
            }
            for one in results
        ],
    }
