"""One chain with a stock env.py, and the two programs run on it.

The version files are the package's own, untouched. Its env.py is not used: nearly all of them expect to
be run by the package's own command, which loads its settings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.chains.packages import MODULES, Environment, Package
from tests.conftest import clean_environment
from tests.support.agency import PROJECTS

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds for one run


@dataclass(frozen=True)
class ChainProject:
    """A folder with ebhook.toml, alembic.ini and migrations/."""

    folder: Path
    environment: Environment

    @staticmethod
    def make(folder: Path, environment: Environment, package: Package) -> ChainProject:
        no_versions = shutil.ignore_patterns("versions", "*.pyc", "chain.sum")
        shutil.copytree(PROJECTS / "linear", folder, ignore=no_versions)
        shutil.copytree(package.versions, folder / "migrations" / "versions")
        env_py = folder / "migrations" / "env.py"
        imported = f"import sqlalchemy.orm, {MODULES.get(package.name, 'sqlalchemy')}\n"
        env_py.write_text(imported + env_py.read_text())
        (folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = migrations\nsqlalchemy.url = %(url)s\n"
        )
        return ChainProject(folder, environment)

    def alembic(self, url: str) -> subprocess.CompletedProcess[str]:
        """``alembic upgrade head`` on a database."""
        script = (
            "import sys; from alembic import command; from alembic.config import Config;"
            "config = Config('alembic.ini'); config.set_main_option('sqlalchemy.url', sys.argv[1]);"
            "command.upgrade(config, 'head')"
        )
        return subprocess.run(
            [self.environment.python, "-c", script, url.replace("%", "%%")],
            cwd=self.folder,
            env=self._variables(url),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def boot(self, url: str, name: str) -> subprocess.Popen[str]:
        """``ebhook boot`` on a database, beside the caller, in a process group of its own."""
        variables = {
            "EBHOOK_TENANTS_URL": url.replace(name, "{tenant}"),
            "EBHOOK_TENANTS_NAMES": name,
            "EBHOOK_ROLLOUT_DEADLINE": str(PATIENCE),
            "EBHOOK_BOOT_RULES": "off",  # these chains obey rules of their own
        }
        return subprocess.Popen(
            [self.environment.python, "-m", "ebhook", "boot"],
            cwd=self.folder,
            env=self._variables(url) | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _variables(self, url: str) -> dict[str, str]:
        """What OpenStack's revisions may ask their settings for, too."""
        return clean_environment() | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OS_DATABASE__CONNECTION": url,
        }
