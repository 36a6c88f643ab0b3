"""The comparison that the other tests here rest on: it sees whatever differs, and nothing else."""

from __future__ import annotations

import pytest

from tests.conftest import AnyServer, Fleet, Fleets
from tests.support.content import Content, contents, differences
from tests.support.watching import ask

AGENCY = (
    "CREATE TABLE agencies (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50) NOT NULL,"
    " tier INT CHECK (tier < 9), KEY ix_tier (tier))",
    "CREATE TABLE offices (id INT PRIMARY KEY, agency_id INT,"
    " CONSTRAINT of_agency FOREIGN KEY (agency_id) REFERENCES agencies (id))",
    "CREATE TABLE days (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2",
    "CREATE VIEW names AS SELECT name FROM agencies",
    "CREATE TRIGGER shout BEFORE INSERT ON agencies FOR EACH ROW SET NEW.name = UPPER(NEW.name)",
    "CREATE PROCEDURE best(n INT) SELECT MAX(tier) FROM agencies",
    "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC NO SQL RETURN n * 2",
    "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00'"
    " DO DELETE FROM offices",
    "INSERT INTO agencies (name, tier) VALUES ('North', 1), ('South', 2)",
)
CHANGES = {
    "a table": "CREATE TABLE visits (id INT PRIMARY KEY)",
    "a column": "ALTER TABLE offices ADD COLUMN town VARCHAR(9)",
    "the type of a column": "ALTER TABLE agencies MODIFY name VARCHAR(51) NOT NULL",
    "the order of columns": "ALTER TABLE agencies MODIFY tier INT AFTER id",
    "a default": "ALTER TABLE agencies ALTER tier SET DEFAULT 3",
    "the charset of a column": "ALTER TABLE agencies MODIFY name VARCHAR(50)"
    " CHARACTER SET latin1 NOT NULL",
    "the comment of a column": "ALTER TABLE agencies MODIFY name VARCHAR(50) NOT NULL COMMENT 'n'",
    "an index": "CREATE INDEX ix_name ON agencies (name)",
    "the direction of an index": "ALTER TABLE agencies DROP KEY ix_tier, ADD KEY ix_tier (tier DESC)",
    "a unique key": "ALTER TABLE agencies ADD UNIQUE KEY uq_name (name)",
    "the rule of a foreign key": "ALTER TABLE offices DROP FOREIGN KEY of_agency, ADD CONSTRAINT"
    " of_agency_2 FOREIGN KEY (agency_id) REFERENCES agencies (id) ON DELETE CASCADE",
    "a check": "ALTER TABLE agencies ADD CONSTRAINT named CHECK (name <> '')",
    "a partition": "ALTER TABLE days COALESCE PARTITION 1",
    "the comment of a table": "ALTER TABLE days COMMENT 'which'",
    "the row format": "ALTER TABLE days ROW_FORMAT=COMPACT",
    "the charset of a table": "ALTER TABLE days DEFAULT CHARSET latin1",
    "the charset of the database": "ALTER DATABASE {} CHARACTER SET latin1",
    "a view": "ALTER VIEW names AS SELECT UPPER(name) AS name FROM agencies",
    "a trigger": "DROP TRIGGER shout",
    "a procedure": "ALTER PROCEDURE best COMMENT 'the best'",
    "a function": "DROP FUNCTION twice",
    "an event": "ALTER EVENT nightly DISABLE",
    "a row": "DELETE FROM agencies WHERE id = 2",
    "a value": "UPDATE agencies SET tier = 3 WHERE id = 1",
    "a primary key": "ALTER TABLE offices DROP PRIMARY KEY",
}


@pytest.fixture
def pair(fleet: Fleets) -> Fleet:
    """Two agencies that are the same."""
    made = fleet(2, prefix="pair")
    for name in made.names:
        with made.connect(name) as connection:
            for sql in AGENCY:
                ask(connection, sql)
    return made


def content(server: AnyServer, name: str) -> Content:
    return contents(server, [name])[name]


def test_whatever_is_changed_is_seen(server: AnyServer, pair: Fleet) -> None:
    """Two agencies are the same, and after each kind of change of one of them they are not."""
    one, other = contents(server, pair.names).values()
    assert (before := differences(one, other)) == []
    with pair.connect(pair.names[1]) as connection:
        for what, sql in CHANGES.items():
            ask(connection, sql.format(pair.names[1]))
            after = differences(one, content(server, pair.names[1]))
            assert after != before, what
            before = after


def test_what_moves_by_itself_is_not(server: AnyServer, pair: Fleet) -> None:
    """An id that a transaction took which was undone, and statistics, are no difference."""
    with pair.connect(pair.names[1], autocommit=False) as connection:
        ask(connection, "INSERT INTO agencies (name) VALUES ('gone')")
        connection.rollback()
        ask(connection, "ANALYZE TABLE agencies")

    one, other = contents(server, pair.names).values()

    assert differences(one, other) == []
    assert one["rows of agencies"] == [(1, "NORTH", 1), (2, "SOUTH", 2)]
