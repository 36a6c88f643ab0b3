"""JMS-1302 add closing_reason and preferred_language

Revision ID: 018dbaded67e
Revises: 26de8e909436
Create Date: 2026-06-24 15:08:33.349061

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "018dbaded67e"
down_revision = "26de8e909436"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "case_closing_details",
        sa.Column(
            "closing_reason", sa.String(32), nullable=True, comment="a code of closing_reasons"
        ),
    )
    op.add_column(
        "users",
        sa.Column("preferred_language", sa.String(8), server_default="en", nullable=False),
    )
    op.add_column(
        "appointments",
        sa.Column("reminder_minutes", sa.Integer(), server_default=sa.text("60"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("appointments", "reminder_minutes")
    op.drop_column("users", "preferred_language")
    op.drop_column("case_closing_details", "closing_reason")
