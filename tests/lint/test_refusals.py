"""What every server refuses: each statement is run on the server, and lint has to say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from ebhook.lint.rules import rules
from ebhook.lint.sandbox.recording import Failure, RecordedRun, SandboxRecorder
from ebhook.lint.schema.schema import Schema
from ebhook.lint.servers import parse
from ebhook.lint.source import try_source
from ebhook.lint.subject import Subject, VersionFile
from tests.conftest import AnyServer, Fleets

STATEMENTS = (Path(__file__).parent / "statements.txt").read_text("utf-8").splitlines()
TABLES = (
    "CREATE TABLE p (id INT PRIMARY KEY, u INT UNSIGNED, n VARCHAR(20) COLLATE utf8mb4_bin,"
    " m VARCHAR(20), plain INT, KEY k (plain), KEY km (m), UNIQUE KEY uu (u))"
    " COLLATE utf8mb4_unicode_ci",
    "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(20), b INT NOT NULL, txt TEXT,"
    " KEY ia (a)) COLLATE utf8mb4_unicode_ci",
    "INSERT INTO t (b) VALUES (1)",
)
VERSIONS = {"mysql": "mysql-9.7", "mariadb": "mariadb-10.11"}
# The rules that say what a server refuses, whatever rows there are.
REFUSALS = {
    "EBH053",
    "EBH061",
    "EBH063",
    "EBH100",
    "EBH101",
    "EBH102",
    "EBH103",
    "EBH104",
    "EBH105",
}
# The chain might be younger than what these name.
NOT_KNOWN = {1146, 1051, 4092, 1360, 1305, 1539}
# What lint does not judge: a constraint's own expression, NULL where a key is, what a crowd of rules
# for indexes says (1170, 3152 are EBH061), a foreign key to a table that the chain has not made.
NOT_JUDGED = {3820, 1171, 1068, 1824, 3821, 1239, 1215}
# Another way to say the same.
SAME = {1005: {3780, 1824, 3734, 1830, 1822, 6125, 1005}, 1210: {1067}}

FILE = '''\
"""JMS-1 x"""
from alembic import op

revision = "a1"
down_revision = None


def upgrade():
    op.get_bind().exec_driver_sql({sql!r})


def downgrade():
    pass
'''


class Lint:
    """Judges single statements, each on the schema of TABLES."""

    def __init__(self, root: Path, flavour: str) -> None:
        self.root, self.server = root, parse(VERSIONS[flavour])
        (root / "versions").mkdir()
        self.recorder = SandboxRecorder(root, None, root, self.server)
        self.schema = Schema(inline_keys=self.server.inline_keys)
        for sql in TABLES:
            self.schema = self.run(sql).upgrade.after

    def run(self, sql: str) -> Subject:
        path = self.root / "versions" / "a1.py"
        path.write_text(FILE.format(sql=sql))
        file = VersionFile(*try_source(path))
        module = self.recorder.load(file.source)
        assert not isinstance(module, Failure)
        upgrade = self.recorder.record(file.source, module, "upgrade", self.schema)
        down = RecordedRun(after=upgrade.after)
        return Subject(file, self.schema, upgrade, down, self.server, self.root, self.root, "JMS-1")

    def claimed(self, sql: str) -> set[int]:
        """The server's error numbers that lint foretells."""
        subject = self.run(sql)
        return {
            int(number)
            for one in rules()
            if one.revision is not None and one.rule.id in REFUSALS
            for finding in one.revision(subject)
            for told in re.findall(r"\(([^()]*)\)", finding.message)
            for number in re.findall(r"\b\d{4}\b", told)
        }


@pytest.fixture
def cursor(server: AnyServer, fleet: Fleets) -> Iterator[Any]:
    with fleet(1).connect(fleet.made[-1]) as connection, connection.cursor() as cursor:
        yield cursor


def answer(cursor: Any, sql: str) -> int:
    """The number of the server's error on fresh tables; 0 when it takes the statement."""
    cursor.execute("SET foreign_key_checks = 0")
    cursor.execute("DROP VIEW IF EXISTS v")
    cursor.execute("DROP TABLE IF EXISTS p, t, x")
    cursor.execute("SET foreign_key_checks = 1")
    for one in TABLES:
        cursor.execute(one)
    try:
        cursor.execute(sql)
    except pymysql.MySQLError as error:
        return int(error.args[0])
    return 0


def test_lint_and_the_server_say_the_same(server: AnyServer, cursor: Any, tmp_path: Path) -> None:
    """Every statement that the server refuses lint calls refused, with the server's number; and of
    those that it takes, none."""
    lint, differ, refused = Lint(tmp_path, str(server.flavour)), [], 0
    for sql in STATEMENTS:
        number, claimed = answer(cursor, sql), lint.claimed(sql)
        refused += number != 0
        if number == 0:
            agree = not claimed
        elif number in NOT_KNOWN | NOT_JUDGED and not claimed:
            agree = True
        else:
            agree = bool(claimed & ({number} | SAME.get(number, set())))
        if not agree:
            differ.append((sql, number, claimed))

    assert not differ, "\n".join(map(str, differ))
    assert refused > 70  # of these statements, or the tables were not there
