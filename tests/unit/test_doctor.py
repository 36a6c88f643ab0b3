"""What the doctor found, as people read it: a fleet's findings in a screenful."""

from __future__ import annotations

from ebhook.doctor.finding import DoctorFinding, fail, ok, warn
from ebhook.doctor.show import WIDTH, as_text
from ebhook.report.next_commands import NextCommands, plain
from ebhook.report.screen import coloured


def lines(*findings: DoctorFinding) -> list[str]:
    return [
        " ".join(line.split())
        for line in coloured(plain(as_text(findings, NextCommands())), colours=False).splitlines()
    ]


def test_a_few_stay_by_themselves() -> None:
    """Nobody has to look elsewhere for what a small fleet has."""
    told = lines(ok("tls", "a:3306", "TLSv1.3, verified"), ok("tls", "b:3306", "not encrypted"))

    assert told[1:3] == ["ok tls a:3306 TLSv1.3, verified", "ok tls b:3306 not encrypted"]
    assert told[-1] == "2 ok, 0 warn, 0 fail"


def test_a_fleet_that_is_well_is_a_line_a_check() -> None:
    """With what its members really have, as long as that is of few kinds."""
    tls = [ok("tls", "db:3306", "TLSv1.3, verified")] * 70 + [ok("tls", "old:3306", "TLSv1.2")] * 9
    login = [ok("login", f"u{n}@db:3306", f"in {n} ms") for n in range(80)]

    told = lines(*tls, *login)

    assert told[1:3] == [
        "ok tls db:3306 and 1 more TLSv1.3, verified (70); TLSv1.2 (9)",
        "ok login u0@db:3306 and 79 more all 80 well",
    ]
    assert told[-1] == "159 ok, 0 warn, 0 fail"


def test_the_same_problem_is_told_once() -> None:
    """For all that have it, each by name up to ten; another problem by itself."""
    poor = [
        fail("privileges", f"a{n:02}", f"a{n:02} lacks DROP", f"GRANT DROP ON a{n:02}.* TO …")
        for n in range(12)
    ]

    told = lines(*poor, warn("privileges", "b", "b lacks INDEX", "GRANT INDEX"))

    assert told[1:3] == [
        "fail privileges a00 and 11 more TENANT lacks DROP",
        "warn privileges b b lacks INDEX",
    ]
    assert told[4].startswith("privileges a00, a01, ")
    assert told[4].endswith("a09 and 2 more: TENANT lacks DROP")
    assert told[5] == "GRANT DROP ON TENANT.* TO …"
    assert told[-1] == "0 ok, 1 warn, 12 fail"


def test_a_long_problem_is_whole_below_the_table() -> None:
    """The table stays a table."""
    long, several = "x" * 300, "settings have problems:\n  - one"

    told = lines(fail("a", "s", long, "Mend."), fail("b", "s", several, "Mend."))

    assert told[1] == f"fail a s {'x' * WIDTH} …"
    assert told[2] == "fail b s settings have problems: …"
    assert f"a s: {long}" in told
    assert "- one" in told
