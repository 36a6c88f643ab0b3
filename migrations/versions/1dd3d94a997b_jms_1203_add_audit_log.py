"""JMS-1203 add audit_log

Revision ID: 1dd3d94a997b
Revises: 2fd9974ba254
Create Date: 2025-09-09 17:36:24.806543

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

# revision identifiers, used by Alembic.
revision = "1dd3d94a997b"
down_revision = "2fd9974ba254"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", mysql.DATETIME(fsp=6), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("entity", sa.String(64), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.Index(
            op.f("ix_audit_log_entity_entity_id_happened_at"), "entity", "entity_id", "happened_at"
        ),
        mysql_default_charset="utf8mb4",
        mysql_collate="utf8mb4_unicode_ci",
    )


def downgrade() -> None:
    op.drop_table("audit_log")
