"""JMS-4 add notes to visits

Revision ID: a004
Revises: a003
Create Date: 2026-05-14 09:00:00.000000

"""

from alembic import op

revision = "a004"
down_revision = "a003"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE visits ADD COLUMN notes TEXT")


def downgrade():
    op.execute("ALTER TABLE visits DROP COLUMN notes")
