"""The tenants' servers: from the name to the privileges, one line for all that is well."""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pymysql.err import MySQLError

from ebhook.chain.graph import Chain
from ebhook.database import tls
from ebhook.database.connection import (
    Connection,
    connect,
    errno,
    explain,
    quoted,
    rows,
    scalar,
    versions,
)
from ebhook.database.credential import BrokenCredential
from ebhook.database.grants import granted
from ebhook.database.url import Url
from ebhook.doctor.finding import DoctorFinding, Level, fail, failed, ok, warn
from ebhook.doctor.limits import examine_limits
from ebhook.doctor.privileges import NEEDED, OFTEN, lacking, tried
from ebhook.doctor.proxy import examine_proxy
from ebhook.errors import EbhookError, NoAnswer
from ebhook.fleet.last_gate import gate_for, refusal
from ebhook.fleet.logins import LoginGroup, ask_side_by_side, by_login
from ebhook.fleet.standing import Standing, Unfinished
from ebhook.fleet.survey import survey
from ebhook.journal import table as journal_table
from ebhook.journal.in_doubt import atomic_ddl
from ebhook.lock import row as lock_row
from ebhook.next_command import ebhook, then
from ebhook.report.lines import count
from ebhook.settings import Settings
from ebhook.tenant import Tenant

SKEW = 5.0  # seconds that two clocks may be apart
OLDEST = {"MySQL": (5, 7), "MariaDB": (10, 2)}  # before these, a second GET_LOCK frees the first


def examine_servers(
    tenants: Sequence[Tenant], chain: Chain | None, settings: Settings, chosen: bool
) -> Iterator[DoctorFinding]:
    """
    Args:
        chain: None when it is broken; then where the tenants stand is not told.
        chosen: the tenants were named: privileges are tried in each, not in one of each login.
    """
    ill: set[str] = set()
    reached: set[str] = set()

    def ask(group: LoginGroup) -> tuple[LoginChecks, list[DoctorFinding]]:
        login = LoginChecks(group, settings, chosen)
        return login, list(login.examine())

    until = time.monotonic() + settings.rollout.deadline
    groups = by_login(tenants)
    for group, answer in ask_side_by_side(groups, ask, lambda one: one[0].silent, until=until):
        login, findings = answer or (LoginChecks(group, settings, chosen), [])
        if answer is None:
            findings = [fail("server", login.where, "gave no answer in time", "Check the server")]
        elif login.group is not group:
            continue  # nothing answered at that address: that has been said
        ill.update(finding.subject for finding in findings if finding.level is Level.FAIL)
        reached.update(tenant.name for tenant in group.tenants if login.reached)
        yield from findings
    if chain is not None and reached:
        there = [tenant for tenant in tenants if tenant.name in reached]
        standings = survey(there, chain, settings, deep=True)
        yield from _standings(standings, len(tenants), ill)
        yield from _rules(settings, chain, standings)


def _rules(
    settings: Settings, chain: Chain, standings: Sequence[Standing]
) -> Iterator[DoctorFinding]:
    """What the last gate will say of the pending revisions."""
    gate = gate_for(settings, chain, standings, chain.head)
    if gate is None:
        return
    with gate:
        verdict = gate.verdict()
    if verdict.passes:
        yield ok("rules", "pending revisions", "none breaks a rule that protects")
        return
    level = Level.FAIL if settings.boot.rules == "refuse" else Level.WARN
    error = refusal(verdict)
    if verdict.problem is not None:
        yield DoctorFinding("rules", "pending revisions", level, error.what, error.next)
    for one in verdict.findings:
        text = f"{one.file}:{one.line}: {one.rule} {one.title}"
        next = then(
            "Look at the corrected code: ", ebhook("lint", words=filter(None, [one.revision]))
        )
        yield DoctorFinding("rules", one.revision or one.file, level, text, next)


def _unfinished(standing: Standing) -> Iterator[DoctorFinding]:
    """What was left half done; nothing of what somebody is at work on."""
    half, state, name = standing.half, standing.unfinished, standing.tenant.name
    if half is None or state is None:
        return
    text = f"{half.revision} is {state.words}, {count(half.position, 'statement')} in"
    if state is Unfinished.IN_DOUBT:
        yield fail("chain", name, text, then("Say what happened: ", ebhook("resolve", name)))
    elif state in (Unfinished.HALF_APPLIED, Unfinished.HALF_UNDONE):
        yield warn("chain", name, text, then("See what ran: ", ebhook("history", name)))


def _standings(
    standings: Sequence[Standing], number: int, ill: Collection[str]
) -> Iterator[DoctorFinding]:
    """
    Args:
        number: of all tenants, those that were not reached among them.
        ill: the tenants of which it was said before why they cannot be read.
    """
    for standing in standings:
        name, said = standing.tenant.name, standing.lock
        if standing.error is not None and (standing.is_read or name not in ill):
            yield failed("chain" if standing.is_read else "database", name, standing.error)
        yield from _unfinished(standing)
        if said is not None and said.frozen:
            yield warn(
                "lock",
                name,
                f"frozen: {said}",
                then("lock clear frees it. See: ", ebhook("lock list", name)),
            )
    states = [s.state.value.replace("_", " ") for s in standings]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    yield ok("tenants", f"{len(standings)} of {number}", counts)


@dataclass
class LoginChecks:
    """What is looked at of one server by one login, and in the databases of its tenants."""

    group: LoginGroup
    settings: Settings
    chosen: bool
    reached: bool = False
    silent: bool = False  # nothing answered at all

    @property
    def url(self) -> Url:
        return self.group.url

    @property
    def where(self) -> str:
        return f"{self.url.host}:{self.url.port}"

    @property
    def who(self) -> str:
        return f"{self.url.user or 'nobody'}@{self.where}"

    def examine(self) -> Iterator[DoctorFinding]:
        if isinstance(self.url.credential, BrokenCredential):
            for tenant in self.group.tenants:
                yield failed("tenants", tenant.name, self.url.credential.problem)
            return
        if "unix_socket" not in self.url.options:
            problem = self.network()
            if problem is not None:
                self.silent = True
                yield problem
                return
        began = time.monotonic()
        try:
            connection = connect(self.url, database=None, timeout=self.settings.connect_timeout)
        except EbhookError as error:
            self.silent = isinstance(error, NoAnswer)
            yield failed("login", self.who, error)
            return
        seconds, self.reached = time.monotonic() - began, True
        how = self.url.credential.noun if self.url.credential else "password"
        yield ok("login", self.who, f"by {how}, in {seconds * 1000:.0f} ms")
        try:
            yield self.tls(connection)
            yield from self.server(connection)
            yield self.named_locks(connection)
            yield from examine_proxy(connection, self.where)
            yield self.clock(connection)
            yield from self.databases(connection)
        except MySQLError as error:
            yield failed("server", self.where, explain(error, self.url, None))
        finally:
            connection.close()

    def network(self) -> DoctorFinding | None:
        """DNS, then TCP; what is well is seen from the login."""
        host, port = self.url.host, self.url.port
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            return fail(
                "dns", host, f"{error.strerror}", then("Check the host name: ", ebhook("config"))
            )
        try:
            socket.create_connection((host, port), self.settings.connect_timeout).close()
        except OSError as error:
            words = error.strerror or "no answer in time"
            return fail("tcp", self.where, words, "Check the server, and its security group")
        return None

    def tls(self, connection: Connection) -> DoctorFinding:
        said = tls.in_use(connection)
        local = self.url.host in ("localhost", "127.0.0.1", "::1")
        if local or "unix_socket" in self.url.options or said.endswith("host name verified"):
            return ok("tls", self.where, said)
        return warn("tls", self.where, said, "Give tls.ca, the CA of the servers (EBHOOK_TLS_CA)")

    def server(self, connection: Connection) -> Iterator[DoctorFinding]:
        version = str(scalar(connection, "SELECT VERSION()"))
        flavour = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        number = re.match(r"(\d+)\.(\d+)", version)
        known = (int(number[1]), int(number[2])) if number else (0, 0)
        said = f"{flavour} {version}"
        if known < OLDEST[flavour]:
            yield fail(
                "server", self.where, said, "Upgrade it: its named locks cannot be relied on"
            )
        elif not atomic_ddl(version):
            yield warn(
                "server",
                self.where,
                f"{said}: a DDL statement that is cut short may be half done",
                "After a crash in one, ebhook asks a person (resolve)",
            )
        else:
            yield ok("server", self.where, f"{said}, atomic DDL")
        yield from examine_limits(connection, self.where, flavour)

    def named_locks(self, connection: Connection) -> DoctorFinding:
        name = f"ebhook:doctor:{secrets.token_hex(4)}"
        try:
            got = scalar(connection, "SELECT GET_LOCK(%s, 0)", name)
            scalar(connection, "SELECT RELEASE_LOCK(%s)", name)
            words = "GET_LOCK works" if got else "GET_LOCK says no"
        except MySQLError as error:
            got, words = None, f"no GET_LOCK ({errno(error)})"
        if got and not self.settings.lock.named:
            return warn("lock", self.where, words, "Leave lock.named = false out")
        if not got and self.settings.lock.named:
            return fail("lock", self.where, words, "Set lock.named = false (docs/settings.md)")
        return ok("lock", self.where, words if got else "the row alone: lock.named = false")

    def clock(self, connection: Connection) -> DoctorFinding:
        theirs = scalar(connection, "SELECT UTC_TIMESTAMP(6)").replace(tzinfo=UTC)
        apart = (datetime.now(UTC) - theirs).total_seconds()
        said = f"{abs(apart):.1f} s {'behind' if apart > 0 else 'ahead of'} this machine's"
        if abs(apart) < SKEW:
            return ok("clock", self.where, said)
        return warn("clock", self.where, said, "Set this machine's clock: chronyc tracking")

    def databases(self, connection: Connection) -> Iterator[DoctorFinding]:
        findings: list[DoctorFinding] = []
        for number, tenant in enumerate(self.group.tenants):
            try:
                findings += self.privileges(connection, tenant, trying=self.chosen or number == 0)
                findings += self.tables(connection, tenant)
            except MySQLError as error:
                problem = explain(error, tenant.url, tenant.database)
                findings.append(failed("database", tenant.name, problem))
        yield from self.summed(findings)

    def privileges(
        self, connection: Connection, tenant: Tenant, *, trying: bool
    ) -> Iterator[DoctorFinding]:
        present = rows(
            connection,
            "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s",
            tenant.database,
        )
        if not present:
            connection.select_db(tenant.database)  # raises what is in the way
        how, missing = "by SHOW GRANTS", {*NEEDED, *OFTEN} - granted(connection, tenant.database)
        if trying:
            refused = tried(connection, tenant.database)
            if refused != {"DROP"}:
                how, missing = "tried", refused
        needed, often = lacking(missing)
        if needed:
            yield fail(
                "privileges",
                tenant.name,
                f"its user lacks {', '.join(needed)} ({how})",
                f"GRANT {', '.join(needed)} ON {quoted(tenant.database)}.* TO that user "
                "(docs/privileges.md)",
            )
        elif often:
            yield warn(
                "privileges",
                tenant.name,
                f"its user lacks {', '.join(often)} ({how})",
                "Migrations with foreign keys, and downgrades, want them (docs/privileges.md)",
            )
        else:
            yield ok("privileges", tenant.name, "all there")

    def tables(self, connection: Connection, tenant: Tenant) -> Iterator[DoctorFinding]:
        """The shape of ebhook's own tables, where they are there already."""
        wanted = {
            self.settings.lock.table: set(lock_row.COLUMNS),
            self.settings.journal.table: set(journal_table.COLUMNS)
            - set(journal_table.SINCE_SHAPE_2),
        }
        shapes = [self.shape(connection, tenant, *table) for table in wanted.items()]
        shapes.append(self.unversioned(connection, tenant))
        yield from [shape for shape in shapes if shape] or [ok("tables", tenant.name, "")]

    def unversioned(self, connection: Connection, tenant: Tenant) -> DoctorFinding | None:
        """Tables, and no revision: the first boot would stop at the first CREATE TABLE."""
        if versions(connection, tenant.database, self.settings.version_table):
            return None
        own = (
            self.settings.version_table,
            self.settings.lock.table,
            self.settings.journal.table,
        )
        number = scalar(
            connection,
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s "
            "AND table_type = 'BASE TABLE' AND table_name NOT IN (%s, %s, %s)",
            tenant.database,
            *own,
        )
        if not number:
            return None
        return fail(
            "tables",
            tenant.name,
            f"has tables ({number}) and no revision: the next boot runs the chain from its beginning",
            then(
                "If it was made without migrations, adopt it at the revision that it is at: ",
                ebhook("stamp", tenant.name, words=["REVISION"]),
            ),
        )

    def shape(
        self, connection: Connection, tenant: Tenant, table: str, columns: set[str]
    ) -> DoctorFinding | None:
        found = rows(
            connection,
            "SELECT LOWER(column_name), is_nullable, column_default, extra "
            "FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            tenant.database,
            table,
        )
        foreign = {
            str(name)
            for name, nullable, default, extra in found
            if nullable == "NO" and default is None and "auto_increment" not in str(extra)
        } - columns
        lacks = columns - {str(row[0]) for row in found}
        if not found or not (lacks or foreign):
            return None
        if foreign or table == self.settings.journal.table:
            return fail(
                "tables",
                tenant.name,
                f"{table} is somebody else's table",
                "Choose another name: lock.table, journal.table (docs/settings.md)",
            )
        return warn(
            "tables",
            tenant.name,
            f"{table} is of an older deployment; the next boot adds {len(lacks)} columns",
            then("Rows in it count as held locks: ", ebhook("lock list", tenant.name)),
        )

    def summed(self, findings: Iterable[DoctorFinding]) -> Iterator[DoctorFinding]:
        """What is well in one line a check, and all else by itself."""
        well: dict[str, int] = {}
        for finding in findings:
            if finding.level is Level.OK:
                well[finding.check] = well.get(finding.check, 0) + 1
            else:
                yield finding
        words = {
            "privileges": "all that a boot and its migrations need",
            "tables": "the tables of lock and journal, or room for them",
        }
        for check, number in well.items():
            yield ok(check, self.who, f"{words[check]}, in {number} of {len(self.group.tenants)}")
