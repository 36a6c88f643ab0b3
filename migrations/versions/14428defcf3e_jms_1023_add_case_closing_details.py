"""JMS-1023 add case_closing_details

Revision ID: 14428defcf3e
Revises: 2ce73896e7d2
Create Date: 2024-03-20 09:30:55.114730

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "14428defcf3e"
down_revision = "2ce73896e7d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_closing_details",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("closed_by_id", sa.Integer(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_closing_details")),
        sa.UniqueConstraint("case_id", name=op.f("uq_case_closing_details_case_id")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_case_closing_details_case_id_cases")
        ),
        sa.ForeignKeyConstraint(
            ["closed_by_id"], ["users.id"], name=op.f("fk_case_closing_details_closed_by_id_users")
        ),
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )


def downgrade() -> None:
    op.drop_table("case_closing_details")
