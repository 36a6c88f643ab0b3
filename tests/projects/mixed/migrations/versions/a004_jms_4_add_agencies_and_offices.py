"""JMS-4 add agencies and offices

Revision ID: a004
Revises: a003
Create Date: 2026-04-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a004"
down_revision = "a003"
branch_labels = None
depends_on = None


def upgrade():
    """New ids, which go into other rows, with definitions in between."""
    agencies = op.create_table(
        "agencies",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(50), nullable=False),
    )
    connection = op.get_bind()
    north = connection.execute(agencies.insert().values(name="North")).lastrowid
    op.execute(
        "CREATE TABLE offices (id INT AUTO_INCREMENT PRIMARY KEY, agency_id INT NOT NULL,"
        " town VARCHAR(50) NOT NULL, FOREIGN KEY (agency_id) REFERENCES agencies (id))"
    )
    connection.execute(
        sa.text("INSERT INTO offices (agency_id, town) VALUES (:id, 'Leeds'), (:id, 'York')"),
        {"id": north},
    )
    op.execute("INSERT INTO agencies (name) VALUES ('South')")
    op.execute("SET @south = LAST_INSERT_ID()")
    op.execute("ALTER TABLE offices ADD COLUMN desks INT NOT NULL DEFAULT 4")
    op.execute("INSERT INTO offices (agency_id, town) VALUES (@south, 'Hove')")
    op.execute("UPDATE offices SET desks = desks + 1 WHERE id = LAST_INSERT_ID()")
    op.execute("ALTER TABLE offices ADD COLUMN label VARCHAR(99) NULL")
    op.execute(
        "UPDATE offices JOIN agencies ON agencies.id = agency_id"
        " SET label = CONCAT(name, '/', town)"
    )


def downgrade():
    op.drop_table("offices")
    op.drop_table("agencies")
