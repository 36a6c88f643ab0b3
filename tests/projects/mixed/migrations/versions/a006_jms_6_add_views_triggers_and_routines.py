"""JMS-6 add views, triggers and routines

Revision ID: a006
Revises: a005
Create Date: 2026-06-11 09:00:00.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a006"
down_revision = "a005"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE VIEW gold_clients AS SELECT id, last_name FROM clients WHERE tier = 'gold'")
    op.execute("CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(99) NOT NULL)")
    op.execute(
        "CREATE TRIGGER log_clients AFTER UPDATE ON clients FOR EACH ROW"
        " INSERT INTO log (text) VALUES (CONCAT(OLD.visits, '->', NEW.visits))"
    )
    op.execute("UPDATE clients SET visits = visits + 7")
    op.execute("DROP TRIGGER log_clients")
    op.execute("CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n * 2")
    op.execute("CREATE PROCEDURE busiest() SELECT MAX(visits) FROM clients")
    op.execute("CREATE OR REPLACE VIEW gold_clients AS SELECT id, visits FROM clients WHERE tier = 'gold'")
    op.execute("INSERT INTO log (text) SELECT CONCAT('twice ', SUM(visits) * 2) FROM clients")


def downgrade():
    op.execute("DROP PROCEDURE busiest")
    op.execute("DROP FUNCTION twice")
    op.execute("UPDATE clients SET visits = visits - 7")
    op.execute("DROP TABLE log")
    op.execute("DROP VIEW gold_clients")
