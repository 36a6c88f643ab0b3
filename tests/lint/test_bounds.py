"""A version file is run within bounds; or not at all, with --no-run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ebhook.lint.checking import Report, check
from ebhook.lint.sandbox.plain import not_plain
from ebhook.settings import LintSettings, Settings
from tests.support.lint_cases import FOLDER, HEADER, case


def judged(root: Path, body: str, *, run: bool = True, seconds: float = 20) -> Report:
    settings = case("EBH092", True, "bounds", body).write(root)
    lint = LintSettings(after="a001", timeout=seconds)
    return check(Settings(root=settings.root, env_py=False, lint=lint), run=run)


def test_a_loop_without_end_ends(tmp_path: Path) -> None:
    """After lint.timeout, with the place where it was; an except that catches all does not help it."""
    body = (
        "\ndef upgrade():\n    while True:\n        try:\n            while True:\n"
        "                pass\n        except Exception:\n            pass\n"
        "\n\ndef downgrade():\n    pass\n"
    )
    report = judged(tmp_path, body, seconds=0.5)

    (finding,) = (one for one in report.findings if one.rule.id == "EBH092")
    assert "it does not end within 0.5 s" in finding.message
    assert report.seconds < 10


def test_memory_has_an_end(tmp_path: Path) -> None:
    """A file that asks for too much fails like one that raises."""
    body = "\ndef upgrade():\n    bytearray(64 * 1024 ** 3)\n\n\ndef downgrade():\n    pass\n"
    report = judged(tmp_path, body)

    assert any("MemoryError" in one.message for one in report.findings)


def test_with_no_run_operations_are_judged_all_the_same(tmp_path: Path) -> None:
    """A list of operations with literals is no code of its author's."""
    body = '\ndef upgrade():\n    op.drop_column("cases", "note")\n\n\ndef downgrade():\n    pass\n'
    report = judged(tmp_path, body, run=False)

    assert "EBH002" in {one.rule.id for one in report.findings}


def test_with_no_run_nothing_else_is_run(tmp_path: Path) -> None:
    """A file that does more is told of, and none of it happens, its top included."""
    mark = tmp_path / "mark"
    body = f'\nopen({str(mark)!r}, "w")\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n'
    report = judged(tmp_path, body, run=False)

    assert not mark.exists()
    assert "EBH090" in {one.rule.id for one in report.findings}


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "import sqlalchemy.util",
        "from sqlalchemy import util",
        "from app import models",
        "x = open('f')",
        "def upgrade():\n    for a in (1,):\n        op.drop_table('t')",
        "def upgrade():\n    op.get_bind().execute('x')",
        "def upgrade():\n    op.execute(sa.util.x('y'))",
        "def upgrade():\n    op.create_table('t', *[sa.Column('a')])",
        "def upgrade():\n    op.create_table(**{'a': 1})",
        "def upgrade():\n    op.execute(eval('1'))",
        "def upgrade():\n    op.execute((lambda: 'x')())",
        "def upgrade():\n    op.execute(f'{1}')",
        "def upgrade(x=print()):\n    pass",
        "@print\ndef upgrade():\n    pass",
        "class A: pass",
    ],
)
def test_what_is_more_than_a_list_of_operations(code: str) -> None:
    """Each of these could run something of its author's."""
    head = "import sqlalchemy as sa\nfrom alembic import op\n"

    assert not_plain(ast.parse(head + code)) is not None


def test_what_alembic_generates_is_plain() -> None:
    """Imports, names, operations with columns, types and constraints."""
    code = HEADER + (
        "from sqlalchemy.dialects import mysql\n\n\n"
        "def upgrade():\n"
        "    op.create_table('t', sa.Column('id', mysql.INTEGER(unsigned=True), nullable=False),\n"
        "        sa.PrimaryKeyConstraint('id', name=op.f('pk_t')), mysql_charset='utf8mb4')\n"
        "    op.execute(sa.text('UPDATE t SET a = -1'))\n"
        "    op.create_index('ix', 't', ['id'], unique=True, mysql_length={'id': 5})\n\n\n"
        "def downgrade():\n    op.drop_table('t')\n"
    )
    assert not_plain(ast.parse(code)) is None
    assert not_plain(ast.parse((FOLDER / "base.py").read_text("utf-8"))) is not None  # a loop
