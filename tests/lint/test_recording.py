"""What the recorder hears, and where it says that it came from."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ebhook.lint.sandbox.recording import Failure, RecordedRun, SandboxRecorder
from ebhook.lint.schema.schema import Schema
from ebhook.lint.servers import parse
from ebhook.lint.source import try_source


class Studio:
    """Runs upgrade() of a text; the next one stands on what the first one made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "migrations").mkdir()
        self.recorder = SandboxRecorder(
            root / "migrations", None, root, parse("mysql-8.4"), seconds=150
        )
        self.schema = Schema()
        self.number = 0

    def __call__(self, text: str) -> RecordedRun:
        self.number += 1
        path = self.root / "migrations" / f"v{self.number}.py"
        path.write_text("import sqlalchemy as sa\nfrom alembic import op\n" + textwrap.dedent(text))
        source, _ = try_source(path)
        module = self.recorder.load(source)
        assert not isinstance(module, Failure), module
        run = self.recorder.record(source, module, "upgrade", self.schema)
        self.schema = run.after
        return run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


CASES = """
def upgrade():
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("title", sa.String(50), nullable=False, server_default="new", comment="it's"),
        sa.Column("state", sa.Enum("open", "closed")),
        sa.Column("made_at", sa.DateTime(), server_default=sa.text("CURRENT_TIMESTAMP")),
        sa.UniqueConstraint("title", name="uq_title"),
        sa.Index("ix_state", "state", "made_at"),
        mysql_charset="utf8mb4",
        comment="what we work on",
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id", ondelete="CASCADE")),
        sa.CheckConstraint("id > 0", name="positive"),
    )
    op.execute("CREATE VIEW v AS SELECT * FROM cases")
"""


def test_each_statement_has_the_calls_that_led_to_it(studio: Studio) -> None:
    """The innermost first: the operation in the helper, the helper's call, and its line."""
    run = studio(
        """
        def helper(name):
            op.execute(
                f"CREATE TABLE {name} (id INT PRIMARY KEY)"
            )

        def upgrade():
            for name in ("a", "b"):
                helper(name)
        """
    )

    assert [[span.line for span in step.spans] for step in run.steps] == [[5, 11], [5, 11]]
    assert run.steps[0].spans[0].end_line == 7
    assert sorted(run.after.tables) == ["a", "b"]


def test_the_operations_of_a_batch_keep_their_lines(studio: Studio) -> None:
    """Alembic runs them when the block ends."""
    studio(CASES)
    run = studio(
        """
        def upgrade():
            with op.batch_alter_table("cases") as batch:
                batch.add_column(sa.Column("tier", sa.Integer()))
                batch.create_index("ix_tier", ["tier"])
        """
    )

    assert [step.spans[0].line for step in run.steps] == [6, 7]


def test_reflection_answers_with_what_the_chain_made(studio: Studio) -> None:
    """Through SQLAlchemy's own inspector and Table(autoload_with=…)."""
    studio(CASES)
    run = studio(
        """
        def upgrade():
            bind = op.get_bind()
            look = sa.inspect(bind)
            assert look.get_table_names() == ["cases", "notes"], look.get_table_names()
            assert look.get_view_names() == ["v"]
            assert look.has_table("cases") and not look.has_table("other")
            assert [one["name"] for one in look.get_columns("cases")] == [
                "id", "title", "state", "made_at"
            ]
            title = look.get_columns("cases")[1]
            assert (title["nullable"], title["default"], title["comment"]) == (False, "'new'", "it's")
            assert look.get_pk_constraint("cases")["constrained_columns"] == ["id"]
            assert look.get_unique_constraints("cases")[0]["name"] == "uq_title"
            assert {one["name"] for one in look.get_indexes("cases")} == {"uq_title", "ix_state"}
            (key,) = look.get_foreign_keys("notes")
            assert (key["referred_table"], key["options"]) == ("cases", {"ondelete": "CASCADE"})
            assert look.get_check_constraints("notes")[0]["name"] == "positive"
            assert look.get_table_comment("cases")["text"] == "what we work on"
            table = sa.Table("cases", sa.MetaData(), autoload_with=bind)
            assert isinstance(table.c.state.type, sa.Enum) or table.c.state.type.enums
            op.execute(table.update().where(table.c.id == 1).values(title="x"))
        """
    )

    assert run.failure is None, run.failure
    assert [step.sql for step in run.steps] == ["UPDATE cases SET title='x' WHERE cases.id = 1"]
    assert [event.kind for event in run.events if event.kind == "asked"] == ["asked"]


def test_rows_are_none_and_counts_are_nought(studio: Studio) -> None:
    """Reading them is noted; writing is recorded with the values in it, a bulk of rows once."""
    studio(CASES)
    run = studio(
        """
        def upgrade():
            bind = op.get_bind()
            assert bind.execute(sa.text("SELECT id, title FROM cases")).fetchall() == []
            assert bind.execute(sa.text("SELECT COUNT(*) FROM cases")).scalar() == 0
            assert bind.execute(sa.text("SELECT 1")).scalar() == 1
            assert bind.dialect.name == "mysql"
            assert bind.execute(sa.text("SELECT VERSION()")).scalar().startswith("8.4")
            cases = sa.table("cases", sa.column("title"))
            op.bulk_insert(cases, [{"title": f"it's {n}"} for n in range(1000)])
        """
    )

    assert run.failure is None, run.failure
    assert [event.kind for event in run.events] == ["read", "read"]
    (step,) = run.steps
    assert (step.rows, step.sql) == (1000, r"INSERT INTO cases (title) VALUES ('it\'s 0')")


def test_sessions_write_through_the_same_connection(studio: Studio) -> None:
    """The ORM, with objects of a model in the file."""
    studio(CASES)
    run = studio(
        """
        from sqlalchemy.orm import Session, declarative_base
        Base = declarative_base()

        class Case(Base):
            __tablename__ = "cases"
            id = sa.Column(sa.Integer(), primary_key=True)
            title = sa.Column(sa.String(50))

        def upgrade():
            session = Session(bind=op.get_bind())
            session.add_all([Case(title="a"), Case(title="b")])
            session.flush()
            assert session.query(Case).filter_by(title="c").first() is None
            session.commit()
        """
    )

    assert run.failure is None, run.failure
    assert [step.sql.split(" VALUES")[0] for step in run.steps] == ["INSERT INTO cases (title)"] * 2
    assert not list(run.of("outside"))


def test_a_failure_has_its_place_and_what_came_before(studio: Studio) -> None:
    """What was recorded until then stays."""
    run = studio(
        """
        def upgrade():
            op.execute("CREATE TABLE a (id INT)")
            raise ValueError("no")
        """
    )

    assert str(run.failure) == "ValueError: no"
    assert run.failure is not None
    assert run.failure.spans[0].line == 6
    assert len(run.steps) == 1


def test_a_loop_that_never_ends_is_ended(studio: Studio) -> None:
    """One that waits for the database, and one that goes on writing."""
    waits = studio(
        """
        import time
        def upgrade():
            while not op.get_bind().execute(sa.text("SELECT done FROM jobs")).scalar():
                time.sleep(60)
        """
    )
    writes = studio(
        """
        def upgrade():
            while True:
                op.execute("UPDATE a SET b = 1 WHERE c = 2")
        """
    )

    assert "waits without end" in str(waits.failure)
    assert "more than" in str(writes.failure)


def test_exit_and_output_of_a_migration_stay_inside(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    """sys.exit() ends the migration, and nothing else."""
    run = studio(
        """
        import sys
        def upgrade():
            print("out"), print("err", file=sys.stderr)
            sys.exit(3)
        """
    )

    assert str(run.failure) == "SystemExit: 3"
    assert capsys.readouterr() == ("", "")


def test_arguments_that_env_py_gives_are_filled_in(studio: Studio) -> None:
    """With something: lint does not run env.py."""
    run = studio(
        """
        def upgrade(tag, *, other, more="x", **rest):
            op.execute("CREATE TABLE a (id INT)")
        """
    )

    assert run.failure is None


def test_alembics_own_context_is_there(studio: Studio) -> None:
    """Some revisions ask it for the dialect, the mode, or an option."""
    run = studio(
        """
        from alembic import context
        def upgrade():
            assert op.get_context().dialect.name == "mysql"
            assert not context.is_offline_mode()
            assert context.get_x_argument(as_dictionary=True) == {}
            context.config.get_main_option("anything")
            op.execute("CREATE TABLE a (id INT)")
        """
    )

    assert run.failure is None, run.failure


@pytest.mark.parametrize("server", ["mysql-8.0", "mysql-9.7", "mariadb-10.6", "mariadb-11.8"])
def test_every_server_can_be_pretended(server: str, tmp_path: Path) -> None:
    """SQLAlchemy takes it for what it says it is, and inserts without RETURNING."""
    studio = Studio(tmp_path)
    studio.recorder = SandboxRecorder(tmp_path / "migrations", None, tmp_path, parse(server))
    studio(CASES)
    run = studio(
        f"""
        def upgrade():
            bind = op.get_bind()
            assert bind.dialect.is_mariadb is {server.startswith("mariadb")}
            op.get_bind().execute(
                sa.Table("cases", sa.MetaData(), autoload_with=bind).insert(), {{"title": "x"}}
            )
        """
    )

    assert run.failure is None, run.failure
    assert "RETURNING" not in run.steps[0].sql


def test_modules_that_are_not_here_are_stood_in_for(studio: Studio) -> None:
    """Types, constants, decorators, texts and numbers from there; a call by itself is noted."""
    run = studio(
        """
        from nowhere.types import Money, SIZE
        from nowhere import helpers, PREFIX
        import elsewhere.deep.inside as inside

        LOG = helpers.getLogger(__name__)

        @helpers.decorate
        def work():
            op.execute("CREATE TABLE a (id INT)")

        def upgrade():
            work()
            op.create_table(
                "b",
                sa.Column("cost", Money(12, scale=2)),
                sa.Column("name", sa.String(SIZE)),
                sa.Column("more", sa.String(SIZE * 2 + 1)),
                sa.Column("kind", sa.String(len("x" + PREFIX) + 5)),
            )
            for one in helpers.everything():
                op.drop_table(one)
            if inside.COUNT > 5 or "x" in inside.NAMES:
                op.drop_table("c")
            LOG.info("done")
            helpers.create_all_indexes(op)
        """
    )

    assert run.failure is None, run.failure
    assert [step.sql.split()[:3] for step in run.steps] == [
        ["CREATE", "TABLE", "a"],
        ["CREATE", "TABLE", "b"],
    ]
    assert [(event.kind, event.text) for event in run.events] == [
        ("absent", "nowhere.helpers.create_all_indexes")
    ]
    assert {"nowhere.types", "nowhere", "elsewhere.deep.inside"} <= studio.recorder.absent
