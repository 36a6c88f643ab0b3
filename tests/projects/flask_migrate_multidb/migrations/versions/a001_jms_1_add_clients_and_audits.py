"""JMS-1 add clients and audits

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


def upgrade(engine_name):
    globals()[f"upgrade_{engine_name}"]()


def downgrade(engine_name):
    globals()[f"downgrade_{engine_name}"]()


def upgrade_():
    op.create_table(
        "clients",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
    )


def downgrade_():
    op.drop_table("clients")


def upgrade_audit():
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("happened_at", sa.DateTime(), nullable=False),
    )


def downgrade_audit():
    op.drop_table("audits")
