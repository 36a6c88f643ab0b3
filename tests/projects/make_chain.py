"""Writes a chain as long as wanted: for benchmarks and soak tests.

Revisions come in pairs: one creates a table, the next adds a column to it. So a database can be put
anywhere in the chain with plain SQL, and cheaply: only the table of a begun pair has to be there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PLAIN = HERE / "linear"
FLASK = HERE / "flask_migrate"

_REVISION = '''\
"""JMS-{number} {message}

Revision ID: {revision}
Revises:{revises}
Create Date: 2026-01-01 00:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down_revision}
branch_labels = None
depends_on = None


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''

_CREATE = """\
op.create_table(
        "{table}",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), server_default="0.00", nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("made_on", sa.Date(), nullable=True),
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )"""
_CREATE_SQL = (
    "CREATE TABLE {table} (id INTEGER NOT NULL AUTO_INCREMENT, name VARCHAR(100) NOT NULL,"
    " amount NUMERIC(12, 2) NOT NULL DEFAULT '0.00', note TEXT, made_on DATE, PRIMARY KEY (id))"
    " DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_unicode_ci"
)
_ADD = 'op.add_column("{table}", sa.Column("rank", sa.Integer(), nullable=True))'
_ADD_SQL = "ALTER TABLE {table} ADD COLUMN `rank` INTEGER"
_VERSION_SQL = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


@dataclass(frozen=True)
class MadeChain:
    """A chain that was written: its project's `folder` and its `revisions`, oldest first.

    `stands_at` is the revision of a database that is behind as asked; None: an empty database.
    """

    folder: Path
    revisions: tuple[str, ...]
    stands_at: str | None

    @property
    def head(self) -> str:
        return self.revisions[-1]

    def sql_to_stand_at(self, revision: str | None, *, whole: bool = False) -> list[str]:
        """The statements that put an empty database at `revision`.

        With `whole`, as the chain itself would have left it; without, only what the revisions
        still to come need: two or three statements however long the chain is.
        """
        if revision is None:
            return []
        count = self.revisions.index(revision) + 1
        # After an odd count the next revision adds its column to the newest table.
        first = 0 if whole else count - count % 2
        statements = [_statement(index) for index in range(first, count)]
        return [*statements, _VERSION_SQL, f"INSERT INTO alembic_version VALUES ('{revision}')"]


def make_chain(folder: Path, revisions: int, *, behind: int = 0, flask: bool = False) -> MadeChain:
    """Writes a project with a chain of `revisions` into the new `folder`.

    Args:
        folder: is made; must not exist yet.
        revisions: how many; ids are r0001, r0002, …
        behind: how many revisions before the head `stands_at` is.
        flask: a Flask-Migrate project (its app's database: APP_DATABASE_URI), else plain Alembic.
    """
    if not 0 <= behind <= revisions:
        raise ValueError(f"cannot be {behind} revisions behind in a chain of {revisions}")
    source = FLASK if flask else PLAIN
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("versions", "__pycache__"))
    versions = folder / "migrations" / "versions"
    versions.mkdir()
    ids = tuple(f"r{index + 1:04}" for index in range(revisions))
    for index, revision in enumerate(ids):
        _write(versions, index, revision, ids[index - 1] if index else None)
    return MadeChain(folder, ids, ids[-behind - 1] if behind < revisions else None)


def _table(index: int) -> str:
    return f"table_{index // 2 + 1:04}"


def _statement(index: int) -> str:
    return (_ADD_SQL if index % 2 else _CREATE_SQL).format(table=_table(index))


def _write(versions: Path, index: int, revision: str, parent: str | None) -> None:
    table = _table(index)
    if index % 2:
        message = f"add rank to {table}"
        upgrade, downgrade = _ADD.format(table=table), f'op.drop_column("{table}", "rank")'
    else:
        message = f"add {table}"
        upgrade, downgrade = _CREATE.format(table=table), f'op.drop_table("{table}")'
    name = f"{revision}_jms_{index + 1}_{message.replace(' ', '_')}.py"
    text = _REVISION.format(
        number=index + 1,
        message=message,
        revision=revision,
        revises=f" {parent}" if parent else "",
        down_revision=f'"{parent}"' if parent else None,
        upgrade=upgrade,
        downgrade=downgrade,
    )
    (versions / name).write_text(text, "utf-8")
