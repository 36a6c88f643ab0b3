"""JMS-1037 add email_message

Revision ID: 5e64031ac635
Revises: 14428defcf3e
Create Date: 2024-05-07 11:05:29.440268

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

# revision identifiers, used by Alembic.
revision = "5e64031ac635"
down_revision = "14428defcf3e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # ebhook: allow EBH064 -- JMS-1234 gives new columns utf8mb4
    op.create_table(
        "email_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("sender", sa.String(190), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("body", mysql.MEDIUMTEXT(), nullable=True),
        sa.Column("sent_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_message")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_email_message_case_id_cases")
        ),
        mysql_default_charset="utf8mb3",
        mysql_collate="utf8mb3_unicode_ci",
    )


def downgrade() -> None:
    op.drop_table("email_message")
