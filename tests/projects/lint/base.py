"""JMS-1 what the cases below stand on

Revision ID: a001
Revises:
Create Date: 2026-01-01 00:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a001"
down_revision = None
branch_labels = None
depends_on = None

UTF8 = {"mysql_default_charset": "utf8mb4", "mysql_collate": "utf8mb4_unicode_ci"}


def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("email", sa.String(190), nullable=False),
        sa.Column("name", sa.String(100), nullable=True),
        sa.UniqueConstraint("email", name="uq_users_email"),
        **UTF8,
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("title", sa.String(50), nullable=False),
        sa.Column("status", sa.Enum("open", "closed"), server_default="open", nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_cases_owner_id"),
        sa.Index("ix_cases_status", "status"),
        **UTF8,
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Index("ft_documents_body", "body", mysql_prefix="FULLTEXT"),
        **UTF8,
    )
    op.create_table(
        "archive",
        sa.Column("id", sa.Integer(), primary_key=True),
        mysql_row_format="COMPRESSED",
        **UTF8,
    )
    for name in ("old_marks", "old_notes"):
        op.create_table(name, sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("CREATE VIEW open_cases AS SELECT * FROM cases WHERE status = 'open'")


def downgrade():
    op.execute("DROP VIEW open_cases")
    for name in ("old_notes", "old_marks"):
        op.drop_table(name)
    op.drop_table("archive")
    op.drop_table("documents")
    op.drop_table("cases")
    op.drop_table("users")
