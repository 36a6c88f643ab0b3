"""``ebhook migrate``, ``merge``, ``relink`` and ``chain``, as a developer types them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ebhook.authoring.ticket import check_message
from ebhook.chain.folder import read_chain
from ebhook.errors import UsageFailed
from ebhook.scratch.databases import PREFIX
from ebhook.scratch.installation import Flavour
from ebhook.settings import Settings
from tests.conftest import AnyServer, Ebhook, Fleet, Fleets, Ran, clean_environment

PROJECTS = Path(__file__).parents[1] / "projects"

# A plain env.py with wishes of its own, on a database that nobody can reach.
ENV = """\
from alembic import context
from sqlalchemy import create_engine, pool

from models import metadata

engine = create_engine("mysql+pymysql://nobody@127.0.0.1:1/none", poolclass=pool.NullPool)


def include_object(item, name, kind, reflected, compare_to):
    return name != "private"


def process(context, revision, directives):
    print("env.py's own hook:", directives[0].message)
    directives[0].imports.add("import hashlib  # from env.py's own hook")


with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=include_object,
        process_revision_directives=process,
    )
    with context.begin_transaction():
        context.run_migrations()
"""
MODELS = """\
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

metadata = sa.MetaData()
sa.Table(
    "clients", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
{columns})
sa.Table("visits", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("client_id", sa.Integer, sa.ForeignKey("clients.id"), nullable=False),
    sa.Column("visited_on", sa.Date, nullable=False),
)
{tables}
"""
SAME = '    sa.Column("tier", sa.String(16), server_default="standard", nullable=False),\n'

Migrate = Callable[..., Ran]

# For what depends on no server.
one_flavour = pytest.mark.parametrize("server", [Flavour.MYSQL], ids=str, indirect=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three revisions, the models that they make, and an env.py with hooks of its own."""
    versions = tmp_path / "migrations/versions"
    versions.mkdir(parents=True)
    source = PROJECTS / "linear/migrations"
    for path in sorted((source / "versions").glob("a00[123]*.py")):
        (versions / path.name).write_bytes(path.read_bytes())
    template = (source / "script.py.mako").read_bytes()
    (tmp_path / "migrations/script.py.mako").write_bytes(template)
    (tmp_path / "migrations/env.py").write_text(ENV)
    models(tmp_path)
    return tmp_path


def models(project: Path, columns: str = SAME, tables: str = "") -> None:
    (project / "models.py").write_text(MODELS.format(columns=columns, tables=tables))


def versions(project: Path) -> set[str]:
    return {path.name for path in (project / "migrations/versions").glob("*.py")}


@pytest.fixture
def migrate(ebhook: Ebhook, server: AnyServer, project: Path) -> Migrate:
    """``ebhook migrate`` on the server of the tests; no scratch database stays there."""

    def run(*arguments: str, **environment: str) -> Ran:
        done = ebhook(
            "migrate",
            *arguments,
            cwd=project,
            env={"EBHOOK_SCRATCH_URL": server.url(""), **environment},
        )
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE %s", (PREFIX.replace("_", "\\_") + "%",))
            assert cursor.fetchall() == ()
        return done

    return run


def new_file(project: Path, before: set[str]) -> str:
    (name,) = versions(project) - before
    return (project / "migrations/versions" / name).read_text()


# --- migrate -------------------------------------------------------------------------------------


def test_what_the_models_add_is_written(migrate: Migrate, project: Path) -> None:
    """Named by ticket, linted, in chain.sum; what does not add is left out, and named."""
    before = versions(project)
    models(
        project,
        columns="""\
    sa.Column("tier", sa.String(24), server_default="standard", nullable=False),
    sa.Column("phone", sa.String(40)),
    sa.Column("seen", sa.DateTime, server_default=sa.func.now(), nullable=False),
    sa.Column("seen_at", mysql.DATETIME(fsp=3), server_default=sa.func.now(), nullable=False),
    sa.Index("ix_phone", "phone"),
""",
        tables='sa.Table("things", metadata, sa.Column("id", sa.Integer, primary_key=True))',
    )
    done = migrate("-m", "JMS-77  add things & phone")

    assert done.code == 0, done.stdout + done.stderr
    (name,) = versions(project) - before
    assert re.fullmatch(r"[0-9a-f]{12}_jms_77_add_things_phone\.py", name)
    text = new_file(project, before)
    upgrade, downgrade = text.split("def downgrade")
    assert "import hashlib  # from env.py's own hook" in text
    assert "op.create_table('things'" in upgrade
    assert "sa.Column('phone', sa.String(length=40), nullable=True)" in upgrade
    assert upgrade.count("sa.text('CURRENT_TIMESTAMP')") == 1
    assert upgrade.count("sa.text('CURRENT_TIMESTAMP(3)')") == 1
    assert "alter_column" not in text
    assert [line.split("(")[0].strip() for line in downgrade.splitlines() if "op." in line] == [
        "op.drop_index",
        "op.drop_column",
        "op.drop_column",
        "op.drop_column",
        "op.drop_table",
    ]
    assert "alter column clients.tier: type VARCHAR(16) → VARCHAR(24)" in done.stdout
    assert 'written as text("CURRENT_TIMESTAMP")' in done.stdout
    assert "No findings" in done.stdout
    assert text.splitlines()[5] in done.stdout
    assert "env.py's own hook: JMS-77 add things & phone" in done.stderr

    head = name.partition("_")[0]
    assert f"The head is now {head}." in done.stdout
    assert read_chain(project / "migrations").head == head
    assert f"head {head} " in (project / "migrations/chain.sum").read_text()


def test_nothing_to_write(migrate: Migrate, project: Path) -> None:
    """No difference, or none that adds: no file, and chain.sum is not touched."""
    before = versions(project)

    done = migrate("-m", "JMS-1 nothing")
    assert (done.code, versions(project)) == (0, before)
    assert "The models have nothing that the chain lacks. Nothing was written." in done.stdout

    models(project, columns="")
    done = migrate("-m", "JMS-1 drop tier", "--json")
    assert (done.code, versions(project)) == (1, before)
    (left,) = done.json()["left_out"]
    assert left["what"] == "drop column clients.tier"
    assert "Instances that still run" in left["why"]
    assert not (project / "migrations/chain.sum").exists()


@pytest.mark.parametrize(
    "message", ["add things", "jms-1 add", "JMS-1", "JMS-1x add", "", "JMS-1 :"]
)
def test_a_ticket_is_required(message: str) -> None:
    """Words without a ticket, and a ticket without words, are refused with what to type."""
    with pytest.raises(UsageFailed) as refused:
        check_message(message, Settings())
    assert '-m "JMS-1' in str(refused.value.next)


def test_the_ticket_s_pattern_is_a_setting(ebhook: Ebhook, project: Path) -> None:
    """Another tracker, another pattern."""
    env = {"EBHOOK_CHAIN_TICKET": r"#\d+"}
    for command in (["migrate"], ["migrate", "--empty"], ["merge"]):
        assert ebhook(*command, "-m", "JMS-1 x", cwd=project, env=env).code == 64
    done = ebhook("migrate", "--empty", "-m", "#12 fill it", cwd=project, env=env)
    assert any(name.endswith("_12_fill_it.py") for name in versions(project)), done.stderr
    assert "Fill it, then: ebhook chain --write; and: ebhook lint" in done.stdout
    assert "EBH030" not in done.stdout


@one_flavour
def test_a_column_that_old_inserts_do_not_fill(migrate: Migrate, project: Path) -> None:
    """No terminal: refused. An option answers, and a wrong answer is told as one."""
    columns = SAME + (
        '    sa.Column("rank", sa.Integer, nullable=False),\n'
        '    sa.Column("kind", sa.Enum("a", "b"), nullable=False),\n'
        '    sa.Column("note", sa.Text, nullable=False),\n'
    )
    before = versions(project)
    models(project, columns)

    done = migrate("-m", "JMS-1 add rank")
    assert done.code == 64
    assert "clients.rank (INTEGER) is NOT NULL and has no server default" in done.stderr
    assert "--server-default clients.rank=VALUE" in done.stderr

    given = ["--server-default", "clients.rank=3", "--server-default", "clients.kind=c"]
    done = migrate("-m", "JMS-1 add rank", *given)
    assert done.code == 64
    assert "it is one of a, b" in done.stderr
    assert versions(project) == before

    given = [*given[:3], "clients.kind=b", "--server-default", "clients.note=null"]
    done = migrate("-m", "JMS-1 add rank", *given)
    text = new_file(project, before)
    assert "server_default=sa.text('3'), nullable=False" in text
    assert "server_default='b', nullable=False" in text
    assert "sa.Column('note', sa.Text(), nullable=True)" in text
    assert "Say so in the model: nullable=True" in done.stdout


@one_flavour
def test_the_question_is_asked_on_a_terminal(server: AnyServer, project: Path) -> None:
    """And asked again when the answer does not fit."""
    models(project, SAME + '    sa.Column("rank", sa.Integer, nullable=False),\n')
    before = versions(project)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ebhook", "migrate", "-m", "JMS-1 add rank"],
        cwd=project,
        env=clean_environment() | {"EBHOOK_SCRATCH_URL": server.url(""), "TERM": "dumb"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    os.write(ours, b"many\n7\n")
    _, stderr = process.communicate(timeout=60)
    os.close(ours)

    assert "it is not a number" in stderr
    assert "server_default=sa.text('7')" in new_file(project, before)


@one_flavour
def test_against_a_tenant(migrate: Migrate, project: Path, fleet: Fleets, ebhook: Ebhook) -> None:
    """A tenant at head, with ebhook's tables and a ghost; one that is behind is refused."""
    two = fleet(2)
    ready, behind = two.names
    env = {"EBHOOK_TENANTS_URL": two.template, "EBHOOK_TENANTS_NAMES": ",".join(two.names)}
    env["EBHOOK_ENV_PY"] = "false"
    assert ebhook("upgrade", ready, cwd=project, env=env).code == 0
    del env["EBHOOK_ENV_PY"]
    with two.connect(ready) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE ghost (id INT PRIMARY KEY)")
        cursor.execute("CREATE TABLE private (id INT PRIMARY KEY)")
    models(project, SAME + '    sa.Column("phone", sa.String(40)),\n')
    before = versions(project)

    done = migrate("-m", "JMS-1 add phone", "--against", ready, **env)

    assert done.code == 0, done.stdout + done.stderr
    assert "drop table ghost" in done.stdout
    for hidden in ("migration_lock", "migration_journal", "alembic_version", "private"):
        assert hidden not in done.stdout
    assert "'phone'" in new_file(project, before)

    done = migrate("-m", "JMS-1 add phone", "--against", behind, **env)
    assert done.code == 75
    assert "4 revisions behind" in done.stderr


@one_flavour
def test_what_stands_in_the_way_is_named(migrate: Migrate, project: Path, ebhook: Ebhook) -> None:
    """No models, no env.py; each with its exit code, and nothing is written."""
    before = versions(project)
    env_py = project / "migrations/env.py"
    env_py.write_text(ENV.replace("target_metadata=metadata", "target_metadata=None"))
    assert "gives no target_metadata" in (done := migrate("-m", "JMS-1 x")).stderr
    assert done.code == 65
    env_py.write_text(ENV)

    assert migrate("-m", "JMS-1 x", EBHOOK_ENV_PY="false").code == 78
    env_py.write_text("import sys\nsys.exit(3)\n")
    done = migrate("-m", "JMS-1 x")
    assert done.code == 65
    assert "SystemExit: 3" in done.stderr
    assert versions(project) == before


@pytest.mark.parametrize("server", [Flavour.MARIADB], ids=str, indirect=True)
def test_on_a_private_server(server: AnyServer, ebhook: Ebhook, project: Path) -> None:
    """Without scratch_url a server is started for it, and is gone afterwards."""
    done = ebhook(
        "migrate", "-m", "JMS-1 x", cwd=project, env={"EBHOOK_SCRATCH_FLAVOURS": "mariadb"}
    )

    assert done.code == 0, done.stderr
    assert "a scratch database (mariadb" in done.stderr


# --- merge, relink, chain ------------------------------------------------------------------------


@pytest.fixture
def two_heads(tmp_path: Path) -> Path:
    """The project with two heads, to be changed."""
    folder = tmp_path / "two_heads"
    for path in (PROJECTS / "two_heads").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(PROJECTS / "two_heads")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def applied(two_heads: Path, fleet: Fleets) -> Fleet:
    """A tenant that has the newer branch, and one that has nothing."""
    found = fleet(2)
    with found.connect(found.names[0]) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        cursor.execute("INSERT INTO alembic_version VALUES ('b002')")
    return found


# Never asked: a chain that is broken is found before any server is looked for.
NOBODY = {
    "EBHOOK_TENANTS_URL": "mysql+pymysql://nobody@127.0.0.1:1/{tenant}",
    "EBHOOK_TENANTS_NAMES": "acme",
}


def test_two_heads_are_told_drawn_and_merged(ebhook: Ebhook, two_heads: Path) -> None:
    """Every message names the next command, and the next command works."""
    boot = ebhook("boot", cwd=two_heads, env=NOBODY)
    assert boot.code == 65
    assert "ebhook relink b002" in boot.stderr
    assert "ebhook merge -m 'JMS-1234 merge heads'" in boot.stderr
    look = ebhook("chain", cwd=two_heads)
    assert look.code == 65
    assert look.stdout.count("! one of 2 heads") == 2
    assert "r0 --> r1\n  r0 --> r2" in ebhook("chain", "--graph", cwd=two_heads).stdout
    drawn = ebhook("chain", "--graph", "dot", cwd=two_heads)
    assert '"a001" -> "b002"' in drawn.stdout
    assert drawn.code == 65

    done = ebhook("merge", "-m", "JMS-4 merge heads", "--json", cwd=two_heads)

    assert done.code == 0, done.stderr
    head = done.json()["head"]
    assert done.json()["merged"] == ["a002", "b002"]
    assert Path(done.json()["file"]).name == f"{head}_jms_4_merge_heads.py"
    assert ebhook("heads", cwd=two_heads).stdout == f"{head} (head) JMS-4 merge heads\n"
    assert f"head {head} " in (two_heads / "migrations/chain.sum").read_text()
    again = ebhook("merge", "-m", "JMS-4 merge heads", cwd=two_heads)
    assert again.code == 64
    assert f"one head, {head}" in again.stderr


def test_relink_puts_the_newer_branch_on_top(ebhook: Ebhook, two_heads: Path) -> None:
    """One file changes in two places; chain.sum is written; a boot finds one head."""
    path = two_heads / "migrations/versions/b002_jms_3_add_email_to_clients.py"
    before = path.read_bytes()
    (two_heads / "migrations/chain.sum").write_text("<<<<<<< HEAD\n=======\n>>>>>>> theirs\n")

    done = ebhook("relink", "b002", cwd=two_heads)

    assert done.code == 0, done.stderr
    assert path.read_bytes() == before.replace(b"Revises: a001", b"Revises: a002").replace(
        b'down_revision = "a001"', b'down_revision = "a002"'
    )
    assert read_chain(two_heads / "migrations").head == "b002"
    assert ebhook("chain", cwd=two_heads).code == 0
    assert "could not be asked" in done.stderr


@one_flavour
def test_relink_is_refused_where_it_is_applied(
    ebhook: Ebhook, two_heads: Path, applied: Fleet
) -> None:
    """A tenant that can be seen has it: merge instead. The other branch can still be moved."""
    path = two_heads / "migrations/versions/b002_jms_3_add_email_to_clients.py"
    before = path.read_bytes()
    env = {"EBHOOK_TENANTS_URL": applied.template, "EBHOOK_TENANTS_NAMES": ",".join(applied.names)}

    done = ebhook("relink", "b002", cwd=two_heads, env=env)

    assert done.code == 2
    assert f"b002 is applied in 1 tenant: {applied.names[0]}" in done.stderr
    assert "ebhook merge" in done.stderr
    assert path.read_bytes() == before
    assert ebhook("relink", "a002", "--onto", "b002", cwd=two_heads, env=env).code == 0
    assert read_chain(two_heads / "migrations").head == "a002"


def test_relink_says_which_tenants_it_could_not_ask(ebhook: Ebhook, two_heads: Path) -> None:
    """A tenant that is away does not stop it."""
    env = {"EBHOOK_TENANTS_URL": "mysql+pymysql://nobody@127.0.0.1:1/acme"}
    done = ebhook("relink", "b002", cwd=two_heads, env=env | {"EBHOOK_CONNECT_TIMEOUT": "0.5"})

    assert done.code == 0, done.stderr
    assert "1 tenant could not be asked" in done.stderr


def test_chain_says_what_each_revision_does(ebhook: Ebhook) -> None:
    """Tables, columns, SQL; the ticket and the day."""
    done = ebhook("chain", "--json", cwd=PROJECTS / "linear")

    assert done.code == 0, done.stderr
    lines = {line["revision"]: line for line in done.json()["revisions"]}
    assert lines["a003"] | {"findings": []} == {
        "revision": "a003",
        "parents": ["a002"],
        "ticket": "JMS-3",
        "date": "2026-04-13 09:00:00.000000",
        "message": "JMS-3 add tier to clients",
        "file": "a003_jms_3_add_tier_to_clients.py",
        "does": ["adds clients.tier"],
        "problems": [],
        "findings": [],
        "head": False,
    }
    assert lines["a004"]["does"] == ["alters visits"]
    assert lines["a005"]["does"] == ["creates visit_kinds", "inserts rows", "updates visit_kinds"]
    text = ebhook("chain", cwd=PROJECTS / "batch").stdout
    assert "adds clients.email; adds clients.phone" in text


@pytest.mark.parametrize(
    ("project", "says"),
    [
        ("missing_parent", "its parent a002 is in no file"),
        ("cycle", "goes in a circle"),
        ("two_heads", "one of 2 heads"),
    ],
)
def test_a_broken_chain_can_be_looked_at(ebhook: Ebhook, project: str, says: str) -> None:
    """What is wrong is marked where it is, and the exit code is that of a broken chain."""
    done = ebhook("chain", cwd=PROJECTS / project)

    assert done.code == 65
    assert f"! {says}" in done.stdout.replace("\n", " ")
    assert ebhook("chain", "--graph", "dot", cwd=PROJECTS / project).stdout.startswith("digraph")


def test_chain_write_is_the_way_out(ebhook: Ebhook, two_heads: Path) -> None:
    """A file that ebhook did not write stops boots until chain.sum has it."""
    (two_heads / "migrations/versions/b002_jms_3_add_email_to_clients.py").unlink()
    assert "written, head a002" in ebhook("chain", "--write", cwd=two_heads).stdout
    assert "was right already" in ebhook("chain", "--write", cwd=two_heads).stdout
    extra = two_heads / "migrations/versions/a003.py"
    extra.write_text('"""JMS-9 x"""\nrevision = "a003"\ndown_revision = "a002"\n')

    refused = ebhook("boot", cwd=two_heads, env=NOBODY)
    assert refused.code == 65
    assert "a003.py (a003) is not in it" in refused.stderr
    look = ebhook("chain", cwd=two_heads)
    assert look.code == 65
    assert "! not in chain.sum" in look.stdout
    assert ebhook("chain", "--write", cwd=two_heads).code == 0
    assert ebhook("heads", cwd=two_heads).stdout.startswith("a003 (head)")
