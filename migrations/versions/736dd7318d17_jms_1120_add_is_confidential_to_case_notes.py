"""JMS-1120 add is_confidential to case_notes

Revision ID: 736dd7318d17
Revises: e4c2502d3f08
Create Date: 2025-01-22 08:44:36.087451

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "736dd7318d17"
down_revision = "e4c2502d3f08"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "case_notes",
        sa.Column("is_confidential", sa.Boolean(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("case_notes", "is_confidential")
