"""What the journal costs: the whole chain on an empty database, with it and without."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.lab import Lab
from benchmarks.measure import Case, Contender, Measured, Verdict, at_most, timed
from ebhook.chain.folder import read_chain
from ebhook.chain.revision import Revision
from ebhook.database.connection import connect, run
from ebhook.database.url import parse_url
from ebhook.holder import Holder
from ebhook.journal.table import Journal
from ebhook.settings import load
from ebhook.tenant import Tenant
from ebhook.upgrade.alembic_run import AlembicRun
from ebhook.upgrade.failure import FailureReport
from ebhook.upgrade.plan import RevisionPlan
from ebhook.upgrade.project import Project, load_project
from ebhook.upgrade.statement_listener import StatementListener
from ebhook.upgrade.statement_runner import Runner

WITH = "with the journal"
WITHOUT = "without it"
DATABASE = "journal_bench"
_TIMES = 6  # a round is over in two seconds, and the machine's own ups and downs are as large


class _Unrecorded(StatementListener):
    """Hears the statements, but records nothing."""

    @contextmanager
    def revision(self, revision: Revision, kind: str) -> Iterator[None]:
        yield


def journal(lab: Lab) -> Case:
    fleet = lab.fleet
    environ = {"EBHOOK_TENANTS_URL": fleet.url(DATABASE), "EBHOOK_ENV_PY": "false"}
    settings = load(environ, directory=fleet.chain.folder)
    chain = read_chain(settings.folder, env_py=False)
    project = load_project(settings, chain)
    tenant = Tenant(DATABASE, parse_url(fleet.url(DATABASE)))

    def whole_chain(kind: type[StatementListener]) -> Callable[[int], float]:
        return lambda _: _apply(lab, project, tenant, kind)

    return Case(
        name="journal",
        title=(
            f"One tenant, from empty to head: chain of {len(chain.revisions)} revisions; "
            f"{_TIMES} times the rounds"
        ),
        subject=WITHOUT,
        contenders=[
            Contender(WITH, whole_chain(StatementListener)),
            Contender(WITHOUT, whole_chain(_Unrecorded)),
        ],
        judge=_judge,
        times=_TIMES,
    )


def _apply(lab: Lab, project: Project, tenant: Tenant, kind: type[StatementListener]) -> float:
    with lab.server.connect() as connection:
        run(connection, f"DROP DATABASE IF EXISTS {DATABASE}")
        run(connection, f"CREATE DATABASE {DATABASE}")
    with closing(connect(tenant.url, database=DATABASE, timeout=10)) as connection:
        table = project.settings.journal.table
        kept = Journal(connection, tenant.name, tenant.database, table)
        kept.make()
        deadline = time.monotonic() + 3600
        runner = Runner(connection, tenant.name, project.settings.ddl, deadline, _quiet)
        holder = Holder("bench", 0, None, None, "bench", "bench")
        listener = kind(connection, tenant.name, kept, holder, runner)
        plan = RevisionPlan(project.chain.head)
        migration = AlembicRun(
            project,
            tenant,
            plan,
            listener,
            FailureReport(project, tenant, plan, listener, _never),
            deadline,
            _quiet,
            _never,
        )
        return timed(migration.run)


def _quiet(_: Any) -> None:
    pass


def _never() -> bool:
    return False


def _judge(measured: Measured) -> Sequence[Verdict]:
    return [at_most("slower with the journal", measured.ratio(WITH, WITHOUT), 1.15, "×")]
