"""What a server does not let anybody do, or not for long."""

from __future__ import annotations

from collections.abc import Iterator

from ebhook.database.connection import Connection, rows
from ebhook.doctor.finding import DoctorFinding, fail, warn

READ_ONLY = ("read_only", "super_read_only", "innodb_read_only")
# Milliseconds on MySQL, of a SELECT alone; seconds on MariaDB, of any statement.
STATEMENT = {"MySQL": ("max_execution_time", 1000), "MariaDB": ("max_statement_time", 1)}
SHORTEST_WAIT = 60  # seconds of silence that a connection should survive


def examine_limits(connection: Connection, where: str, flavour: str) -> Iterator[DoctorFinding]:
    """What a new session of this login is given."""
    time_limit, per_second = STATEMENT[flavour]
    wanted = (*READ_ONLY, time_limit, "wait_timeout")
    marks = ", ".join(["%s"] * len(wanted))
    found = {
        str(name).lower(): str(value)
        for name, value in rows(
            connection, f"SHOW VARIABLES WHERE variable_name IN ({marks})", *wanted
        )
    }
    closed = [name for name in READ_ONLY if found.get(name) in ("ON", "1")]
    if closed:
        yield fail(
            "server",
            where,
            f"is read-only ({', '.join(closed)})",
            "Point the tenants' URL at the writer",
        )
    seconds = float(found.get(time_limit, "0")) / per_second
    if seconds:
        what = "a SELECT" if flavour == "MySQL" else "any statement, an ALTER too,"
        tell = warn if flavour == "MySQL" else fail
        yield tell(
            "limits",
            where,
            f"{time_limit} ends {what} after {seconds:g} s",
            f"SET GLOBAL {time_limit} = 0, or for the migrations' user alone",
        )
    if (wait := float(found.get("wait_timeout", "28800"))) < SHORTEST_WAIT:
        yield warn(
            "limits",
            where,
            f"wait_timeout ends a connection after {wait:g} s of silence, as while a revision computes",
            f"SET GLOBAL wait_timeout = {SHORTEST_WAIT} or more",
        )
