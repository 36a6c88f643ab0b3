"""JMS-1188 add delivery_date to case_closing_details

Revision ID: 2fd9974ba254
Revises: e5eb21519408
Create Date: 2025-06-17 10:02:11.590377

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "2fd9974ba254"
down_revision = "e5eb21519408"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("case_closing_details", sa.Column("delivery_date", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("case_closing_details", "delivery_date")
