"""JMS-1234 use utf8mb4 in email_message

Revision ID: 4800c7ec96d0
Revises: 1dd3d94a997b
Create Date: 2025-11-26 09:15:38.467209

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "4800c7ec96d0"
down_revision = "1dd3d94a997b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default only: no row is rewritten, and columns added later can hold any character.
    op.execute("ALTER TABLE email_message DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")


def downgrade() -> None:
    op.execute("ALTER TABLE email_message DEFAULT CHARACTER SET utf8mb3 COLLATE utf8mb3_unicode_ci")
