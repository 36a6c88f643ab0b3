"""JMS-7 archive the log

Revision ID: a007
Revises: a006
Create Date: 2026-07-11 09:00:00.000000

"""

from contextlib import suppress

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import IntegrityError, OperationalError

revision = "a007"
down_revision = "a006"
branch_labels = None
depends_on = None


def upgrade():
    """Tables that change their names, a copy, and what is there only sometimes."""
    op.execute("CREATE TABLE log_new LIKE log")
    op.execute("RENAME TABLE log TO log_old, log_new TO log")
    op.execute("INSERT INTO log (text) SELECT text FROM log_old WHERE text LIKE '%twice%' ORDER BY id")
    inspector = sa.inspect(op.get_bind())
    if "level" not in [column["name"] for column in inspector.get_columns("log")]:
        op.add_column("log", sa.Column("level", sa.Integer(), server_default="3"))
    if not inspector.has_table("levels"):
        levels = op.create_table("levels", sa.Column("level", sa.Integer(), primary_key=True))
        op.bulk_insert(levels, [{"level": level} for level in range(1, 4)])
    with suppress(OperationalError):
        op.execute("ALTER TABLE log ADD COLUMN level INT")  # it is there
    try:
        op.execute("INSERT INTO levels (level) VALUES (3)")  # that, too
    except IntegrityError:
        op.execute("UPDATE levels SET level = level + 10 WHERE level = 3")
    op.drop_table("log_old")


def downgrade():
    op.drop_table("levels")
    op.drop_column("log", "level")
