"""docs/privileges.md: a user with exactly its grants can do what each section promises."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymysql.connections import Connection

from ebhook.database.grants import granted
from ebhook.database.url import parse_url
from ebhook.doctor.privileges import NEEDED, OFTEN, tried
from ebhook.errors import Exit
from ebhook.scratch.installation import Flavour
from tests.conftest import AnyServer, Ebhook, Fleet, Fleets

ROOT = Path(__file__).parents[2]
PROJECTS = ROOT / "tests" / "projects"
TEXT = (ROOT / "docs" / "privileges.md").read_text("utf-8")
SECTIONS = {
    match[1]: match[2]
    for match in re.finditer(r"^## (.+?)\n.*?^```sql\n(.*?)^```", TEXT, re.M | re.S)
}
BOOT = "To boot and to upgrade"


@dataclass
class User:
    """A user of the server, who may do nothing at first."""

    server: AnyServer
    agencies: Fleet
    name: str
    password: str = "hunter2secret"

    def grant(self, statements: str, registry: str = "registry") -> None:
        """Runs GRANTs as the document has them, for these agencies and this user."""
        pattern = self.agencies.names[0].rpartition("_")[0].replace("_", "\\_") + "\\_%"
        for statement in statements.split(";"):
            if statement.strip():
                statement = statement.replace("agency\\_%", pattern)
                statement = statement.replace("registry.", f"`{registry}`.")
                self.run(statement.replace("deploy@'%'", f"{self.name}@'127.0.0.1'"))

    def run(self, statement: str) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def connect(self) -> Connection:
        return self.server.connect(user=self.name, password=self.password, autocommit=False)

    @property
    def env(self) -> dict[str, str]:
        url = parse_url(self.agencies.url("x"))
        login = f"{self.name}:{self.password}@{url.host}:{url.port}"
        return {
            "EBHOOK_TENANTS_URL": f"mysql+pymysql://{login}/{{tenant}}",
            "EBHOOK_TENANTS_NAMES": ",".join(self.agencies.names),
        }


@pytest.fixture
def user(server: AnyServer, fleet: Fleets) -> Iterator[User]:
    made = User(server, fleet(2, prefix="agency"), f"deploy_{secrets.token_hex(3)}")
    made.run(f"CREATE USER {made.name}@'127.0.0.1' IDENTIFIED BY '{made.password}'")
    yield made
    made.run(f"DROP USER {made.name}@'127.0.0.1'")


def test_the_first_section_is_what_the_doctor_looks_for() -> None:
    """One list of privileges, written twice."""
    words = re.search(r"GRANT (.+?) ON", SECTIONS[BOOT])

    assert words is not None
    assert tuple(words[1].split(", ")) == NEEDED
    others = SECTIONS["For foreign keys"] + SECTIONS["To downgrade"]
    assert tuple(re.findall(r"GRANT (\w+) ON", others)) == OFTEN


def test_a_boot_with_nothing_more(ebhook: Ebhook, user: User) -> None:
    """First boot, status, a boot at head, a lock that is cleared."""
    user.grant(SECTIONS[BOOT])
    project = PROJECTS / "batch"

    first = ebhook("boot", "--json", cwd=project, env=user.env)
    status = ebhook("status", cwd=project, env=user.env)
    second = ebhook("boot", cwd=project, env=user.env)
    cleared = ebhook("lock", "clear", "--all", cwd=project, env=user.env)

    assert first.code == Exit.OK, first.stderr
    assert {tenant["outcome"] for tenant in first.json()["tenants"]} == {"upgraded"}
    assert [status.code, second.code, cleared.code] == [0, 0, 0], status.stderr + second.stderr


def test_the_agencys_own_chain_with_foreign_keys_and_back(ebhook: Ebhook, user: User) -> None:
    """REFERENCES for the way up, and DROP for the way down."""
    user.grant(SECTIONS[BOOT] + SECTIONS["For foreign keys"])

    up = ebhook("boot", cwd=ROOT, env=user.env)
    user.grant(SECTIONS["To downgrade"])
    down = ebhook("downgrade", user.agencies.names[0], "base", "--yes", cwd=ROOT, env=user.env)

    assert up.code == Exit.OK, up.stderr
    assert down.code == Exit.OK, down.stderr


def test_a_registry_and_looking_only(ebhook: Ebhook, user: User, fleet: Fleets) -> None:
    """SELECT is enough to see where all stand, and who they are."""
    registry = fleet(1, prefix="registry").names[0]
    user.run(f"CREATE TABLE `{registry}`.agency (name VARCHAR(64))")
    for name in user.agencies.names:
        user.run(f"INSERT INTO `{registry}`.agency VALUES ('{name}')")
    user.grant(SECTIONS["To read tenants from a registry"] + SECTIONS["To look only"], registry)
    env = user.env
    del env["EBHOOK_TENANTS_NAMES"]
    env["EBHOOK_TENANTS_QUERY"] = "SELECT name FROM agency"
    env["EBHOOK_TENANTS_QUERY_URL"] = env["EBHOOK_TENANTS_URL"].replace("{tenant}", registry)

    for command in (["status"], ["lock", "list"], ["history", "--all"]):
        ran = ebhook(*command, cwd=PROJECTS / "linear", env=env)
        assert ran.code in (Exit.OK, Exit.FINDINGS), ran.stderr

    refused = ebhook("boot", cwd=PROJECTS / "linear", env=env)
    assert refused.code == Exit.PERSON
    assert "hunter2" not in refused.stderr + refused.stdout


THINGS = """
revision = "v001"
down_revision = None
from alembic import op
def upgrade():
    op.execute("CREATE TABLE cases (id INT PRIMARY KEY, note INT)")
    op.execute("CREATE VIEW open_cases AS SELECT id FROM cases")
    op.execute("CREATE PROCEDURE close_all() UPDATE cases SET note = 1")
    op.execute("CREATE FUNCTION first_id() RETURNS INT DETERMINISTIC RETURN 1")
    op.execute("ALTER PROCEDURE close_all COMMENT 'all of them'")
    op.execute("CREATE TRIGGER noted BEFORE INSERT ON cases FOR EACH ROW SET NEW.note = 2")
    op.execute("CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM cases")
def downgrade():
    pass
"""


@contextmanager
def trusted(user: User, yes: bool) -> Iterator[None]:
    """With the binary log, MySQL wants to be told that functions and triggers do the same twice."""
    setting = "log_bin_trust_function_creators"
    assert setting in TEXT
    with user.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT @@{setting}")
        (before,) = cursor.fetchone()
        cursor.execute(f"SET GLOBAL {setting} = {yes:d}")
        try:
            yield
        finally:
            cursor.execute(f"SET GLOBAL {setting} = {before}")


def test_views_routines_triggers_and_events(ebhook: Ebhook, user: User, tmp_path: Path) -> None:
    """A migration that makes one of each; without the section's grants it is refused, and so it is
    without the setting that the section names, where there is a binary log."""
    (section,) = (name for name in SECTIONS if name.startswith("For views"))
    project = tmp_path / "things"
    shutil.copytree(PROJECTS / "linear", project, ignore=shutil.ignore_patterns("__pycache__"))
    for file in project.glob("migrations/versions/*.py"):
        file.unlink()
    (project / "migrations/versions/v001_things.py").write_text(THINGS)
    user.grant(SECTIONS[BOOT])

    refused = ebhook("boot", cwd=project, env=user.env)
    user.grant(SECTIONS[section])
    with trusted(user, False):
        distrusted = ebhook("boot", cwd=project, env=user.env)
    with trusted(user, True):
        done = ebhook("boot", cwd=project, env=user.env)

    assert refused.code == Exit.PERSON
    assert "CREATE VIEW" in refused.stderr
    if user.server.flavour is Flavour.MYSQL:  # the private MariaDB has no binary log
        assert distrusted.code == Exit.PERSON
        assert "(1419)" in distrusted.stderr
    assert done.code == Exit.OK, done.stderr
    with user.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"USE `{user.agencies.names[0]}`")
        cursor.execute("INSERT INTO cases (id) SELECT first_id()")
        cursor.execute("CALL close_all()")
        cursor.execute("SELECT id FROM open_cases")
        assert cursor.fetchall() == ((1,),)


@pytest.mark.parametrize("server", [Flavour.MYSQL], indirect=True)
def test_who_is_in_the_way(ebhook: Ebhook, user: User) -> None:
    """MySQL tells it to somebody who may read performance_schema, and to nobody else; the work is
    done either way."""
    (section,) = (name for name in SECTIONS if name.startswith("To say who"))
    user.grant(SECTIONS[BOOT] + SECTIONS["For foreign keys"])
    (name, other), env = user.agencies.names, user.env | {"EBHOOK_DDL_LOCK_WAIT_TIMEOUT": "1"}
    assert ebhook("upgrade", "--to", "a002", cwd=PROJECTS / "linear", env=env).code == Exit.OK

    seen = []
    for tenant in (name, other):
        with user.agencies.connect(tenant, autocommit=False) as person, person.cursor() as cursor:
            cursor.execute("SELECT * FROM clients")
            process = ebhook.start("upgrade", tenant, cwd=PROJECTS / "linear", env=env)
            assert process.stderr is not None
            told = next(line for line in process.stderr if "1205" in line)
            seen.append(f"connection {person.thread_id()} " in told)  # type: ignore[no-untyped-call]
        process.communicate()
        assert process.returncode == Exit.OK
        user.grant(SECTIONS[section])

    assert seen == [False, True]


def test_the_rest_are_grants(user: User) -> None:
    """The server takes every statement of the document."""
    for section in SECTIONS.values():
        if "registry" not in section:
            user.grant(section)


@pytest.mark.parametrize("missing", [*NEEDED, *OFTEN])
def test_each_missing_privilege_is_found(user: User, missing: str) -> None:
    """By trying, where tables may be dropped; else by what SHOW GRANTS tells. Nothing stays behind."""
    rest = [privilege for privilege in (*NEEDED, *OFTEN) if privilege != missing]
    user.grant(f"GRANT {', '.join(rest)} ON `agency\\_%`.* TO deploy@'%'")
    name = user.agencies.names[0]
    connection = user.connect()
    try:
        assert {*NEEDED, *OFTEN} - granted(connection, name) == {missing}
        refused = tried(connection, name)
    finally:
        connection.close()

    # MariaDB lets a table refer to itself without REFERENCES; an UPDATE without SELECT is allowed.
    assert refused == {missing} or (missing == "REFERENCES" and not refused)
    with user.agencies.connect(name) as root, root.cursor() as cursor:
        assert cursor.execute("SHOW TABLES") == 0


@pytest.mark.parametrize(
    ("place", "covers"),
    [("*.*", True), ("`agency\\_%`.*", True), ("`agenc_\\_%`.*", True), ("`agency\\_x%`.*", False)],
)
def test_patterns_of_grants(user: User, place: str, covers: bool) -> None:
    """``_`` and ``%`` are wildcards in a grant, and escaped ones are not."""
    prefix = user.agencies.names[0].partition("_")[0]
    place = place.replace("agency", prefix)
    user.run(f"GRANT SELECT ON {place} TO {user.name}@'127.0.0.1'")
    connection = user.connect()
    try:
        assert ("SELECT" in granted(connection, user.agencies.names[0])) is covers
    finally:
        connection.close()


def test_privileges_by_a_role(user: User) -> None:
    """A role's count while it is active."""
    role = f"{user.name}_role"
    host = "" if user.server.flavour == "mariadb" else "@'%'"
    user.run(f"CREATE ROLE {role}")
    try:
        user.run(f"GRANT ALL ON `{user.agencies.names[0]}`.* TO {role}{host}")
        user.run(f"GRANT {role}{host} TO {user.name}@'127.0.0.1'")
        given = "FOR" if user.server.flavour == "mariadb" else "TO"
        user.run(f"SET DEFAULT ROLE {role}{host} {given} {user.name}@'127.0.0.1'")
        connection = user.connect()
        try:
            assert granted(connection, user.agencies.names[0]) >= {*NEEDED, *OFTEN}
        finally:
            connection.close()
    finally:
        user.run(f"DROP ROLE {role}")
