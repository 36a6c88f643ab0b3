"""JMS-3 add tier to clients

Revision ID: a003
Revises: a002
Create Date: 2026-03-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a003"
down_revision = "a002"
branch_labels = None
depends_on = None


def upgrade():
    """Raw SQL; rows that it finds by what it is about to change; changes that would add up."""
    op.execute("ALTER TABLE clients ADD COLUMN tier VARCHAR(16) NULL, ADD COLUMN score INT NULL")
    connection = op.get_bind()
    found = connection.execute(sa.text("SELECT id FROM clients WHERE tier IS NULL ORDER BY id"))
    for number, (id,) in enumerate(found):
        tier = "gold" if number == 0 else "standard"
        connection.execute(sa.text(f"UPDATE clients SET tier = '{tier}' WHERE id = {id}"))
    op.execute("ALTER TABLE clients MODIFY tier VARCHAR(16) NOT NULL")
    op.execute("UPDATE clients SET visits = visits * 2 + 1")
    op.execute("CREATE INDEX ix_clients_tier ON clients (tier)")
    op.execute("UPDATE clients SET score = visits * 10 + LENGTH(DATE_FORMAT('2026-03-11', '%Y'))")


def downgrade():
    op.execute("UPDATE clients SET visits = (visits - 1) DIV 2")
    op.execute("ALTER TABLE clients DROP COLUMN tier, DROP COLUMN score")
