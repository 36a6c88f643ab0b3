"""Whole programs, timed as a shell would see them: ebhook, `flask db upgrade`, a bare script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import PASSWORD, USER, Fleet
from benchmarks.measure import NotDone

_FOREIGN = ("EBHOOK_", "FLASK_", "RDS_", "AWS_", "PYTHONDONTWRITEBYTECODE")

_BARE = """
import sys, pymysql
port, user, password, *names = sys.argv[1:]
connection = pymysql.connect(host="127.0.0.1", port=int(port), user=user, password=password)
cursor = connection.cursor()
cursor.execute(" UNION ALL ".join(f"SELECT version_num FROM {n}.alembic_version" for n in names))
assert len(cursor.fetchall()) == len(names)
"""


@dataclass(frozen=True)
class Programs:
    """Runs programs in a fleet's project. `workers` is ebhook's own default when None.

    `compiled` is where Python keeps compiled modules: a deployed package is compiled when it is
    installed; here the round that warms up does it.
    """

    fleet: Fleet
    compiled: Path
    workers: int | None = None

    def ebhook(self, *arguments: str, **settings: str) -> None:
        """ebhook; ``boot_rules="off"`` is EBHOOK_BOOT_RULES=off."""
        self._run("-m", "ebhook", *arguments, settings=settings)

    def flask_upgrade(self, *names: str) -> None:
        """`flask db upgrade` for each tenant, one after another."""
        for name in names:
            self._run("-m", "flask", "--app", "app:create_app", "db", "upgrade", tenant=name)

    def bare_script(self) -> None:
        """Python, PyMySQL, one login, one query: what any Python program takes at least."""
        port = str(self.fleet.server.port)
        self._run("-c", _BARE, port, USER, PASSWORD, *self.fleet.names)

    def _run(
        self,
        *arguments: str,
        tenant: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        more = {f"EBHOOK_{key.upper()}": value for key, value in (settings or {}).items()}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.fleet.chain.folder,
            env=self._environment(tenant or self.fleet.names[0]) | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            shown = " ".join(arguments)[:80]
            raise NotDone("\n".join([f"`{shown}` ended with {done.returncode}:", *said[-12:]]))

    def _environment(self, tenant: str) -> dict[str, str]:
        """The application's own database is `tenant`'s; the machine's own settings stay out."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        given = {
            "PYTHONPYCACHEPREFIX": str(self.compiled),
            "APP_DATABASE_URI": self.fleet.url(tenant),
            "EBHOOK_TENANTS_URL": self.fleet.url("{tenant}"),
            "EBHOOK_TENANTS_NAMES": ",".join(self.fleet.names),
        }
        if self.workers is not None:
            given["EBHOOK_ROLLOUT_WORKERS"] = str(self.workers)
        return kept | given
