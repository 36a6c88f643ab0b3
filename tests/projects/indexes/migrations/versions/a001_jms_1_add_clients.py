"""JMS-1 add clients

Revision ID: a001
Revises:
Create Date: 2026-02-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "clients",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("email", sa.String(190), nullable=True),
        sa.Column("phone", sa.String(40), nullable=True),
        sa.Column("born_on", sa.Date(), nullable=True),
        sa.Index("ix_clients_name", "name"),
        sa.Index("ix_clients_email", "email"),
        sa.Index("ix_clients_phone", "phone"),
        sa.Index("ix_clients_born_on", "born_on"),
    )


def downgrade():
    op.drop_table("clients")
