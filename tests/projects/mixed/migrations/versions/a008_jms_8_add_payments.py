"""JMS-8 add payments

Revision ID: a008
Revises: a007
Create Date: 2026-08-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()


class Payment(Base):
    __tablename__ = "payments"
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=False)
    client_id = sa.Column(sa.Integer, nullable=False)
    pence = sa.Column(sa.Integer, nullable=False)



revision = "a008"
down_revision = "a007"
branch_labels = None
depends_on = None


def upgrade():
    """Objects of an ORM session, a temporary table, many rows at once, and a batch of changes."""
    Base.metadata.tables["payments"].create(op.get_bind())
    with Session(op.get_bind()) as session:
        payments = [Payment(id=number, client_id=number % 5 + 1, pence=number) for number in range(1, 9)]
        session.add_all(payments)
        session.flush()
        payments[0].pence = 500
        session.flush()
        op.execute("ALTER TABLE payments ADD COLUMN note VARCHAR(20) NULL")
        payments[1].pence = 700
        session.flush()
    op.execute("CREATE TEMPORARY TABLE sums AS SELECT client_id, SUM(pence) s FROM payments GROUP BY 1")
    op.execute("UPDATE payments JOIN sums USING (client_id) SET note = CONCAT('sum ', s)")
    op.execute("DROP TEMPORARY TABLE sums")
    table = sa.table("payments", sa.column("id"), sa.column("pence"))
    op.get_bind().execute(
        table.update().where(table.c.id == sa.bindparam("key")).values(pence=table.c.pence + 1),
        [{"key": number} for number in range(1, 9)],
    )
    with op.batch_alter_table("payments") as batch:
        batch.add_column(sa.Column("paid_on", sa.Date()))
        batch.create_index("ix_payments_paid_on", ["paid_on"])


def downgrade():
    op.drop_table("payments")
