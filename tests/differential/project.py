"""A chain of one revision, whose statements are each an op.execute."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support.agency import PROJECTS


class Project:
    """In `folder`, which is made."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(PROJECTS / "linear", folder, ignore=shutil.ignore_patterns("a0*", "*.pyc"))
        self.folder = folder
        self.file = folder / "migrations" / "versions" / "a001_jms_1.py"
        self.file.parent.mkdir(exist_ok=True)

    def write(self, statements: Sequence[str]) -> None:
        """Writes the revision, or writes it anew."""
        lines = "\n".join(f"    op.execute({_as_text(sql)!r})" for sql in statements)
        self.file.write_text(
            '"""JMS-1 what the test does"""\n\nfrom alembic import op\n\nrevision = "a001"\n'
            f"down_revision = None\n\n\ndef upgrade():\n{lines}\n\n\ndef downgrade():\n    pass\n",
            "utf-8",
        )


def _as_text(sql: str) -> str:
    """`sql` for op.execute, to which a colon and a name is a parameter."""
    return re.sub(r"(?<![:\w\\]):(\w+)(?![:\w])", r"\\:\1", sql)
