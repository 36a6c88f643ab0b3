"""The agency's chain in ``migrations/`` keeps the rules that it shows others how to keep.

1 upgrades only add · 2 downgrades reverse exactly · 3 one head · 4 no ghost changes · 5 a ticket.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from migrations.models import Base
from tests.conftest import Fleets

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "migrations"

Schema = dict[str, str]


def config_for(url: str, output: io.StringIO | None = None) -> Config:
    """Alembic's configuration as ``migrations/alembic.ini`` has it, less its logging."""
    config = Config(stdout=io.StringIO(), output_buffer=output)
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("prepend_sys_path", str(ROOT))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def offline_sql() -> list[str]:
    """The statements of ``alembic upgrade head --sql``, less their comments."""
    output = io.StringIO()
    command.upgrade(config_for("mysql+pymysql://", output), "head", sql=True)
    text = re.sub(r"^--.*$", "", output.getvalue(), flags=re.M)
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def revisions() -> list[Script]:
    """The chain, oldest first."""
    return list(ScriptDirectory(str(FOLDER)).walk_revisions())[::-1]


@dataclass(frozen=True)
class Agency:
    """One agency's database, and Alembic set up for it."""

    url: str
    engine: sa.Engine

    @property
    def config(self) -> Config:
        return config_for(self.url)

    def upgrade(self, revision: str) -> None:
        command.upgrade(self.config, revision)

    def downgrade(self, revision: str) -> None:
        command.downgrade(self.config, revision)

    def schema(self) -> Schema:
        """What the server says of each table, less Alembic's own and the counters of rows."""
        with self.engine.connect() as connection:
            tables = connection.exec_driver_sql("SHOW TABLES").scalars().all()
            created = {
                table: connection.exec_driver_sql(f"SHOW CREATE TABLE `{table}`").one()[1]
                for table in tables
                if table != "alembic_version"
            }
        return {table: re.sub(r" AUTO_INCREMENT=\d+", "", sql) for table, sql in created.items()}


@pytest.fixture
def agency(fleet: Fleets) -> Agency:
    agencies = fleet(1, prefix="agency")
    url = agencies.url(agencies.names[0])
    return Agency(url, sa.create_engine(url, poolclass=sa.pool.NullPool))


def test_chain_is_one_line_from_one_base_to_one_head() -> None:
    """Every revision but the last has exactly one child, and every one but the first a parent."""
    chain = revisions()

    assert [script.down_revision for script in chain] == [
        None,
        *(script.revision for script in chain[:-1]),
    ]
    assert ScriptDirectory(str(FOLDER)).get_heads() == [chain[-1].revision]


def test_revisions_are_named_and_dated_after_their_tickets() -> None:
    """File name, docstring and identifiers of a revision agree, and dates go forward."""
    dates = []
    for script in revisions():
        found = re.fullmatch(
            r"(?P<ticket>JMS-\d+) (?P<message>[\w ]+)\n\n"
            r"Revision ID: (?P<id>[0-9a-f]{12})\nRevises:(?P<parent>| [0-9a-f]{12})\n"
            r"Create Date: (?P<date>\S+ \S+)",
            script.longdoc.strip(),
        )
        assert found, script.path
        title = f"{found['ticket']} {found['message']}"
        slug = re.sub(r"\W", "_", title).lower()
        assert Path(script.path).name == f"{script.revision}_{slug}.py"
        assert found["id"] == script.revision
        assert found["parent"].strip() == (script.down_revision or "")
        dates.append(datetime.fromisoformat(found["date"]))
    assert dates == sorted(dates)


def test_upgrades_only_add() -> None:
    """The SQL of the whole way up creates tables, adds columns, and sets one table's default."""
    others = [
        statement
        for statement in offline_sql()
        if not re.match(r"CREATE (TABLE|INDEX) |ALTER TABLE \w+ ADD COLUMN ", statement)
        and "alembic_version" not in statement
    ]

    assert others == [
        "ALTER TABLE email_message DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    ]


def test_chain_goes_up_down_and_up_again(agency: Agency) -> None:
    """From empty to head, back to nothing but Alembic's own table, and to the same head again."""
    agency.upgrade("head")
    head = agency.schema()
    agency.downgrade("base")
    base = agency.schema()
    agency.upgrade("head")

    assert set(head) == set(Base.metadata.tables)
    assert base == {}
    assert agency.schema() == head


def test_each_downgrade_reverses_its_upgrade_exactly(agency: Agency) -> None:
    """One revision down gives the tables as they were before it; up again, as they were after."""
    before, parent = agency.schema(), "base"
    for script in revisions():
        agency.upgrade(script.revision)
        after = agency.schema()
        agency.downgrade(parent)
        assert agency.schema() == before, script.path
        agency.upgrade(script.revision)
        assert agency.schema() == after, script.path
        before, parent = after, script.revision


def test_models_hold_no_ghost_changes(agency: Agency) -> None:
    """At head, ``alembic check`` finds nothing, and neither does a comparison of the defaults."""
    agency.upgrade("head")

    command.check(agency.config)

    with agency.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []


def test_inserts_of_every_older_release_work_at_head(agency: Agency) -> None:
    """What an instance of an older bundle writes is still accepted after all later upgrades."""
    with agency.engine.connect() as connection:
        statements: list[str] = []
        for script in revisions():
            agency.upgrade(script.revision)
            metadata = sa.MetaData()
            metadata.reflect(connection)
            statements += [
                insert_of_required(table, value=len(statements) + 1 + offset)
                for offset, table in enumerate(metadata.sorted_tables)
                if table.name != "alembic_version"
            ]
            connection.rollback()

        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()

    assert len(statements) > 100


def insert_of_required(table: sa.Table, value: int) -> str:
    """An INSERT of all that `table` asks for: columns that are neither optional nor given."""
    required = [
        column
        for column in table.columns
        if not column.nullable
        and column.server_default is None
        and column is not table.autoincrement_column
    ]
    values = [
        "'2026-02-03'" if isinstance(column.type, (sa.Date, sa.DateTime)) else f"'{value}'"
        for column in required
    ]
    names = ", ".join(f"`{column.name}`" for column in required)
    return f"INSERT INTO `{table.name}` ({names}) VALUES ({', '.join(values)})"


def test_only_columns_added_after_the_charset_change_hold_any_character(agency: Agency) -> None:
    """The table's default says what later columns are; those that were there stay as they were."""
    agency.upgrade("head")
    insert = "INSERT INTO email_message (sender, recipients, subject, {}) VALUES ('', '', '', '🖋')"

    with agency.engine.begin() as connection:
        connection.exec_driver_sql(insert.format("body_html"))
        with pytest.raises(sa.exc.DBAPIError, match="1366"):
            connection.exec_driver_sql(insert.format("body"))


def test_offline_sql_makes_the_same_schema(agency: Agency) -> None:
    """What ``alembic upgrade head --sql`` prints, run by hand, is what the upgrade does."""
    with agency.engine.begin() as connection:
        for statement in offline_sql():
            connection.exec_driver_sql(statement)
    by_hand = agency.schema()

    with agency.engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    assert at == revisions()[-1].revision
    agency.downgrade("base")
    agency.upgrade("head")

    assert agency.schema() == by_hand


def test_plain_alembic_command_runs_the_chain(agency: Agency, tmp_path: Path) -> None:
    """The ``alembic`` program with the shipped ini file, only its URL changed, does the work."""
    shipped = (FOLDER / "alembic.ini").read_text()
    ini = tmp_path / "alembic.ini"
    text = re.sub(r"^sqlalchemy\.url = .*$", f"sqlalchemy.url = {agency.url}", shipped, flags=re.M)
    ini.write_text(text.replace("%(here)s", str(FOLDER)))

    def alembic(*arguments: str) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(ini), *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    alembic("upgrade", "head")

    assert alembic("current") == f"{revisions()[-1].revision} (head)\n"
    assert "No new upgrade operations detected." in alembic("check")
