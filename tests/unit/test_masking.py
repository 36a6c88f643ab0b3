"""Passwords in a statement's text are masked, and nothing else is lost."""

from __future__ import annotations

import pytest

from ebhook.sql.masking import masked

SECRET = "hunter2"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE USER a@b IDENTIFIED BY 'hunter2' PASSWORD EXPIRE",
        'CREATE USER a IDENTIFIED BY "hunter2"',
        "CREATE USER 'it''s'@'%' IDENTIFIED BY 'x''hunter2\\'y' REQUIRE SSL",
        "CREATE USER a IDENTIFIED WITH caching_sha2_password BY 'hunter2'",
        "CREATE USER a IDENTIFIED WITH 'mysql_native_password' AS 'hunter2'",
        "create user a identified\n by\t'hunter2', b identified by 'hunter2 too'",
        "CREATE USER a IDENTIFIED BY PASSWORD '*hunter2'",
        "CREATE USER a IDENTIFIED VIA ed25519 USING PASSWORD('hunter2') OR unix_socket",
        "CREATE USER a IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('hunter2')",
        "ALTER USER a IDENTIFIED BY 'new' REPLACE 'hunter2'",
        "ALTER USER USER() IDENTIFIED BY 'hunter2' RETAIN CURRENT PASSWORD",
        "GRANT ALL ON x.* TO a IDENTIFIED BY 'hunter2'",
        "SET PASSWORD = 'hunter2'",
        "SET PASSWORD FOR 'a'@'b' = 'hunter2'",
        "SET PASSWORD FOR a = PASSWORD('hunter2')",
        "CHANGE MASTER TO MASTER_USER='r', MASTER_PASSWORD='hunter2', MASTER_PORT=1",
        "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'hunter2'",
        "START REPLICA USER='r' PASSWORD='hunter2'",
        "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'r', PASSWORD 'hunter2')",
        "CREATE TABLE t (id INT) ENGINE=FEDERATED CONNECTION='mysql://r:hunter2@h:3306/d/t'",
        "UPDATE users SET `password` = 'hunter2' WHERE id = 1",
        "CREATE USER a IDENTIFIED WITH x AS 0x68756e746572 /* hunter2 */".replace(
            " /* hunter2 */", ""
        ),
    ],
)
def test_a_password_is_masked(sql: str) -> None:
    """However an account, a replica or a foreign server is given one."""
    shown = masked(sql)

    assert SECRET not in shown
    assert "68756e" not in shown
    assert "***" in shown
    assert shown.split()[0] == sql.split()[0]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE users (password VARCHAR(60) NOT NULL DEFAULT '')",
        "ALTER TABLE users ADD COLUMN password_hash VARCHAR(60) COMMENT 'bcrypt'",
        "ALTER USER a PASSWORD EXPIRE INTERVAL 90 DAY",
        "INSERT INTO t VALUES ('see https://example.com/a@b')",
        "CREATE USER a IDENTIFIED BY RANDOM PASSWORD",
    ],
)
def test_what_holds_none_stays_as_it_is(sql: str) -> None:
    """A column of that name is no password."""
    assert masked(sql) == sql
