"""JMS-2 add tag to clients

Revision ID: a002
Revises: a001
Create Date: 2026-03-12 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a002"
down_revision = "a001"
branch_labels = None
depends_on = None


def upgrade(**arguments):
    op.add_column(
        "clients",
        sa.Column("tag", sa.String(16), server_default=arguments["tag"], nullable=False),
    )


def downgrade(**arguments):
    op.drop_column("clients", "tag")
