"""JMS-5 count visits in batches

Revision ID: a005
Revises: a004
Create Date: 2026-05-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a005"
down_revision = "a004"
branch_labels = None
depends_on = None


def upgrade():
    """Commits of its own: as many batches as it takes, each for itself."""
    op.add_column("clients", sa.Column("batch", sa.Integer()))
    connection = op.get_bind()
    with op.get_context().autocommit_block():
        batch = 0
        while True:
            batch += 1
            changed = connection.execute(
                sa.text("UPDATE clients SET batch = :batch WHERE batch IS NULL ORDER BY id LIMIT 2"),
                {"batch": batch},
            )
            if changed.rowcount == 0:
                break
            op.execute("UPDATE clients SET visits = visits + 1 WHERE batch = %d" % batch)
    for number in (1, 2):
        op.execute(f"UPDATE clients SET visits = visits + {number}00 WHERE id = {number}")
        op.execute("COMMIT")
    op.execute("UPDATE clients SET visits = -1")
    op.execute("ROLLBACK")
    savepoint = connection.begin_nested()
    op.execute("UPDATE clients SET visits = -2")
    savepoint.rollback()
    with connection.begin_nested():
        op.execute("UPDATE clients SET visits = visits + 1000 WHERE id = 3")
    op.execute("ALTER TABLE clients MODIFY batch INT NOT NULL")


def downgrade():
    op.execute("UPDATE clients SET visits = visits - IF(id < 3, id * 100, IF(id = 3, 1000, 0)) - 1")
    op.drop_column("clients", "batch")
