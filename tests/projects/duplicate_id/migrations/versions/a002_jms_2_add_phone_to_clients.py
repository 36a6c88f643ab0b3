"""JMS-2 add phone to clients

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


def upgrade():
    op.add_column("clients", sa.Column("phone", sa.String(40), nullable=True))


def downgrade():
    op.drop_column("clients", "phone")
