"""JMS-2 add phone to clients

Revision ID: a002
Revises: a001
Create Date: 2026-03-12 09:00:00.000000

"""

import logging

import sqlalchemy as sa
from alembic import op

revision = "a002"
down_revision = "a001"
branch_labels = None
depends_on = None


def upgrade():
    print('{"looks": "like JSON"}')
    op.add_column("clients", sa.Column("phone", sa.String(40), nullable=True))
    logging.getLogger("application").warning("a002 logs")


def downgrade():
    op.drop_column("clients", "phone")
