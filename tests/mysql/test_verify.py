"""``ebhook verify``: what is wrong with a revision is found, and nothing is that is not."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ebhook.drift.diff import diff
from ebhook.drift.snapshot import Snapshot, parse
from ebhook.scratch.databases import PREFIX
from ebhook.scratch.installation import Flavour, locate
from tests.conftest import AnyServer, Ebhook, Ran
from tests.support.watching import ask, until

ROOT = Path(__file__).parents[2]
PROJECTS = ROOT / "tests" / "projects"

ENV = """\
from alembic import context
from sqlalchemy import create_engine, pool

from models import metadata

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
VERSION = '''\
"""JMS-1 {id}

Revises: {down}
Create Date: 2026-01-01 00:00:00.000000
"""

import sqlalchemy as sa
from alembic import op

revision = "{id}"
down_revision = {down!r}


def upgrade():
{up}

{downgrade}
'''
FIRST = (
    """
    op.create_table(
        "clients",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(190)),
        sa.Column("kind", sa.Enum("a", "b"), server_default="a", nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("note", sa.String(50, collation="utf8mb4_bin")),
        mysql_charset="utf8mb4",
    )
    """,
    'op.drop_table("clients")',
)

Steps = Mapping[str, tuple[str, str | None]]
Verify = Callable[..., Ran]


def write(folder: Path, steps: Steps, models: str = "") -> Path:
    """A project with these revisions, one after the other: id → code up, code down."""
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "migrations/env.py").write_text(ENV)
    (folder / "models.py").write_text(
        f"import sqlalchemy as sa\nmetadata = {'sa.MetaData()' if models else None}\n"
        + textwrap.dedent(models)
    )
    parent: str | None = None
    for id, (up, down) in steps.items():
        body = [textwrap.indent(textwrap.dedent(code).strip(), "    ") for code in (up, down or "")]
        downgrade = f"def downgrade():\n{body[1]}" if down is not None else ""
        text = VERSION.format(id=id, down=parent, up=body[0], downgrade=downgrade)
        (versions / f"{id}_jms_1.py").write_text(text)
        parent = id
    return folder


@pytest.fixture
def verify(ebhook: Ebhook, server: AnyServer) -> Verify:
    """``ebhook verify`` in a project, on the server of the tests; no database of it stays."""

    def run(project: Path, *arguments: str, **environment: str) -> Ran:
        done = ebhook(
            "verify",
            *arguments,
            cwd=project,
            env={"EBHOOK_SCRATCH_URL": server.url(""), **environment},
        )
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE %s", (PREFIX.replace("_", "\\_") + "%",))
            assert cursor.fetchall() == ()
        return done

    return run


def problems(done: Ran) -> dict[str, list[dict[str, Any]]]:
    """Revision → its problems, for those that have one."""
    (one,) = done.json()["servers"]
    return {line["revision"]: line["problems"] for line in one["revisions"] if line["problems"]}


def test_the_agency_s_own_chain_is_clean(verify: Verify) -> None:
    """All of migrations/: up, down, up; in one go; old INSERTs; and its models."""
    done = verify(ROOT, "--json")

    assert done.code == 0, done.stdout + done.stderr
    (one,) = done.json()["servers"]
    assert one["clean"]
    assert one["models"] == "compared"
    assert len(one["revisions"]) == len(list((ROOT / "migrations/versions").glob("*.py")))
    assert all(line["again_seconds"] is not None for line in one["revisions"])


@pytest.mark.parametrize("server", [Flavour.MYSQL], ids=str, indirect=True)
@pytest.mark.parametrize("project", ["merge", "linear", "batch", "run_arguments"])
def test_healthy_projects_are_clean(verify: Verify, project: str) -> None:
    """Branches and their merge, data, batches and env.py's own arguments do not disturb."""
    done = verify(PROJECTS / project)

    assert done.code == 0, done.stdout + done.stderr
    assert "no difference" in done.stdout


FAULTY: Steps = {
    "first": FIRST,
    "required": (
        'op.add_column("clients", sa.Column("tier", sa.Integer(), nullable=False))',
        'op.drop_column("clients", "tier")',
    ),
    "unique": (
        'op.create_unique_constraint("uq_email", "clients", ["email"])',
        'op.drop_constraint("uq_email", "clients", type_="unique")',
    ),
    "narrow": (
        'op.alter_column("clients", "name", type_=sa.String(10), existing_nullable=False)',
        'op.alter_column("clients", "name", type_=sa.String(100), existing_nullable=False)',
    ),
    "enum": (
        "op.execute(\"ALTER TABLE clients MODIFY kind ENUM('a','c') NOT NULL DEFAULT 'a'\")",
        "op.execute(\"ALTER TABLE clients MODIFY kind ENUM('a','b') NOT NULL DEFAULT 'a'\")",
    ),
    "foreign": (
        'op.create_foreign_key("fk_parent", "clients", "clients", ["parent"], ["id"])',
        """
        op.drop_constraint("fk_parent", "clients", type_="foreignkey")
        op.drop_index("fk_parent", "clients")
        """,
    ),
    "null": (
        'op.alter_column("clients", "note", existing_type=sa.String(50, collation="utf8mb4_bin"), nullable=False)',
        'op.alter_column("clients", "note", existing_type=sa.String(50, collation="utf8mb4_bin"), nullable=True)',
    ),
    "dropped": (
        'op.drop_column("clients", "note")',
        'op.add_column("clients", sa.Column("note", sa.String(50, collation="utf8mb4_bin")))',
    ),
    "left": (
        """
        op.add_column("clients", sa.Column("left_behind", sa.Integer()))
        op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True))
        op.execute("ALTER TABLE clients DEFAULT CHARACTER SET latin1")
        """,
        "pass",
    ),
    "none": ('op.add_column("clients", sa.Column("c1", sa.Integer()))', None),
    "raises": (
        'op.add_column("clients", sa.Column("c2", sa.Integer()))',
        'raise NotImplementedError("no way back")',
    ),
    "again": (
        'op.execute("INSERT INTO extra (id) VALUES (7)")',
        "pass",
    ),
    "another": (
        """
        seen = op.get_bind().execute(sa.text("SELECT COUNT(*) FROM extra WHERE id = 9")).scalar()
        op.add_column("clients", sa.Column("c3", sa.BigInteger() if seen else sa.Integer()))
        op.execute("INSERT IGNORE INTO extra (id) VALUES (9)")
        """,
        'op.drop_column("clients", "c3")',
    ),
    "order": (
        'op.drop_column("clients", "email")',
        """
        op.add_column("clients", sa.Column("email", sa.String(190)))
        op.create_unique_constraint("uq_email", "clients", ["email"])
        """,
    ),
    "good": (
        'op.add_column("clients", sa.Column("fine", sa.Integer()))',
        'op.drop_column("clients", "fine")',
    ),
    "fails": ('op.execute("ALTER TABLE nowhere ADD COLUMN x INT")', "pass"),
    "beyond": ('op.add_column("clients", sa.Column("c4", sa.Integer()))', "pass"),
}


def test_every_fault_is_found_and_named(verify: Verify, tmp_path: Path) -> None:
    """One revision for each thing that can be wrong, in one chain."""
    done = verify(write(tmp_path, FAULTY), "--json")

    assert done.code == 1, done.stderr
    found = problems(done)
    faults = {id: [one["fault"] for one in listed] for id, listed in found.items()}
    breaks = "INSERTs of the code before it fail after it"
    undone = "its downgrade does not undo its upgrade"
    assert faults == {
        "required": [breaks],
        "unique": [breaks],
        "narrow": [breaks],
        "enum": [breaks],
        "foreign": [breaks],
        "null": [breaks, breaks],  # a row with NULL, and one without the column
        "dropped": [undone, breaks],
        "left": [undone],
        "none": ["it has no downgrade"],
        "raises": ["its downgrade fails"],
        "again": ["after its downgrade, its upgrade fails"],
        "another": ["after its downgrade, its upgrade makes another schema"],
        "order": [undone, breaks],
        "fails": ["its upgrade fails"],
    }
    words = {id: " ".join(one["what"] for one in listed) for id, listed in found.items()}
    for id, number in {
        "required": 1364,
        "unique": 1062,
        "narrow": 1406,
        "enum": 1265,
        "foreign": 1452,
        "null": 1048,
        "dropped": 1054,
        "again": 1062,
        "fails": 1146,
    }.items():
        assert f"({number})" in words[id], words[id]
    assert "NotImplementedError: no way back" in words["raises"]
    assert "versions/raises_jms_1.py" in words["raises"]

    (left,) = found["left"]
    assert left["diff"][0] == "table clients"
    assert any(line.startswith("  + `left_behind` int") for line in left["diff"])
    assert "  + DEFAULT CHARSET latin1" in left["diff"]
    assert "  - DEFAULT CHARSET utf8mb4" in left["diff"]
    assert left["diff"][-1] == "+ table extra"
    assert any("columns in order" in line for line in found["order"][0]["diff"])

    (one,) = done.json()["servers"]
    reached = {line["revision"]: line["reached"] for line in one["revisions"]}
    assert [id for id, there in reached.items() if not there] == ["beyond"]
    assert one["whole"]["up_error"].startswith("revision fails failed")


def test_from_a_revision(verify: Verify, tmp_path: Path) -> None:
    """What comes before it is taken for granted, and is the way there."""
    few = {id: FAULTY[id] for id in ("first", "required", "good")}

    done = verify(write(tmp_path, few), "--from", "required")

    assert done.code == 0, done.stdout
    assert "1 revision on" in done.stdout
    assert "good" in done.stdout
    assert "required" not in done.stdout
    assert verify(tmp_path, "--from", "nowhere").code == 64


def test_models_and_chain_are_compared_in_both_directions(verify: Verify, tmp_path: Path) -> None:
    """What only the models have, what only the chain has, and what differs."""
    models = """
    sa.Table(
        "clients", metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.Enum("a", "b"), server_default="b", nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("note", sa.String(50, collation="utf8mb4_general_ci")),
        sa.Column("tier", sa.Integer),
        sa.Index("ix_tier", "tier"),
        mysql_charset="latin1",
    )
    sa.Table("visits", metadata, sa.Column("id", sa.Integer, primary_key=True))
    """
    done = verify(write(tmp_path, {"first": FIRST}, models))

    assert done.code == 1
    said = done.stdout
    only_models, _, rest = said.partition("in the chain, not in the models")
    only_chain, _, differ = rest.partition("in both, and not the same")
    for words in ("table visits", "column clients.tier", "index ix_tier on clients"):
        assert words in only_models
    assert "ebhook migrate" in only_models
    assert "column clients.email" in only_chain
    assert "clients.name: type VARCHAR(100) → VARCHAR(120)" in differ
    assert "clients.kind: server default" in differ
    assert "table clients: DEFAULT CHARSET utf8mb4 → latin1" in differ
    (note,) = [line for line in differ.splitlines() if "clients.note" in line]
    assert "utf8mb4_bin" in note
    assert "→" in note
    assert "utf8mb4_general_ci" in note


def test_on_private_servers_of_each_flavour(ebhook: Ebhook) -> None:
    """Without scratch_url; both flavours at the same time, in one report."""
    if not all(map(locate, Flavour)):
        pytest.skip("the servers are given by URLs")
    done = ebhook(
        "verify", "--json", cwd=PROJECTS / "merge", env={"EBHOOK_SCRATCH_FLAVOURS": "mysql,mariadb"}
    )

    assert done.code == 0, done.stderr
    assert [one["flavour"] for one in done.json()["servers"]] == ["mysql", "mariadb"]


def test_what_cannot_be_proved(verify: Verify, ebhook: Ebhook, tmp_path: Path) -> None:
    """A broken chain, an env.py that fails, a scratch_url with a database: each by its exit code."""
    assert verify(PROJECTS / "two_heads").code == 65
    failed = verify(PROJECTS / "env_raises")
    assert failed.code == 65
    assert "SECRET_KEY is not set" in failed.stderr
    named = verify(PROJECTS / "linear", EBHOOK_SCRATCH_URL="mysql+pymysql://root@127.0.0.1/acme")
    assert named.code == 78
    assert "scratch_url names a database" in named.stderr


@pytest.mark.parametrize("server", [Flavour.MYSQL], ids=str, indirect=True)
def test_nothing_stays_after_an_interruption(
    verify: Verify, ebhook: Ebhook, server: AnyServer, tmp_path: Path
) -> None:
    """SIGTERM in the middle of a revision: exit 75, and no scratch database is left."""
    slow = ('op.execute("DO SLEEP(60)")', "pass")
    folder = write(tmp_path, {"first": FIRST, "slow": slow})
    process = ebhook.start("verify", cwd=folder, env={"EBHOOK_SCRATCH_URL": server.url("")})
    with server.connect() as connection:
        asleep = "SELECT 1 FROM information_schema.processlist WHERE info = 'DO SLEEP(60)'"

        def sleeps() -> bool:
            assert process.poll() is None
            return bool(ask(connection, asleep))

        until(sleeps, "the revision is under way")
    process.terminate()
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 75
    assert "Interrupted" in stderr
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'ebhook\\_scratch\\_%'")
        assert cursor.fetchall() == ()


# --- snapshots, without a server -----------------------------------------------------------------

CREATE = """\
CREATE TABLE `cl``ients` (
  `id` int NOT NULL AUTO_INCREMENT,
  `na me` varchar(100) CHARACTER SET latin1 NOT NULL DEFAULT 'a, b',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq` (`na me`),
  FULLTEXT KEY `ft` (`na me`),
  CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `x` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='it''s = ok'
/*!50100 PARTITION BY HASH (`id`)
PARTITIONS 4 */"""


def test_a_table_is_cut_into_its_parts() -> None:
    """Columns, keys and options by name; the counter of rows does not count."""
    table = parse(CREATE)

    assert list(table.columns) == ["id", "na me"]
    assert table.columns["na me"].endswith("NOT NULL DEFAULT 'a, b'")
    assert list(table.keys) == ["PRIMARY KEY", "uq", "ft", "fk"]
    assert table.options["DEFAULT CHARSET"] == "utf8mb4"
    assert table.options["COMMENT"] == "'it''s = ok'"
    assert "PARTITION BY HASH (`id`) PARTITIONS 4" in table.options["PARTITION BY"]
    assert "AUTO_INCREMENT" not in table.options


def test_a_difference_is_read_line_by_line() -> None:
    """Minus was there before, plus is there after."""
    old = Snapshot({"t": parse(CREATE), "gone": parse(CREATE)}, {"view v": "a"}, {"COLLATE": "x"})
    text = CREATE.replace("int NOT NULL AUTO", "bigint NOT NULL AUTO").replace("utf8mb4_bin", "y")
    new = Snapshot({"t": parse(text), "new": parse(CREATE)}, {"view v": "b"}, {"COLLATE": "z"})

    assert diff(old, old) == ()
    assert diff(old, new) == (
        "database",
        "  - COLLATE x",
        "  + COLLATE z",
        "- table gone",
        "+ table new",
        "table t",
        "  - `id` int NOT NULL AUTO_INCREMENT",
        "  + `id` bigint NOT NULL AUTO_INCREMENT",
        "  - COLLATE utf8mb4_bin",
        "  + COLLATE y",
        "view v",
        "  - a",
        "  + b",
    )
    assert old.changed(new) == {"t", "gone", "new"}
