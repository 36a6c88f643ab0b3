"""JMS-3 add phone to clients

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
    op.add_column("clients", sa.Column("phone", sa.String(40), nullable=True))


def downgrade():
    op.drop_column("clients", "phone")
