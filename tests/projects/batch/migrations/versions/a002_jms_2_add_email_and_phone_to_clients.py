"""JMS-2 add email and phone to clients

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
    with op.batch_alter_table("clients") as batch:
        batch.add_column(sa.Column("email", sa.String(190), nullable=True))
        batch.add_column(sa.Column("phone", sa.String(40), nullable=True))


def downgrade():
    with op.batch_alter_table("clients") as batch:
        batch.drop_column("phone")
        batch.drop_column("email")
