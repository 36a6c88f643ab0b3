"""JMS-3 add visits

Revision ID: a003
Revises: a002
Create Date: 2026-04-13 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a003"
down_revision = "a002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "visits",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("client_id", sa.Integer(), sa.ForeignKey("clients.id"), nullable=False),
        sa.Column("visited_on", sa.Date(), nullable=False),
    )


def downgrade():
    op.drop_table("visits")
