"""JMS-2 split full_name of clients

Revision ID: a002
Revises: a001
Create Date: 2026-02-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a002"
down_revision = "a001"
branch_labels = None
depends_on = None


def upgrade():
    """Reads a column that its last statement drops."""
    op.add_column("clients", sa.Column("first_name", sa.String(50)))
    op.add_column("clients", sa.Column("last_name", sa.String(50)))
    connection = op.get_bind()
    for id, full_name in connection.execute(sa.text("SELECT id, full_name FROM clients ORDER BY id")):
        first, last = full_name.split()
        connection.execute(
            sa.text("UPDATE clients SET first_name = :first, last_name = :last WHERE id = :id"),
            {"first": first, "last": last, "id": id},
        )
    op.drop_index("ix_clients_full_name", "clients")
    op.drop_column("clients", "full_name")


def downgrade():
    op.add_column("clients", sa.Column("full_name", sa.String(100), nullable=False))
    op.execute("UPDATE clients SET full_name = CONCAT(first_name, ' ', last_name)")
    op.create_index("ix_clients_full_name", "clients", ["full_name"])
    op.drop_column("clients", "last_name")
    op.drop_column("clients", "first_name")
