"""JMS-5 add visit_kinds

Revision ID: a005
Revises: a004
Create Date: 2026-06-15 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a005"
down_revision = "a004"
branch_labels = None
depends_on = None


def upgrade():
    kinds = op.create_table(
        "visit_kinds",
        sa.Column("code", sa.String(16), primary_key=True),
        sa.Column("sort_order", sa.Integer(), nullable=False),
    )
    op.bulk_insert(
        kinds,
        [{"code": "home", "sort_order": 1}, {"code": "office", "sort_order": 2}],
    )
    # Seen twice, it would show: 10 would be 20.
    op.execute("UPDATE visit_kinds SET sort_order = sort_order + 10")


def downgrade():
    op.drop_table("visit_kinds")
