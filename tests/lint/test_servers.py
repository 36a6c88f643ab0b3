"""What lint believes of servers, asked of the servers: INSTANT or not, refused or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from ebhook.lint.checking import check
from ebhook.lint.servers import parse
from ebhook.settings import LintSettings, Settings
from tests.conftest import AnyServer, Fleets

TABLES = {
    "parent": "CREATE TABLE parent (id INT PRIMARY KEY)",
    "plain": "CREATE TABLE plain (id INT PRIMARY KEY, a VARCHAR(20), b INT NOT NULL DEFAULT 0)",
    "texts": "CREATE TABLE texts (id INT PRIMARY KEY, a VARCHAR(20), FULLTEXT KEY f (a))",
    "pressed": "CREATE TABLE pressed (id INT PRIMARY KEY, a VARCHAR(20)) ROW_FORMAT=COMPRESSED",
}
# Additions to one table, which `instant` allows or not: the server and lint have to agree.
ADDITIONS = (
    ("plain", "c INT NULL"),
    ("plain", "c INT NOT NULL DEFAULT 5"),
    ("plain", "c INT NULL AFTER a"),
    ("plain", "c DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP"),
    ("plain", "c DATETIME NULL DEFAULT (now())"),
    ("plain", "c INT NULL DEFAULT (5)"),
    ("plain", "c INT NULL DEFAULT (1 + 1)"),
    ("plain", "c TEXT NULL"),
    ("plain", "c JSON NULL"),
    ("plain", "c ENUM('x', 'y') NOT NULL DEFAULT 'x'"),
    ("plain", "c INT GENERATED ALWAYS AS (b + 1) VIRTUAL"),
    ("plain", "c INT GENERATED ALWAYS AS (b + 1) STORED"),
    ("texts", "c INT NULL"),
    ("pressed", "c INT NULL"),
)
# What a server says when it could do it, but not this way.
NOT_INSTANT = {1845, 1846, 4092}

VERSIONS = {"mysql": "mysql-9.7", "mariadb": "mariadb-10.11"}
FILE = '''\
"""JMS-{number} {id}"""
from alembic import op

revision = "{id}"
down_revision = {down}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


def chain(root: Path, statements: list[str], back: list[str]) -> None:
    """Two revisions: the tables, and `statements`, which `back` takes back."""
    versions = root / "migrations" / "versions"
    versions.mkdir(parents=True)
    for number, (up, down) in enumerate(
        ((list(TABLES.values()), [f"DROP TABLE {one}" for one in list(TABLES)[::-1]]),
         (statements, back)), start=1
    ):  # fmt: skip
        (versions / f"a{number}_jms_{number}_x.py").write_text(
            FILE.format(
                number=number,
                id=f"a{number}",
                down="None" if number == 1 else '"a1"',
                upgrade="\n".join(f"    op.execute({one!r})" for one in up),
                downgrade="\n".join(f"    op.execute({one!r})" for one in down) or "    pass",
            )
        )


def findings(root: Path, server: AnyServer) -> dict[int, set[str]]:
    """The rules that the second revision breaks, by line."""
    lint = LintSettings(server=VERSIONS[str(server.flavour)], after="a1")  # type: ignore[arg-type]
    report = check(Settings(root=root, env_py=False, lint=lint))
    found: dict[int, set[str]] = {}
    for one in report.findings:
        found.setdefault(one.span.line, set()).add(one.rule.id)
    return found


@pytest.fixture
def cursor(server: AnyServer, fleet: Fleets) -> Iterator[Any]:
    with fleet(1).connect(fleet.made[-1]) as connection, connection.cursor() as cursor:
        for statement in TABLES.values():
            cursor.execute(statement)
        yield cursor


def refusal(cursor: Any, sql: str) -> int:
    """The number of the server's error; 0 when it took the statement."""
    try:
        cursor.execute(sql)
    except pymysql.MySQLError as error:
        return int(error.args[0])
    return 0


def test_the_server_agrees_what_is_instant(server: AnyServer, cursor: Any, tmp_path: Path) -> None:
    """EBH060 is found for just the columns that the server cannot add INSTANT."""
    added = [f"ALTER TABLE {table} ADD COLUMN {column}" for table, column in ADDITIONS]
    for number, (table, column) in enumerate(ADDITIONS):
        name = column.replace("c ", f"c{number} ", 1)
        added[number] = f"ALTER TABLE {table} ADD COLUMN {name}"
    dropped = [sql.replace(" ADD COLUMN ", " DROP ").split(" DROP ") for sql in added[::-1]]
    back = [f"{first} DROP COLUMN {rest.split()[0]}" for first, rest in dropped]
    chain(tmp_path, added, back)

    found = findings(tmp_path, server)

    for line, sql in enumerate(added, start=9):
        number = refusal(cursor, f"{sql}, ALGORITHM=INSTANT")
        assert number == 0 or number in NOT_INSTANT, sql
        assert ("EBH060" in found.get(line, set())) == bool(number), (
            f"{sql}: the server says {number}"
        )


def test_the_server_agrees_what_blocks_writes(
    server: AnyServer, cursor: Any, tmp_path: Path
) -> None:
    """Keys and indexes: found where the server refuses LOCK=NONE, and not for a plain index."""
    statements = {
        "ALTER TABLE plain ADD INDEX ix_a (a)": set(),
        "ALTER TABLE plain ADD FULLTEXT INDEX ft_a (a)": {"EBH060"},
        "ALTER TABLE plain ADD CONSTRAINT fk FOREIGN KEY (b) REFERENCES parent (id)": {"EBH041"},
        "ALTER TABLE plain ADD CONSTRAINT ck CHECK (b >= 0)": {"EBH041"},
    }
    chain(
        tmp_path,
        list(statements),
        [
            "ALTER TABLE plain DROP CONSTRAINT ck",
            "ALTER TABLE plain DROP FOREIGN KEY fk",
            "ALTER TABLE plain DROP INDEX fk",
            "ALTER TABLE plain DROP INDEX ft_a",
            "ALTER TABLE plain DROP INDEX ix_a",
        ],
    )

    found = findings(tmp_path, server)

    for line, (sql, rules) in enumerate(statements.items(), start=9):
        number = refusal(cursor, f"{sql}, ALGORITHM=INPLACE, LOCK=NONE")
        assert bool(number) == bool(rules), f"{sql}: the server says {number}"
        assert found.get(line, set()) == rules


def test_the_server_agrees_what_is_too_much(server: AnyServer, cursor: Any, tmp_path: Path) -> None:
    """Rows, keys and columns beyond its limits, and names that are taken."""
    charset = "DEFAULT CHARSET=utf8mb4"
    statements = [
        f"CREATE TABLE t1 (a VARCHAR(16383)) {charset}",
        f"CREATE TABLE t2 (a VARCHAR(16383), b INT) {charset}",
        f"CREATE TABLE t3 (a VARCHAR(8191) NOT NULL, b VARCHAR(8190) NOT NULL) {charset}",
        f"CREATE TABLE t4 (a VARCHAR(8192) NOT NULL, b VARCHAR(8191) NOT NULL) {charset}",
        f"CREATE TABLE t5 (a VARCHAR(384), b VARCHAR(384), KEY k (a, b)) {charset}",
        f"CREATE TABLE t6 (a VARCHAR(384), b VARCHAR(385), KEY k (a, b)) {charset}",
        f"CREATE TABLE t7 (a VARCHAR(769), KEY k (a)) {charset}",
        "CREATE TABLE t8 (a TEXT, KEY k (a))",
        "CREATE TABLE t9 (a TEXT, KEY k (a(100)))",
        f"CREATE TABLE t10 ({', '.join(f'c{n} INT' for n in range(1017))})",
        f"CREATE TABLE t11 ({', '.join(f'c{n} INT' for n in range(1018))})",
        "CREATE TABLE t12 (a DECIMAL(65, 30), b BIT(64), c DATETIME(6), d YEAR, KEY k (a, b, c, d))",
        "CREATE TABLE t13 (a INT, b INT, CONSTRAINT taken FOREIGN KEY (a) REFERENCES parent (id))",
        "CREATE TABLE t14 (a INT, b INT, CONSTRAINT taken FOREIGN KEY (b) REFERENCES parent (id))",
        f"CREATE TABLE t15 (a INT, {'x' * 64} INT)",
        f"CREATE TABLE t16 (a INT, {'x' * 65} INT)",
    ]
    back = [f"DROP TABLE t{number}" for number in range(16, 0, -1)]
    chain(tmp_path, statements, back)

    found = findings(tmp_path, server)

    for line, sql in enumerate(statements, start=9):
        number = refusal(cursor, sql)
        refused = found.get(line, set()) - {"EBH062", "EBH064"}  # which no server minds
        assert bool(refused) == bool(number), f"{sql[:80]}: the server says {number}"


def test_the_server_agrees_what_is_reserved(server: AnyServer, cursor: Any) -> None:
    """Every word that lint calls reserved needs backticks there, or did in a release before."""
    reserved = parse(VERSIONS[str(server.flavour)]).reserved
    refused = {
        word for word in reserved if refusal(cursor, f"CREATE TABLE w_{word} (a INT, {word} INT)")
    }

    assert reserved - refused == set()


def test_the_server_agrees_which_downgrade_fails(
    server: AnyServer, cursor: Any, tmp_path: Path
) -> None:
    """EBH013 is error 1553, and nothing else is."""
    statements = [
        "CREATE TABLE t1 (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE INDEX i1 ON t1 (p)",
        "CREATE INDEX i2 ON t1 (p, id)",
        "CREATE TABLE t2 (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
        "CREATE INDEX i3 ON t2 (p)",
    ]
    back = ["DROP INDEX i3 ON t2", "DROP INDEX i2 ON t1", "DROP INDEX i1 ON t1"]
    chain(tmp_path, statements, back)
    for sql in statements:
        assert refusal(cursor, sql) == 0

    found = findings(tmp_path, server)

    first = 9 + len(statements) + 3
    for line, sql in enumerate(back, start=first):
        number = refusal(cursor, sql)
        assert number in (0, 1553), sql
        assert ("EBH013" in found.get(line, set())) == (number == 1553), f"{sql}: {number}"
