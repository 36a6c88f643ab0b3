"""What the chain makes, and what the models say: what tenants' schemas are held against.

The chain is run on scratch databases with the tenants' own character set; models are compared with scratch copies,
so that the application's code never gets a connection to a tenant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, redirect_stdout

from pymysql.err import MySQLError

from ebhook.authoring.scratch_chain import connect_to, lead_to, migrate, open_project
from ebhook.chain.graph import Chain
from ebhook.database.connection import explain, quoted, run
from ebhook.drift.catalog import CatalogReader
from ebhook.drift.fingerprint import fingerprint
from ebhook.drift.fleet import Difference, against
from ebhook.drift.found import DriftFound, begun
from ebhook.drift.reader import SchemaReading, own_tables
from ebhook.drift.snapshot import Snapshot, take
from ebhook.errors import EbhookError, SettingsFailed
from ebhook.fleet.standing import Standing
from ebhook.plan.algorithms import ServerKind
from ebhook.rehearsal.rehearse import take_along
from ebhook.scratch.copies import CopyFailed, make_copy
from ebhook.scratch.databases import Bench, benches
from ebhook.settings import Settings
from ebhook.tenant import Tenant
from ebhook.upgrade.project import Project
from ebhook.verify.drift import models_against

Say = Callable[[str], None]
Readings = Mapping[str, SchemaReading]


class ScratchFleet:
    """A scratch server of each flavour, started when it is first needed, and the project loaded once.

    The project is loaded into this process, which then should end soon. Use as a context manager.
    """

    def __init__(self, settings: Settings, chain: Chain, say: Say) -> None:
        self.settings, self.chain, self.say = settings, chain, say
        self._stack = ExitStack()
        self._benches: dict[str, Bench] = {}
        self._project: Project | None = None

    def __enter__(self) -> ScratchFleet:
        self._stack.enter_context(redirect_stdout(sys.stderr))  # what the application prints
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def bench(self, flavour: str) -> Bench:
        """Raises `ScratchFailed`, `Unreachable`, `Refused`, `SettingsFailed`."""
        if flavour not in self._benches:
            (bench,) = self._stack.enter_context(benches(self.settings, [flavour], self.say))
            if bench.flavour != flavour:
                raise SettingsFailed(
                    f"scratch_url leads to {bench.flavour}, and the tenants have {flavour}.",
                    "Only scratch databases were touched.",
                    "Let scratch_url name a server like theirs, or none: EBHOOK_SCRATCH_URL",
                )
            self._benches[flavour] = bench
        return self._benches[flavour]

    def project(self, bench: Bench) -> Project:
        if self._project is None:
            self._project = open_project(self.settings, self.chain, Tenant("scratch", bench.url))
        return self._project


def chain_schema(
    scratch: ScratchFleet, bench: Bench, revision: str, database: Mapping[str, str]
) -> Snapshot:
    """What the chain makes of an empty database at `revision`.

    Args:
        database: the options of the database, as in `Snapshot.options`.
    """
    project = scratch.project(bench)
    with bench.database() as tenant, closing(connect_to(tenant, scratch.settings)) as connection:
        try:
            run(
                connection,
                f"ALTER DATABASE {quoted(tenant.database)} CHARACTER SET "
                f"{database['DEFAULT CHARSET']} COLLATE {database['COLLATE']}",
            )
            lead_to(tenant.url)
            migrate(project, tenant, connection, revision)
            connection.rollback()
            read = CatalogReader.of(connection).read(
                [tenant.database], ignore=own_tables(scratch.settings)
            )
        except MySQLError as error:
            raise explain(error, tenant.url, tenant.database) from None
        return read[tenant.database]


def flavour_of(tenant: Tenant, settings: Settings) -> str:
    """Which server a tenant has. Raises as a connection does."""
    with closing(connect_to(tenant, settings)) as connection:
        return ServerKind.of(str(connection.get_server_info())).flavour  # type: ignore[no-untyped-call]


def compared_with_chain(
    standings: Sequence[Standing], readings: Readings, chain: Chain, settings: Settings, say: Say
) -> DriftFound:
    """Tenants against what the chain makes at their revision, on a scratch server of their flavour."""
    found = begun(readings, set(readings))
    groups: dict[tuple[str, str], dict[str, Snapshot]] = {}
    tenants = {standing.tenant.name: standing.tenant for standing in standings}
    for standing in standings:
        name, snapshot = standing.tenant.name, readings[standing.tenant.name].snapshot
        if snapshot is None:
            continue
        if standing.half is not None:
            found.alone[name] = f"{standing.half.revision} is half done there"
        elif len(standing.revisions) != 1 or standing.revisions[0] not in chain.revisions:
            where = ", ".join(standing.revisions) or "no revision"
            found.alone[name] = f"it stands at {where}, which is no one revision of this chain"
        else:
            options = f"{snapshot.options['DEFAULT CHARSET']} {snapshot.options['COLLATE']}"
            groups.setdefault((standing.revisions[0], options), {})[name] = snapshot
    with ScratchFleet(settings, chain, say) as scratch:
        for (revision, _), schemas in groups.items():
            first = next(iter(schemas))
            bench = scratch.bench(flavour_of(tenants[first], settings))
            made = chain_schema(scratch, bench, revision, schemas[first].options)
            found.compared += len(schemas)
            words = f"what the chain makes at {revision}"
            found.differences += against(made, schemas, words, settings.drift.ignore)
    return found


def compared_with_models(
    standings: Sequence[Standing], readings: Readings, chain: Chain, settings: Settings, say: Say
) -> DriftFound:
    """Each different schema against the models that env.py names, on a scratch copy of it."""
    found = begun(readings, set(readings))
    shapes: dict[str, list[Tenant]] = {}
    for standing in standings:
        snapshot = readings[standing.tenant.name].snapshot
        if snapshot is not None:
            shapes.setdefault(fingerprint(snapshot), []).append(standing.tenant)
    with ScratchFleet(settings, chain, say) as scratch:
        for tenants in shapes.values():
            names = tuple(tenant.name for tenant in tenants)
            try:
                lines = _against_models(scratch, tenants[0])
            except CopyFailed as error:
                why = f"its schema cannot be made on a scratch server: {error.what}"
                found.alone.update(dict.fromkeys(names, why))
                continue
            except EbhookError as error:
                found.problems += [(name, error) for name in names]
                continue
            found.compared += len(names)
            if lines:
                found.differences.append(Difference(names, "the models", lines))
    return found


def _against_models(scratch: ScratchFleet, tenant: Tenant) -> tuple[str, ...]:
    settings = scratch.settings
    taken = take_along(tenant, settings, half=False)
    bench = scratch.bench(ServerKind.of(taken.server).flavour)
    project = scratch.project(bench)
    with bench.database() as copy, closing(connect_to(copy, settings)) as connection:
        make_copy(connection, copy.database, taken.copy)
        lead_to(copy.url)
        snapshot = take(connection, copy.database, own_tables(settings))
        drift = models_against(project, copy, connection, snapshot)
        if drift is None:
            raise SettingsFailed(
                "env.py names no models (target_metadata), or env_py is false.",
                next="Compare with the chain, or with the other tenants",
            )
    return tuple(f"{one.what}: {one.side}" for one in drift)
