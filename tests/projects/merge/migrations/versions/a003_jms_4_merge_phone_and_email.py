"""JMS-4 merge phone and email

Revision ID: a003
Revises: a002, b002
Create Date: 2026-05-14 09:00:00.000000

"""

revision = "a003"
down_revision = ("a002", "b002")
branch_labels = None
depends_on = None


def upgrade():
    pass


def downgrade():
    pass
