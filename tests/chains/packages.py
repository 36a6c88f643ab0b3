"""Which chains, and the environment that they are installed in: one of its own, in the cache folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ebhook.scratch.installation import cache

# The package on PyPI and the folder of its version files.
CHAINS = {
    "aodh": "aodh/storage/sqlalchemy/alembic/versions",
    "barbican": "barbican/model/migration/alembic_migrations/versions",
    "blazar": "blazar/db/migration/alembic_migrations/versions",
    "cinder": "cinder/db/migrations/versions",
    "designate": "designate/storage/sqlalchemy/alembic/versions",
    "ironic": "ironic/db/sqlalchemy/alembic/versions",
    "magnum": "magnum/db/sqlalchemy/alembic/versions",
    "manila": "manila/db/migrations/alembic/versions",
    "masakari": "masakari/db/sqlalchemy/migrations/versions",
    "mistral": "mistral/db/sqlalchemy/migration/alembic_migrations/versions",
    "mlflow-skinny": "mlflow/store/db_migrations/versions",
    "nova": "nova/db/main/migrations/versions",
    "octavia": "octavia/db/migration/alembic_migrations/versions",
    "openstack-cyborg": "cyborg/db/sqlalchemy/alembic/versions",
    "openstack-heat": "heat/db/migrations/versions",
    "openstack-placement": "placement/db/sqlalchemy/alembic/versions",
    "optuna": "optuna/storages/_rdb/alembic/versions",
    "python-watcher": "watcher/db/sqlalchemy/alembic/versions",
    "trove": "trove/db/sqlalchemy/migrations/versions",
    "zun": "zun/db/sqlalchemy/alembic/versions",
}
# What an env.py of theirs has imported by the time that a revision uses it.
MODULES = {"barbican": "barbican.model.models"}


@dataclass(frozen=True)
class Package:
    """A package as it is installed."""

    name: str
    version: str
    versions: Path  # the folder of its version files


@dataclass(frozen=True)
class Environment:
    """A virtual environment; ebhook itself is taken from this checkout."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def package(self, name: str) -> Package | None:
        """An installed package; None when it cannot be had, or has no chain where it had one."""
        (site,) = (self.folder / "lib").glob("python3*/site-packages")
        versions = site / CHAINS[name]
        found = self._run("-m", "pip", "show", name)
        lines = [line for line in found.splitlines() if line.startswith("Version: ")]
        if not lines or not versions.is_dir():
            return None
        return Package(name, lines[0].removeprefix("Version: "), versions)

    def install(self, name: str) -> bool:
        """Installs a package with what it needs; whether that is possible beside the others."""
        if self.package(name) is not None:
            return True
        done = subprocess.run(
            [self.python, "-m", "pip", "install", "--quiet", "--prefer-binary", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return done.returncode == 0

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([self.python, *arguments], capture_output=True, text=True)
        return done.stdout


@lru_cache
def environment() -> Environment:
    """Made when it is not there, with what ebhook needs."""
    made = Environment(cache().parent / "chains" / "venv")
    if not made.folder.is_dir():
        subprocess.run([sys.executable, "-m", "venv", made.folder], check=True)
        root = Path(__file__).parents[2]
        for what in ([root], ["setuptools<81"]):  # whose pkg_resources older chains import
            command = [made.python, "-m", "pip", "install", "--quiet", *map(str, what)]
            subprocess.run(command, check=True)
        # ebhook itself comes from the checkout, whatever is changed there.
        subprocess.run(
            [made.python, "-m", "pip", "uninstall", "--quiet", "-y", "ebhook"], check=True
        )
    return made
