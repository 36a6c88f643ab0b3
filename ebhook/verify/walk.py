"""One chain on one scratch database: up, look, down, look, up again, look; and old INSERTs between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from pymysql.err import MySQLError

from ebhook.authoring.generate import ebhooks_own
from ebhook.authoring.scratch_chain import connect_to, migrate
from ebhook.chain.graph import Chain, heads_of
from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection, explain, quoted, run, versions
from ebhook.drift.diff import diff
from ebhook.drift.snapshot import Snapshot, take
from ebhook.errors import ChainBroken, ConnectionLost, EbhookError, MigrationFailed
from ebhook.scratch.databases import Bench
from ebhook.tenant import Tenant
from ebhook.upgrade.project import Project
from ebhook.verify.drift import Drift, models_against
from ebhook.verify.inserts import attempt, broken_by, read_models


class Fault(StrEnum):
    """What can be wrong with a revision, in the words of the report."""

    UPGRADE = "its upgrade fails"
    NO_DOWNGRADE = "it has no downgrade"
    DOWNGRADE = "its downgrade fails"
    NOT_RESTORED = "its downgrade does not undo its upgrade"
    AGAIN = "after its downgrade, its upgrade fails"
    ANOTHER = "after its downgrade, its upgrade makes another schema"
    OLD_INSERT = "INSERTs of the code before it fail after it"


@dataclass(frozen=True)
class Problem:
    fault: Fault
    what: str = ""
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proof:
    """What was found of one revision. Seconds are None for what was not run."""

    revision: str
    up: float | None = None
    down: float | None = None
    again: float | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class WholeWalk:
    """The chain in one go, up and back: how long, what failed, and how the models compare."""

    end: Snapshot | None = None
    up: float | None = None
    down: float | None = None
    up_error: str | None = None
    down_error: str | None = None
    left: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()
    has_models: bool = False


Report = Callable[[Proof], None]


@dataclass
class Walker:
    """A scratch database, and the first `at` revisions of `order` applied to it."""

    bench: Bench
    project: Project
    tenant: Tenant
    order: Sequence[Revision]
    connection: Connection = field(init=False)
    at: int = 0

    def __post_init__(self) -> None:
        self.connection = connect_to(self.tenant, self.project.settings)

    # One revision after the other

    def walk(self, start: int, end: int, report: Report) -> Snapshot | None:
        """Proves ``order[start:end]``; the schema at the end, or None when it was not reached."""
        try:
            self.rebuild(start)
        except MigrationFailed:
            return None  # told by whoever proves the revision that fails
        before = self.look()
        for index in range(start, end):
            after, proof = self._prove(index, before)
            report(proof)
            if after is None:
                return None
            before = after
        return before

    def _prove(self, index: int, before: Snapshot) -> tuple[Snapshot | None, Proof]:
        revision = self.order[index]
        problems: list[Problem] = []
        models = read_models(self.connection, self.tenant.database, self._own)
        up, error = self._timed(revision)
        if error is not None:
            return None, Proof(revision.id, up, problems=(Problem(Fault.UPGRADE, error),))
        self.at = index + 1
        after = self.look()
        changed = before.changed(after)
        refused = attempt(self.connection, models, changed) if changed else []
        down, found = self._down(revision, before, after)
        problems.extend(found)
        if refused:
            if self.at > index:
                self.rebuild(index)
            old = attempt(self.connection, models, changed)
            problems.extend(
                Problem(
                    Fault.OLD_INSERT,
                    f"{one.table} ({', '.join(one.columns)}), {one.row}: {one.words}",
                )
                for one in broken_by(refused, old)
            )
        again = None
        if self.at == index:
            again, error = self._timed(revision)
            self.at += error is None
            if error is not None:
                problems.append(Problem(Fault.AGAIN, error))
                self.rebuild(index + 1)
            elif lines := diff(after, self.look()):
                problems.append(Problem(Fault.ANOTHER, diff=lines))
                self.rebuild(index + 1)
        return after, Proof(revision.id, up, down, again, tuple(problems))

    def _down(
        self, revision: Revision, before: Snapshot, after: Snapshot
    ) -> tuple[float | None, list[Problem]]:
        """Takes the revision back. `at` tells afterwards whether the database is as it was before."""
        index = self.at - 1
        script = self.project.script.get_revision(revision.id)
        if not hasattr(script.module, "downgrade"):
            return None, [Problem(Fault.NO_DOWNGRADE, f"{revision.path.name} has no downgrade()")]
        stood = self._version()
        seconds, error = self._timed(revision, downgrade=True)
        now = self.look()
        if error is not None:
            problem = Problem(Fault.DOWNGRADE, error)
            if now != after:
                self.rebuild(index + 1)
            return seconds, [problem]
        if lines := diff(before, now):
            if now == after:  # it did nothing at all
                self._stand_at(stood)
            else:
                self.rebuild(index + 1)
            return seconds, [Problem(Fault.NOT_RESTORED, diff=lines)]
        self.at = index
        return seconds, []

    def _timed(self, revision: Revision, *, downgrade: bool = False) -> tuple[float, str | None]:
        """The seconds that one revision takes, and what it failed with."""
        if b"TEMPORARY" in revision.path.read_bytes().upper():
            # In a fleet, each run has a session of its own, and its temporary tables end with it.
            self.connection.close()
            self.connection = connect_to(self.tenant, self.project.settings)
        began = time.monotonic()
        try:
            migrate(
                self.project,
                self.tenant,
                self.connection,
                revision.id,
                downgrade=downgrade,
                only=revision.id,
            )
        except (ConnectionLost, ChainBroken):
            raise  # the server, or env.py: no fault of this revision's
        except EbhookError as error:
            self._forget()
            return time.monotonic() - began, _words(error)
        return time.monotonic() - began, None

    def _forget(self) -> None:
        """A failed run leaves a note in the journal, which the next one would go by."""
        table = self.project.settings.journal.table
        run(
            self.connection,
            f"DELETE FROM {quoted(table)} WHERE finished_at IS NULL".replace("%", "%%"),
        )
        self.connection.commit()

    def _version(self) -> tuple[str, ...]:
        table = self.project.settings.version_table
        return versions(self.connection, self.tenant.database, table)

    def _stand_at(self, ids: tuple[str, ...]) -> None:
        """Puts the version back, where a downgrade that changed nothing moved it."""
        table = quoted(self.project.settings.version_table).replace("%", "%%")
        run(self.connection, f"DELETE FROM {table}")
        for id in ids:
            run(self.connection, f"INSERT INTO {table} (version_num) VALUES (%s)", id)
        self.connection.commit()

    def rebuild(self, at: int) -> None:
        """An empty database, and straight up to the first `at` revisions."""
        self.connection.close()
        self.bench.empty(self.tenant)
        self.connection = connect_to(self.tenant, self.project.settings)
        for head in heads_of({one.id: one for one in self.order[:at]}):
            migrate(self.project, self.tenant, self.connection, head)
        self.at = at

    def look(self) -> Snapshot:
        return take(self.connection, self.tenant.database, self._own)

    @property
    def _own(self) -> frozenset[str]:
        return ebhooks_own(self.project.settings)

    # All at once

    def whole(self, start: int) -> WholeWalk:
        """From the first `start` revisions to head and back, and the models against what is there."""
        try:
            self.rebuild(start)
        except MigrationFailed as failure:
            return WholeWalk(up_error=_words(failure))
        before = self.look()
        seconds, error = self._go(self.project.chain.head)
        if error is not None:
            return WholeWalk(up=seconds, up_error=error)
        end = self.look()
        drift = models_against(self.project, self.tenant, self.connection, end)
        found = WholeWalk(end, seconds, drift=tuple(drift or ()), has_models=drift is not None)
        if any(
            not hasattr(self.project.script.get_revision(one.id).module, "downgrade")
            for one in self.order[start:]
        ):
            return found  # said once, by its revision
        base = self.order[start - 1].id if start else None
        down, error = self._go(base, downgrade=True)
        left = diff(before, self.look()) if error is None else ()
        return WholeWalk(
            end, seconds, down, None, error, left, tuple(drift or ()), drift is not None
        )

    def _go(self, target: str | None, *, downgrade: bool = False) -> tuple[float, str | None]:
        began = time.monotonic()
        try:
            migrate(self.project, self.tenant, self.connection, target, downgrade=downgrade)
        except (ConnectionLost, ChainBroken):
            raise
        except EbhookError as error:
            return time.monotonic() - began, _words(error)
        return time.monotonic() - began, None


@contextmanager
def walker(
    bench: Bench, project: Project, tenant: Tenant, order: Sequence[Revision]
) -> Iterator[Walker]:
    """A `Walker` whose connection ends with the block."""
    one = Walker(bench, project, tenant, order)
    try:
        yield one
    except MySQLError as error:
        raise explain(error, tenant.url, tenant.database) from None
    finally:
        with closing(one.connection):
            pass


def order_from(chain: Chain, start: str | None) -> tuple[list[Revision], int]:
    """All revisions, those that `start` builds on (and itself) first; and how many these are."""
    first = chain.lineage([start] if start else [])
    known = [one for id, one in chain.revisions.items() if id in first]
    return [*known, *(one for id, one in chain.revisions.items() if id not in first)], len(known)


def _words(error: EbhookError) -> str:
    """What failed, without the name that the scratch database has."""
    what = error.what.removeprefix("scratch: ")
    return what if isinstance(error, MigrationFailed) else str(error)
