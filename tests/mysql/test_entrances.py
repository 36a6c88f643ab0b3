"""One lock at every entrance: flask db and alembic with ebhook's line, and what is seen without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ebhook.errors import Exit
from tests.conftest import Ebhook, Fleets, clean_environment
from tests.support.agency import PROJECTS, Agency
from tests.support.watching import PATIENCE, ask, running, until

SLOW = """\"\"\"JMS-4 count visits\"\"\"

from alembic import op

revision = "a004"
down_revision = "a003"


def upgrade():
    op.execute("CREATE TABLE counted (id INT PRIMARY KEY AUTO_INCREMENT)")
    op.execute("DO SLEEP(1)")
    op.execute("INSERT INTO counted () VALUES ()")


def downgrade():
    op.execute("DROP TABLE counted")
"""


@dataclass(frozen=True)
class Entrance:
    """One tenant, a project, and another program that changes its schema."""

    agency: Agency
    program: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.agency.names[0]

    def environment(self) -> Mapping[str, str]:
        url = self.agency.fleet.url(self.name)
        return clean_environment() | {
            "APP_DATABASE_URI": url,
            "PYTHONPATH": str(self.agency.project),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *self.program, *words],
            cwd=self.agency.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        said, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode == 0) == (code == 0), said
        return said

    def history(self) -> list[tuple[str, str, str]]:
        """Kind, revision and command of the journal's rows."""
        sql = "SELECT kind, COALESCE(revision, ''), command FROM migration_journal ORDER BY id"
        return [(str(a), str(b), str(c)) for a, b, c in self.agency.ask(self.name, sql)]


FLASK, ALEMBIC = ("flask", "--app", "app:create_app", "db"), ("alembic",)


@pytest.fixture(params=["flask db", "alembic"])
def entrance(
    request: pytest.FixtureRequest, fleet: Fleets, ebhook: Ebhook, tmp_path: Path
) -> Entrance:
    """Flask-Migrate with its one line in the application, or plain Alembic with one in env.py."""
    return project_with_line(request.param, fleet, ebhook, tmp_path, guarded=True)


def project_with_line(
    kind: str, fleet: Fleets, ebhook: Ebhook, folder: Path, *, guarded: bool
) -> Entrance:
    flask = kind == "flask db"
    project = folder / "project"
    source = "flask_migrate" if flask else "linear"
    shutil.copytree(PROJECTS / source, project)
    versions = project / "migrations" / "versions"
    for later in versions.glob("a00[4-9]*"):
        later.unlink()
    (versions / "a004_jms_4.py").write_text(SLOW)
    if flask:
        _replace(project / "app.py", "(app, db)", "(app, db, **ebhook.flask.options())" * guarded)
        _replace(project / "app.py", "import os\n", "import os\nimport ebhook.flask\n")
    else:
        env = project / "migrations" / "env.py"
        url = 'config.set_main_option("sqlalchemy.url", __import__("os").environ["APP_DATABASE_URI"])\n'
        line = "import ebhook.alembic\nebhook.alembic.guard()\n" * guarded
        _replace(env, "config = context.config\n", f"config = context.config\n{url}{line}")
    one = fleet(1)
    agency = Agency(one, ebhook, project, {"APP_DATABASE_URI": one.url(one.names[0])})
    return Entrance(agency, FLASK if flask else ALEMBIC)


def _replace(path: Path, old: str, new: str) -> None:
    if new:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def test_it_respects_a_freeze_and_writes_the_journal(entrance: Entrance) -> None:
    """Refused while frozen; then up, down and stamp go through the lock, and are in the history."""
    agency, name = entrance.agency, entrance.name
    assert agency.run("upgrade", "--to", "a002").code == 0
    agency.ask(name, "INSERT INTO migration_lock (holder) VALUES ('Bea: restore')")

    said = entrance.run("upgrade", "head", code=1)
    assert "Bea: restore (by hand)" in said
    assert "Traceback" not in said
    assert agency.version(name) == "a002"
    agency.ask(name, "DELETE FROM migration_lock;")

    program = " ".join(entrance.program[-1:]).replace("db", "flask db")
    said = entrance.run("upgrade", "head")
    assert f"{name}: a003" in said
    assert agency.version(name) == "a004"
    entrance.run("downgrade", *(["--", "-1"] if "flask" in program else ["-1"]))
    assert agency.version(name) == "a003"
    entrance.run("stamp", "a004")
    assert entrance.history()[-4:] == [
        ("upgrade", "a003", f"{program} upgrade"),
        ("upgrade", "a004", f"{program} upgrade"),
        ("downgrade", "a004", f"{program} downgrade"),
        ("stamped", "", f"{program} stamp"),
    ]
    assert agency.version(name) == "a004"
    assert agency.lock_rows() == []
    assert name not in entrance.run("upgrade", "head")  # nothing to do
    assert "a004 (head)" in entrance.run("current")


def test_it_and_a_boot_run_a_revision_once(entrance: Entrance) -> None:
    """Started beside a boot, it waits for it, and finds nothing left to do."""
    agency, name = entrance.agency, entrance.name
    boot = agency.start("boot")
    with agency.fleet.connect(name) as connection:
        until(lambda: running(connection, name, "SLEEP"), "the boot is in the middle")
        other = entrance.start("upgrade", "head")
        assert boot.end().code == 0
        said, _ = other.communicate(timeout=PATIENCE)
    assert other.returncode == 0, said
    assert agency.ask(name, "SELECT COUNT(*) FROM counted") == [(1,)]
    assert agency.version(name) == "a004"


def test_who_comes_without_the_line_is_noticed(
    fleet: Fleets, ebhook: Ebhook, tmp_path: Path
) -> None:
    """Plain Alembic moves the version in the middle of a boot's run: the boot stops, and says so."""
    entrance = project_with_line("alembic", fleet, ebhook, tmp_path, guarded=False)
    agency, name = entrance.agency, entrance.name
    assert agency.run("upgrade", "--to", "a003").code == 0
    slow = agency.project / "migrations" / "versions" / "a004_jms_4.py"
    _replace(slow, "DO SLEEP(1)", f"DO GET_LOCK('go {name}', 60)")
    with agency.fleet.connect(name) as gate:
        ask(gate, "DO GET_LOCK(%s, 0)", f"go {name}")
        boot = agency.start("boot")
        until(lambda: running(gate, name, "go tenant"), "the boot is in the middle")
        entrance.run("stamp", "head")
    ended = boot.end()
    assert ended.code == Exit.PERSON, ended.stderr
    assert "somebody else moved the version from a003 to a004" in ended.stdout + ended.stderr
    assert agency.run("status", "--json").json()["tenants"][0]["half_applied"] is None
