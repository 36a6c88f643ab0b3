"""The tiny projects are what their README says, by Alembic's and Flask-Migrate's own commands.

No ebhook here: what these projects do without it is what the other tests measure it against.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import Fleet, Fleets
from tests.projects.make_chain import make_chain
from tests.support import preloaded_python

PROJECTS = Path(__file__).parents[1] / "projects"

Rows = list[tuple[object, ...]]
Copy = Callable[[str], Path]
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True)
class Home:
    """An empty database, and the ways to bring a project's chain there."""

    fleet: Fleet
    run: Run

    @property
    def url(self) -> str:
        return self.fleet.url(self.fleet.names[0])

    def rows(self, query: str) -> Rows:
        with self.fleet.connect(self.fleet.names[0]) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def columns(self, table: str) -> list[object]:
        return [row[0] for row in self.rows(f"SHOW COLUMNS FROM {table}")]

    def alembic(self, project: Path, *commands: str) -> subprocess.CompletedProcess[str]:
        """``alembic`` commands in `project`, whose ini file is given this database's URL."""
        ini = ConfigParser(interpolation=None)
        ini.read(project / "alembic.ini")
        ini["alembic"]["sqlalchemy.url"] = self.url
        with (project / "alembic.ini").open("w") as file:
            ini.write(file)
        program = f"from alembic.config import main\nfor c in {commands}: main(c.split())"
        return self.run(project, "-c", program, env={"APP_DATABASE_URI": self.url})

    def flask(self, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """``flask db …`` in `project`, whose application's own database this is."""
        return self.run(
            project, "-m", "flask", "db", *arguments, env={"APP_DATABASE_URI": self.url}
        )


def installed(package: str) -> Path:
    """The folder of an installed package."""
    spec = find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


@pytest.fixture(scope="module")
def python() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, preloaded_python.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(preloaded_python.__file__).parent,
    ) as running:
        yield running


@pytest.fixture
def run(python: subprocess.Popen[str], tmp_path: Path) -> Run:
    """``run(project, "-m", "flask", …)``: a program of Python in a project's folder."""

    def run(
        project: Path, *arguments: str, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        assert python.stdin
        assert python.stdout
        output = [tmp_path / "stdout", tmp_path / "stderr"]
        request = {
            "arguments": arguments,
            "folder": str(project),
            "env": {**os.environ, "EBHOOK_TEST_SLOW": "0.1", **env},
            "output": [str(path) for path in output],
        }
        print(json.dumps(request), file=python.stdin, flush=True)
        code = int(python.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, *(path.read_text() for path in output))

    return run


@pytest.fixture
def home(fleet: Fleets, run: Run) -> Home:
    return Home(fleet(1), run)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Copies a project to where it may be changed."""

    def copied(name: str) -> Path:
        folder = tmp_path / name
        for source in (PROJECTS / name).rglob("*"):
            if source.is_file() and "__pycache__" not in source.parts:
                target = folder / source.relative_to(PROJECTS / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
        return folder

    return copied


@pytest.mark.parametrize(
    ("project", "head"),
    [
        ("batch", "a002"),
        ("engine_from_config", "a002"),
        ("indexes", "a002"),
        ("linear", "a005"),
        ("merge", "a004"),
        ("own_connection", "a002"),
        ("prints", "a002"),
        ("revision_connects", "a002"),
        ("run_arguments", "a002"),
        ("slow", "a003"),
        ("slow_ddl", "a003"),
        ("version_table", "a002"),
    ],
)
def test_healthy_projects_go_up_and_down(home: Home, copy: Copy, project: str, head: str) -> None:
    """To head, to base, to head, with the plain ``alembic`` command."""
    folder = copy(project)

    done = home.alembic(folder, "upgrade head", "downgrade base", "upgrade head")

    assert done.returncode == 0, done.stderr
    table = "schema_version" if project == "version_table" else "alembic_version"
    assert home.rows(f"SELECT * FROM {table}") == [(head,)]


@pytest.mark.parametrize(
    ("project", "complaint"),
    [
        ("two_heads", "Multiple head revisions are present"),
        ("missing_parent", "KeyError: 'a002'"),
        ("duplicate_id", "Revision a002 is present more than once"),
        ("cycle", "Cycle is detected in revisions"),
        ("syntax_error", "SyntaxError: '(' was never closed"),
        ("env_raises", "RuntimeError: SECRET_KEY is not set"),
    ],
)
def test_broken_projects_are_broken(home: Home, copy: Copy, project: str, complaint: str) -> None:
    """Alembic refuses each for the reason in its name, and makes at most its own table."""
    done = home.alembic(copy(project), "upgrade head")

    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr
    assert home.rows("SHOW TABLES") in ([], [("alembic_version",)])


def test_empty_chain_has_nothing_to_do(home: Home, copy: Copy) -> None:
    """A chain without revisions upgrades to head, which is nowhere."""
    done = home.alembic(copy("empty_chain"), "upgrade head")

    assert done.returncode == 0, done.stderr
    assert home.rows("SELECT * FROM alembic_version") == []


def test_fails_midway_leaves_two_of_three_statements(home: Home, copy: Copy) -> None:
    """Alembic alone stays at ``a001`` with both new columns there, and can never pass ``a002``."""
    folder = copy("fails_midway")

    first = home.alembic(folder, "upgrade head")

    assert "1060" in first.stderr
    assert home.rows("SELECT * FROM alembic_version") == [("a001",)]
    assert home.columns("clients") == ["id", "name", "email", "phone"]
    assert "Duplicate column name 'email'" in home.alembic(folder, "upgrade head").stderr


def test_linear_shows_whether_its_data_was_written_twice(home: Home, copy: Copy) -> None:
    """One run of ``a005`` gives these numbers; another would give others."""
    home.alembic(copy("linear"), "upgrade head")

    assert home.rows("SELECT code, sort_order FROM visit_kinds ORDER BY code") == [
        ("home", 11),
        ("office", 12),
    ]


def test_prints_writes_everywhere(home: Home, copy: Copy) -> None:
    """What env.py and the revisions print is on both streams of the plain command."""
    done = home.alembic(copy("prints"), "upgrade head")

    assert '{"looks": "like JSON"}' in done.stdout
    assert "a002 logs" in done.stderr


def test_flask_migrate_project_upgrades_the_database_of_its_application(
    home: Home, copy: Copy
) -> None:
    """``flask db upgrade`` and ``flask db check`` are content with chain and models."""
    folder = copy("flask_migrate")

    for command in ("upgrade", "downgrade base", "upgrade", "check"):
        done = home.flask(folder, *command.split())
        assert done.returncode == 0, done.stderr

    assert home.columns("clients") == ["id", "name", "tier"]


def test_multidb_project_upgrades_two_databases(fleet: Fleets, copy: Copy, run: Run) -> None:
    """With Flask-Migrate alone, one command changes both."""
    databases = fleet(2)
    own, audit = databases.names
    urls = {"APP_DATABASE_URI": databases.url(own), "APP_AUDIT_URI": databases.url(audit)}

    done = run(copy("flask_migrate_multidb"), "-m", "flask", "db", "upgrade", env=urls)

    assert done.returncode == 0, done.stderr
    for name, table in ((own, "clients"), (audit, "audits")):
        with databases.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            assert {row[0] for row in cursor.fetchall()} == {"alembic_version", table}


@pytest.mark.parametrize(
    ("project", "template"),
    [
        ("engine_from_config/alembic", installed("alembic") / "templates/generic"),
        ("flask_migrate/migrations", installed("flask_migrate") / "templates/flask"),
        (
            "flask_migrate_multidb/migrations",
            installed("flask_migrate") / "templates/flask-multidb",
        ),
    ],
)
def test_stock_environments_are_still_stock(project: str, template: Path) -> None:
    """The env.py files are the tools' own, byte for byte."""
    assert (PROJECTS / project / "env.py").read_bytes() == (template / "env.py").read_bytes()


@pytest.mark.parametrize("flask", [False, True], ids=["plain", "flask"])
def test_made_chain_reaches_its_head_from_where_it_stands(
    home: Home, tmp_path: Path, flask: bool
) -> None:
    """The shortcut by SQL leaves a database that the rest of the chain goes on from."""
    chain = make_chain(tmp_path / "long", 20, behind=5, flask=flask)
    for statement in chain.sql_to_stand_at(chain.stands_at):
        home.rows(statement)

    done = (
        home.flask(chain.folder, "upgrade") if flask else home.alembic(chain.folder, "upgrade head")
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Running upgrade") == (5 if flask else 0)
    assert home.rows("SELECT * FROM alembic_version") == [(chain.head,)]


def test_made_chain_by_sql_is_the_same_as_by_alembic(
    fleet: Fleets, tmp_path: Path, run: Run
) -> None:
    """The whole shortcut makes the tables that the revisions make."""
    chain = make_chain(tmp_path / "long", 7)
    by_sql, by_alembic = Home(fleet(1), run), Home(fleet(1), run)
    for statement in chain.sql_to_stand_at(chain.head, whole=True):
        by_sql.rows(statement)
    by_alembic.alembic(chain.folder, "upgrade head")

    tables = [str(row[0]) for row in by_alembic.rows("SHOW TABLES")]
    assert len(tables) == 5
    for table in tables:
        assert by_sql.rows(f"SHOW CREATE TABLE {table}") == by_alembic.rows(
            f"SHOW CREATE TABLE {table}"
        )
