"""JMS-1 add clients

Revision ID: a001
Revises:
Create Date: 2026-01-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    clients = op.create_table(
        "clients",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("full_name", sa.String(100), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False, server_default="0"),
        sa.Index("ix_clients_visits", "visits"),
        sa.Index("ix_clients_full_name", "full_name"),
    )
    names = ["Ada Lovelace", "Alan Turing", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov"]
    op.bulk_insert(
        clients, [{"id": number, "full_name": name} for number, name in enumerate(names, start=1)]
    )
    op.execute("UPDATE clients SET visits = visits + 1")


def downgrade():
    op.drop_table("clients")
