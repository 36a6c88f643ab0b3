"""What each worker would do for the first time, done before they are forked.

SQLAlchemy, Alembic and PyMySQL make much of what they need when it is first needed, and Python itself
rewrites code that has run a few times. Done here, it is shared; done in a worker, it costs each of them
a tenth of its time, and pages of its own.
"""

from __future__ import annotations

import io
from contextlib import closing, suppress
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from ebhook.database.connection import connect
from ebhook.database.url import Url
from ebhook.errors import EbhookError

TIMES = 10  # Python 3.11 specialises what has run eight times
_PATIENCE = 2.0  # seconds for a server that has just answered


def warm(url: Url) -> None:
    """Compiles statements that go nowhere, and asks a server for its version. Keeps no connection.

    A server that cannot be reached is no matter here: whoever upgrades a tenant will say so.
    """
    for _ in range(TIMES):
        _compile()
    with (
        suppress(EbhookError, sa.exc.SQLAlchemyError),
        closing(connect(url, database=None, timeout=_PATIENCE)) as connection,
    ):
        _ask(connection)


def _compile() -> None:
    context = MigrationContext.configure(
        dialect_name="mysql", opts={"as_sql": True, "output_buffer": io.StringIO()}
    )
    with Operations.context(context) as op:
        op.create_table(
            "warm",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("name", sa.String(100), server_default="", nullable=False),
        )
        op.add_column("warm", sa.Column("made_at", sa.DateTime()))
        op.execute("DO 0")


def _ask(connection: Any) -> None:
    engine = sa.create_engine(
        "mysql+pymysql://", creator=lambda: connection, poolclass=sa.StaticPool
    )
    with engine.connect() as over:
        for _ in range(TIMES):
            over.execute(sa.text("SELECT VERSION()")).all()
            over.exec_driver_sql("DO 0")
