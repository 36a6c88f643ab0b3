"""JMS-1277 add closing_reasons

Revision ID: 26de8e909436
Revises: 6d0dbddd276b
Create Date: 2026-03-30 11:51:09.175823

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "26de8e909436"
down_revision = "6d0dbddd276b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closing_reasons",
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("label", sa.String(120), nullable=False),
        sa.Column("sort_order", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_closing_reasons")),
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )


def downgrade() -> None:
    op.drop_table("closing_reasons")
