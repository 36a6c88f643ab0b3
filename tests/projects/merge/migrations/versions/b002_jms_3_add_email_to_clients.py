"""JMS-3 add email to clients

Revision ID: b002
Revises: a001
Create Date: 2026-04-13 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "b002"
down_revision = "a001"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("clients", sa.Column("email", sa.String(190), nullable=True))


def downgrade():
    op.drop_column("clients", "email")
