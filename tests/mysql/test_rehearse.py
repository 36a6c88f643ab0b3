"""`ebhook rehearse`, and drift against the chain: on scratch copies, and the tenants are only read."""

from __future__ import annotations

from ebhook.errors import Exit
from tests.conftest import AnyServer, Ebhook, Fleets
from tests.support.agency import PROJECTS, Agency
from tests.support.general_log import general_log
from tests.support.single_tenant import COUNT, EMAIL, PHONE, Clinic
from tests.support.watching import ask


def test_each_shape_is_run_once_and_tenants_are_only_read(
    fleet: Fleets, ebhook: Ebhook, server: AnyServer
) -> None:
    """Two pass together, one fails with what was made by hand; SELECT is enough, and nothing is written."""
    agency = Agency(fleet(3), ebhook, PROJECTS / "linear", {"scratch_url": server.url()})
    for name in agency.names:
        agency.stand_at_a002(name)
        agency.ask(name, "INSERT INTO clients (name) VALUES ('Ada')")
    one, other, made = agency.names
    agency.ask(made, "ALTER TABLE clients ADD tier INT")
    user = agency.names[0][-12:] + "_eye"
    with server.connect() as root:
        ask(root, f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'hunter2eye'")
        for name in agency.names:
            ask(root, f"GRANT SELECT ON `{name}`.* TO {user}@'127.0.0.1'")
    try:
        url = f"mysql+pymysql://{user}:hunter2eye@{server.host}:{server.port}/{{tenant}}"
        with general_log(server) as log:
            ran = agency.run("rehearse", "--json", tenants_url=url)
            changed = log.changes()
            said = [one.sql for one in log.statements()]
    finally:
        with server.connect() as root:
            ask(root, f"DROP USER {user}@'127.0.0.1'")

    assert ran.code == Exit.FINDINGS, ran.stdout
    passing, failing = ran.json()["shapes"]
    assert (passing["tenants"], passing["passes"]) == ([one, other], True)
    assert (failing["tenants"], failing["passes"]) == ([made], False)
    assert failing["error"]["what"].startswith(
        f"{made}: revision a003 failed at statement 1: Duplicate column name 'tier' (1060)"
    )
    assert any("+ `tier` int" in line for line in failing["differs"])
    assert not changed.keys() & set(agency.names)
    assert not any("'Ada'" in sql for sql in said)  # no row was taken along
    assert [agency.version(name) for name in agency.names] == ["a002"] * 3
    text = agency.run("rehearse").stdout
    assert "2 different schemas: 2 tenants pass, 1 would fail" in text


def test_a_half_applied_revision_goes_on_in_the_rehearsal(clinic: Clinic) -> None:
    """Its first statement is skipped there as it would be by a boot; with another file, it would stop."""
    clinic.statements("a002", EMAIL, PHONE, after="a001")
    clinic.dies("ADD COLUMN phone")
    scratch = clinic.fleet.server.url()

    passes = clinic.cli("rehearse", scratch_url=scratch)
    clinic.statements("a002", COUNT, PHONE, after="a001")
    fails = clinic.cli("rehearse", scratch_url=scratch)

    assert passes.code == Exit.OK, passes.stdout + passes.stderr
    assert f"{clinic.name} passes: a001 → a002" in passes.stdout
    assert fails.code == Exit.FINDINGS
    assert clinic.half() is not None
    assert "phone" not in clinic.columns("clients")


def test_rows_that_would_fail_are_found_on_demand(clinic: Clinic) -> None:
    """Duplicates, NULLs and orphans; without --with-data these statements are named as not seen."""
    clinic.do(
        "INSERT INTO clients (id, name) VALUES (4, 'Ada'), (5, NULL)",
        "CREATE TABLE notes (id INT PRIMARY KEY, client INT)",
        "INSERT INTO notes VALUES (1, 99)",
    )
    clinic.statements(
        "a002",
        "ALTER TABLE clients MODIFY name VARCHAR(50) NOT NULL",
        "ALTER TABLE clients ADD UNIQUE KEY once (name)",
        "ALTER TABLE notes ADD CONSTRAINT whose FOREIGN KEY (client) REFERENCES clients (id)",
        "CREATE TABLE fresh (id INT PRIMARY KEY, name VARCHAR(9))",
        "ALTER TABLE fresh ADD UNIQUE KEY alone (name)",
        COUNT,
        after="a001",
    )
    scratch = clinic.fleet.server.url()

    named = clinic.cli("rehearse", scratch_url=scratch, boot_rules="off")
    found = clinic.cli("rehearse", "--with-data", "--json", scratch_url=scratch)

    assert named.code == Exit.OK, named.stdout + named.stderr
    for why in ("NULLs", "duplicates", "rows without a parent", "how many rows it changes"):
        assert f"  a002: {why}: " in named.stdout
    assert "fresh" not in named.stdout
    assert found.code == Exit.FINDINGS
    bad = [one["why"] for one in found.json()["rows"] if one["bad"]]
    assert bad == ["NULLs", "duplicates", "rows without a parent"]


def test_drift_against_the_chain(clinic: Clinic) -> None:
    """What the chain makes at the tenant's revision, and what somebody made besides."""
    scratch = clinic.fleet.server.url()
    same = clinic.cli("drift", "--against", "chain", scratch_url=scratch)
    clinic.do("ALTER TABLE clients ADD COLUMN tier INT")
    other = clinic.cli("drift", "--against", "chain", scratch_url=scratch)

    assert same.code == Exit.OK, same.stdout + same.stderr
    assert other.code == Exit.FINDINGS
    assert f"{clinic.name} differs from what the chain makes at a001:" in other.stdout
    assert "+ `tier` int" in other.stdout


def test_drift_against_the_models(fleet: Fleets, ebhook: Ebhook, server: AnyServer) -> None:
    """By a scratch copy: the application never gets a connection to the tenant."""
    databases = fleet(1)
    settings = {"scratch_url": server.url(), "APP_DATABASE_URI": databases.url(databases.names[0])}
    agency = Agency(databases, ebhook, PROJECTS / "flask_migrate", settings)
    assert agency.run("upgrade").code == Exit.OK
    (name,) = agency.names
    table = sorted(agency.tables(name))[0]
    same = agency.run("drift", "--against", "models")
    agency.ask(name, f"ALTER TABLE {table} ADD COLUMN handmade INT")

    with general_log(server) as log:
        other = agency.run("drift", "--against", "models")
        changed = log.changes()

    assert same.code == Exit.OK, same.stdout + same.stderr
    assert other.code == Exit.FINDINGS, other.stdout + other.stderr
    assert f"column {table}.handmade: in the chain, not in the models" in other.stdout
    assert name not in changed
