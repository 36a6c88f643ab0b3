"""``flask db …`` with ``ebhook.flask.options()``: a real application, Flask-Migrate 4 and 3."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ebhook.chain.folder import read_chain
from ebhook.scratch.installation import Flavour
from tests.conftest import IN_CI, Ebhook, Fleet, Fleets, clean_environment

# What Flask-Migrate does depends on no server.
pytestmark = pytest.mark.parametrize("server", [Flavour.MYSQL], ids=str, indirect=True)

APP = """\
import os
from datetime import datetime

import ebhook.flask
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func

db = SQLAlchemy()


class Client(db.Model):
    __tablename__ = "clients"
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(100), nullable=False)
{more}

def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["APP_DATABASE_URI"]
    db.init_app(app)
    Migrate(app, db, **ebhook.flask.options())
    return app
"""
TABLES = """
class Visit(db.Model):
    __tablename__ = "visits"
    id = db.Column(db.Integer, primary_key=True)
    made = db.Column(db.DateTime, nullable=False, server_default=func.now())

"""
# One process for several commands: starting Flask is what takes the time.
RUNNER = """
import json, sys
from flask.cli import FlaskGroup, ScriptInfo
for arguments in json.loads(sys.argv[1]):
    print("$ flask db " + " ".join(arguments), flush=True)
    try:
        FlaskGroup(name="flask").main(["db", *arguments], standalone_mode=False,
                                      obj=ScriptInfo(app_import_path="app:create_app"))
    except SystemExit as error:
        print("exit", error.code, flush=True)
"""


@dataclass(frozen=True)
class Project:
    """A Flask project whose ``flask db init`` was made by the Flask-Migrate at hand."""

    folder: Path
    fleet: Fleet
    older: Path | None  # Flask-Migrate 3, in front of the installed one

    @property
    def versions(self) -> list[Path]:
        return sorted((self.folder / "migrations/versions").glob("*.py"))

    def models(self, more: str = "") -> None:
        (self.folder / "app.py").write_text(APP.format(more=more))

    def db(self, *commands: str | list[str]) -> str:
        """Runs ``flask db`` commands, one after the other; what they print."""
        listed = [one.split() if isinstance(one, str) else one for one in commands]
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, json.dumps(listed)],
            cwd=self.folder,
            env=clean_environment()
            | {
                "APP_DATABASE_URI": self.fleet.url(self.fleet.names[0]),
                "PYTHONPATH": os.pathsep.join([*([str(self.older)] * bool(self.older)), "."]),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        with self.fleet.connect(self.fleet.names[0]) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


def install_flask_migrate_3() -> Path:
    """Flask-Migrate 3 in a folder of the tests' own, fetched once."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "ebhook" / "tests" / "flask-migrate-3"
    if not (folder / "flask_migrate").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        done = subprocess.run(
            [*pip, str(folder), "flask-migrate>=3.1,<4"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            text = f"Flask-Migrate 3 could not be fetched: {done.stderr.strip()[-300:]}"
            if IN_CI:
                pytest.fail(text, pytrace=False)
            pytest.skip(f"NOTHING WAS TESTED WITH FLASK-MIGRATE 3. {text}")
    return folder


@pytest.fixture(params=[4, 3], ids=["fm4", "fm3"])
def project(request: pytest.FixtureRequest, fleet: Fleets, tmp_path: Path) -> Project:
    """A new project with one table in its models and no revision yet."""
    older = install_flask_migrate_3() if request.param == 3 else None
    project = Project(tmp_path, fleet(1), older)
    (tmp_path / "ebhook.toml").write_text('flask_app = "app:create_app"\n')
    project.models()
    return project


def test_flask_db_goes_on_under_the_rules(project: Project, ebhook: Ebhook) -> None:
    """From ``flask db init`` to a merge, and ``ebhook boot`` over the same folder."""
    said = project.db(
        "init",
        ["migrate", "-m", "add clients"],  # no ticket
        ["migrate", "-m", "JMS-1 add clients"],
        "upgrade",
        "current",
        "heads",
        ["migrate", "-m", "JMS-2 nothing"],
        ["revision", "-m", "nothing"],
    )

    assert said.count("does not begin with a ticket") == 2
    assert "exit 1" in said
    (first,) = project.versions
    assert first.name.endswith("_jms_1_add_clients.py")
    head = first.name.partition("_")[0]
    assert said.count(f"{head} (head)") == 2
    assert "No changes in schema detected" in said
    assert read_chain(project.folder / "migrations").head == head
    assert f"head {head} " in (project.folder / "migrations/chain.sum").read_text()

    # `upgrade` made the tables of ebhook; `migrate` must not take them for ghosts of the models.
    tables = {name for (name,) in project.execute("SHOW TABLES")}
    assert {"migration_lock", "migration_journal"} <= tables
    # A database with ghosts, and models that lack a column and have new things.
    project.execute(
        "CREATE TABLE leftovers (id INT PRIMARY KEY)",
        "ALTER TABLE clients ADD COLUMN ghost INT",
    )
    project.models(
        '    tier = db.Column(db.Integer, server_default="1", nullable=False)\n' + TABLES
    )
    said = project.db(["migrate", "-m", "JMS-2 add visits"], "upgrade")
    if project.older is None:  # Flask-Migrate 3 has no such command
        assert "New upgrade operations detected" in project.db("check")  # it tells of the ghosts

    assert "drop table leftovers" in said
    assert "drop column clients.ghost" in said
    assert 'written as text("CURRENT_TIMESTAMP")' in said
    assert "migration_" not in said
    (second,) = set(project.versions) - {first}
    text = second.read_text()
    assert "create_table('visits'" in text
    assert "'tier'" in text
    upgrade, downgrade = text.split("def downgrade")
    assert "drop" not in upgrade
    assert "create" not in downgrade.replace("create_table_comment", "")
    assert "CURRENT_TIMESTAMP" in text

    project.models(
        "    tier = db.Column(db.Integer, nullable=False)\n    rank = db.Column(db.Integer, nullable=False)\n"
        + TABLES
    )
    said = project.db(["migrate", "-m", "JMS-3 add rank"])
    assert "clients.rank (INTEGER) is NOT NULL and has no server default" in said
    assert len(project.versions) == 2

    said = project.db(
        ["revision", "-m", "JMS-3 one", "--rev-id", "one"],
        ["revision", "-m", "JMS-4 two", "--rev-id", "two", "--head", second.name[:12], "--splice"],
        ["merge", "heads", "-m", "JMS-5 merge"],
        "heads",
        "history",
        "upgrade",
        "downgrade",
        "upgrade",
        "current",
    )
    assert "ebhook relink two" in said  # two heads, for a moment
    assert said.count("(head)") == 3
    chain = read_chain(project.folder / "migrations")
    assert chain.head is not None
    assert set(chain.revisions[chain.head].parents) == {"one", "two"}
    assert project.execute("SELECT version_num FROM alembic_version") == [(chain.head,)]

    name = project.fleet.names[0]
    done = ebhook(
        "boot",
        cwd=project.folder,
        env={
            "EBHOOK_TENANTS_URL": project.fleet.url(name),
            "APP_DATABASE_URI": project.fleet.url(name),
        },
    )
    assert done.code == 0, done.stderr


def test_ebhook_migrate_in_the_same_project(project: Project, ebhook: Ebhook) -> None:
    """Its own command asks no developer's database, and answers the questions."""
    project.db("init", ["migrate", "-m", "JMS-1 add clients"])
    project.models("    tier = db.Column(db.Integer, nullable=False)\n")

    done = ebhook(
        "migrate",
        "-m",
        "JMS-2 add tier",
        "--server-default",
        "clients.tier=3",
        cwd=project.folder,
        env={
            "APP_DATABASE_URI": "mysql+pymysql://nobody@127.0.0.1:1/none",
            "EBHOOK_SCRATCH_URL": project.fleet.url(""),
            "PYTHONPATH": str(project.older or ""),
        },
    )

    assert done.code == 0, done.stderr
    assert "add column clients.tier" in done.stdout
    assert (
        "server_default=sa.text('3')"
        in project.versions[-1].read_text() + project.versions[0].read_text()
    )


@pytest.mark.parametrize("project", [4], ids=["fm4"], indirect=True)
def test_another_folder_than_the_settings_say(project: Project) -> None:
    """Two folders would be two chains: refused, and the setting named."""
    (project.folder / "ebhook.toml").write_text('migrations = "db/migrations"\n')

    said = project.db("init", ["migrate", "-m", "JMS-1 add clients"])

    assert "ebhook's setting migrations says" in said
    assert project.versions == []
