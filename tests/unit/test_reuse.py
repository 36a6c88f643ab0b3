"""Which version files can keep nothing from one tenant to the next, and which env.py."""

from __future__ import annotations

import operator
import textwrap
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy
import sqlalchemy.orm

from ebhook.rollout.reuse import is_plain
from ebhook.upgrade.app_listeners import listeners
from ebhook.upgrade.stock_env import is_stock

HEAD = '''\
"""JMS-1 add clients"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import column, table

revision = "a001"
down_revision: str | None = None
depends_on = ("a", "b")
COUNT = -1
'''


def version_file(folder: Path, text: str) -> Path:
    path = folder / "a001.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "body",
    [
        'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True))',
        'op.add_column("t", sa.Column("n", mysql.TINYINT(display_width=1), server_default=sa.text("0")))',
        'with op.batch_alter_table("t") as batch:\n    batch.add_column(sa.Column("n", sa.Text()))',
        'op.execute("ALTER TABLE t DEFAULT CHARSET utf8mb4")',
        'if op.get_bind().dialect.name == "mysql":\n    op.execute("SELECT 1")',
        't = table("t", column("n"))\nop.bulk_insert(t, [{"n": n} for n in range(3)])',
        'rows = op.get_bind().execute(sa.text("SELECT id FROM t")).fetchall()\nfor row in rows:\n'
        '    found = {}\n    found["id"] = row.id\n    op.execute(sa.text("DO :id").bindparams(**found))',
        "try:\n    print(len(str(COUNT)))\nexcept ValueError as error:\n    raise RuntimeError(error)",
        "helper(3)",
        "op.execute('a\\d' + " + " + ".join(["'b'"] * 400) + ")",  # a warning, and a deep tree
        "pass",
    ],
)
def test_what_people_write_day_by_day_is_plain(tmp_path: Path, body: str) -> None:
    text = f"{HEAD}\n\ndef helper(n, m=1):\n    return n + m\n\n\ndef upgrade():\n"

    assert is_plain(version_file(tmp_path, text + textwrap.indent(body, "    ")))


@pytest.mark.parametrize(
    "outside",
    [
        "SEEN = []",
        "SEEN = {}",
        "ROLES = zip([1, 2], ['admin', 'user'])",
        "ROLES = (n for n in (1, 2))",
        "NAMES = ('a', ['b'])",
        "import random",
        "import sqlalchemy",  # which leads to all of it
        "import sqlalchemy.orm as orm",
        "from sqlalchemy import event",
        "from sqlalchemy import *",
        "from sqlalchemy.orm import Session",
        "from alembic import context",
        "from app import db",
        "from . import helpers",
        "t = sa.table('t')",
        "class Role:\n    pass",
        "def known(found={}):\n    return found",
        "def known(*, found=[]):\n    return found",
        "@sa.compiles\ndef known():\n    pass",
        "for n in range(3):\n    pass",
        "if True:\n    SEEN = []",
        "op.f('x')",
        "x: list = []",
        "sa.x = 1",
        "async def known():\n    pass",
    ],
)
def test_what_may_keep_something_is_not(tmp_path: Path, outside: str) -> None:
    assert not is_plain(version_file(tmp_path, f"{HEAD}\n{outside}\n\ndef upgrade():\n    pass\n"))


@pytest.mark.parametrize(
    "inside",
    [
        "global COUNT; COUNT += 1",
        "upgrade.seen = 1",
        "sa.seen = 1",
        "del sa.seen",
        "sa.seen += 1",
        "sa.__dict__",
        "sa['seen'] = 1",
        "helper['seen'] = 1",
        "bind = op.get_bind(); bind.dialect.ischema_names['t'] = sa.Text",
        "bind = op.get_bind(); bind.info['t'] = sa.Text",
        "op.get_bind().dialect.type_compiler",
        "dialect = op.get_bind().dialect; dialect.ischema_names.clear()",
        "setattr = print; setattr(1)",
        "op.get_bind().engine",
        "sa.event.listen(sa.Table, 'before_create', print)",
        "sa.orm.clear_mappers()",
        "op.get_context().config.set_main_option('a', 'b')",
        "sa.create_engine('mysql+pymysql://')",
        "import os",
        "import sqlalchemy.orm as orm",
        "open('/tmp/x')",
        "setattr(sa, 'seen', 1)",
        "globals()",
        "__import__('os')",
        "vars(sa)",
        "exec('1')",
        "class A:\n        pass",
        "(n := 1)",
        "__builtins__",
        "undefined",
    ],
)
def test_what_reaches_further_is_not(tmp_path: Path, inside: str) -> None:
    text = f"{HEAD}\n\ndef helper():\n    pass\n\n\ndef upgrade():\n    {inside}\n"
    compile(text, "a001.py", "exec")

    assert not is_plain(version_file(tmp_path, text))


@pytest.mark.parametrize("text", ["def upgrade(:", "\0"])
def test_what_cannot_be_read_is_not(tmp_path: Path, text: str) -> None:
    assert not is_plain(version_file(tmp_path, text))


@pytest.mark.parametrize(
    "template",
    [
        Path(import_module("alembic").__path__[0], "templates", "generic", "env.py"),
        Path(import_module("flask_migrate").__path__[0], "templates", "flask", "env.py"),
    ],
)
def test_an_env_py_from_a_template_is_known_by_its_text(tmp_path: Path, template: Path) -> None:
    """Comments may be taken out; a line more makes it the application's own."""
    env_py = tmp_path / "env.py"
    lines = template.read_text().splitlines()
    env_py.write_text("\n".join(line for line in lines if not line.lstrip().startswith("#")))
    changed = tmp_path / "changed.py"
    changed.write_text(template.read_text() + "\nseen = []\n")

    assert is_stock(env_py)
    assert not is_stock(changed)
    assert not is_stock(tmp_path / "missing.py")


@pytest.mark.parametrize("target", ["Engine", "pool.Pool", "Table", "orm.Session"])
def test_listeners_of_an_application_are_seen(target: str) -> None:
    """On whatever class; those of SQLAlchemy and its extensions are no application's."""
    place = operator.attrgetter(target)(sqlalchemy)
    name = {"Engine": "begin", "pool.Pool": "checkout", "Table": "after_create"}.get(target)

    def listener(*_: object) -> None:
        pass

    with listeners() as heard:
        sqlalchemy.event.listen(place, name or "after_commit", listener)
        sqlalchemy.event.remove(place, name or "after_commit", listener)

        class Base(sqlalchemy.orm.DeclarativeBase):
            pass

    assert set(heard) == {listener}
