"""JMS-1251 add body_html to email_message

Revision ID: 6d0dbddd276b
Revises: 4800c7ec96d0
Create Date: 2026-01-13 12:27:45.932650

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

# revision identifiers, used by Alembic.
revision = "6d0dbddd276b"
down_revision = "4800c7ec96d0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("email_message", sa.Column("body_html", mysql.MEDIUMTEXT(), nullable=True))


def downgrade() -> None:
    op.drop_column("email_message", "body_html")
