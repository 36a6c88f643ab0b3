"""What a boot at head imports: the interpreter's start is most of its time."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Alembic and SQLAlchemy cost more than all the rest; they are for tenants that are behind.
HEAVY = ("alembic", "sqlalchemy", "boto3", "botocore", "rich", "tenacity", "asyncio", "flask")

PROGRAM = """
import sys
import ebhook.cli
import ebhook.commands.{command}
print(*sorted(name for name in sys.modules if "." not in name))
"""


@pytest.mark.parametrize("command", ["boot", "status", "lock"])
def test_a_look_at_the_fleet_imports_little(command: str) -> None:
    """Where everything is at head, nothing is loaded that only an upgrade needs."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(command=command)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert not set(HEAVY) & set(done.stdout.split())


def test_help_imports_next_to_nothing() -> None:
    """The command line alone brings in no database driver."""
    program = "import sys, ebhook.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert not {"pymysql", "msgspec", *HEAVY} & set(done.stdout.split())
