"""JMS-2 add email and phone to clients

Revision ID: a002
Revises: a001
Create Date: 2026-03-12 09:00:00.000000

"""

import os

import sqlalchemy as sa
from alembic import op

SECONDS = float(os.environ.get("EBHOOK_TEST_SLOW", "3"))

revision = "a002"
down_revision = "a001"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("clients", sa.Column("email", sa.String(190), nullable=True))
    op.execute(f"DO SLEEP({SECONDS})")
    op.add_column("clients", sa.Column("phone", sa.String(40), nullable=True))


def downgrade():
    op.drop_column("clients", "phone")
    op.drop_column("clients", "email")
