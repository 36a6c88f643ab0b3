"""The application as the platform has it: its user, its folders, its name, and the bundle it is in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ebhook.errors import Exit
from tests.support.hook.agencies import ON_MARIADB, Bundle, Coupled, Instances, journal, on
from tests.support.hook.instance import Machine

WEBAPP = 4242
OWN_DATABASE = {"APP_DATABASE_URI": "mysql+pymysql://nobody@127.0.0.1:1/none"}

# An application that opens its log when it is imported, as many do.
LOGS = """
import logging
logging.basicConfig(filename="/var/log/app.log")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@ON_MARIADB
def test_what_the_application_creates_is_its_own(
    machine: Machine, instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """A log that is opened on import belongs to the service's user, who can write it when it starts."""
    machine.add_user("webapp", WEBAPP)
    agencies, variables = coupled
    instance = on(instances("i-0a1", home_of_root="open"), agencies, variables)
    instance.tell("platformconfig", {"AppUser": "webapp"})
    instance.properties |= OWN_DATABASE
    instance.path("/var/log").chmod(0o777)
    folder = bundle("flask_migrate")
    app = folder / "app.py"
    app.write_text(app.read_text().replace("import os\n", "import os\n" + LOGS, 1))

    ran = instance.deploy(folder)

    assert ran.code == Exit.OK, ran.stdout
    assert instance.path("/var/log/app.log").stat().st_uid == WEBAPP
    assert instance.path("/var/log/ebhook.log").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@ON_MARIADB
def test_a_user_that_may_not_read_the_bundle(
    machine: Machine, instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """Nothing is touched, and the message has the user, the folder, and the setting."""
    machine.add_user("webapp", WEBAPP)
    agencies, variables = coupled
    instance = on(instances("i-0a1", home_of_root="open"), agencies, variables)
    instance.tell("platformconfig", {"AppUser": "webapp"})
    instance.stage(bundle("linear"), "v1")
    instance.path("/var/app/staging").chmod(0o700)

    ran = instance.hooks()

    assert ran.code == Exit.SETTINGS, ran.stdout
    assert "cannot be loaded as webapp, who may not read /var/app/staging" in ran.stdout
    assert 'run_as = "root"' in ran.stdout


@ON_MARIADB
def test_after_a_later_deployment_that_failed(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """`sudo ebhook` is about the bundle that failed, and says so; --bundle names the other one. Each
    has its own label."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    assert instance.deploy(bundle("linear", upto=1), "v1").code == Exit.OK
    assert instance.deploy(bundle("fails_midway"), "v2").code == Exit.PERSON

    failed = instance.ssh("ebhook", "status", cwd="/root")
    runs = instance.ssh("ebhook", "status", "--bundle", "current", cwd="/root")
    config = instance.ssh("ebhook", "doctor", "--bundle", "current", "--json", cwd="/root")

    assert "/var/app/staging (v2), the bundle that is being deployed, or failed" in failed.stderr
    assert "a002 half applied" in failed.stdout
    assert "staging" not in runs.stderr
    told = {f["check"]: f["text"] for f in config.json()["findings"]}
    assert told["identity"] == "agencies-prod, v1"
    assert {row[3] for row in journal(agencies, agencies.names[0])} == {"v1", "v2"}


@ON_MARIADB
def test_a_staged_bundle_runs_on_its_own_modules(
    instances: Instances, bundle: Bundle, coupled: Coupled, tmp_path: Path
) -> None:
    """Also where PYTHONPATH names the folder of the bundle that runs: `src/` of staging wins."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties["PYTHONPATH"] = "/var/app/current/src"
    folder = bundle("linear")
    (folder / "src").mkdir()
    env_py = folder / "migrations/env.py"
    env_py.write_text("import shop\nprint('shop is', shop.NAME)\n" + env_py.read_text())
    (folder / "src/shop.py").write_text("NAME = 'old'\n")
    newest = max((folder / "migrations/versions").glob("*.py"))
    kept = newest.read_text()
    newest.unlink()
    subprocess.run(["rm", "-f", folder / "migrations/chain.sum"], check=True)
    assert instance.deploy(folder, "v1").code == Exit.OK
    newest.write_text(kept)
    (folder / "src/shop.py").write_text("NAME = 'new'\n")

    ran = instance.deploy(folder, "v2")

    assert ran.code == Exit.OK, ran.stdout
    assert "shop is new" in ran.stdout
    assert "shop is old" not in ran.stdout


@ON_MARIADB
def test_the_application_of_the_platform(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """`application.py`, which Elastic Beanstalk serves by default, is found without a setting."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)
    instance.properties |= OWN_DATABASE
    folder = bundle("flask_migrate")
    settings = folder / "ebhook.toml"
    settings.write_text(settings.read_text().replace('flask_app = "app:create_app"', ""))
    app = folder / "app.py"
    (folder / "application.py").write_text(app.read_text() + "\napplication = create_app()\n")
    app.unlink()

    ran = instance.deploy(folder)

    assert ran.code == Exit.OK, ran.stdout


@ON_MARIADB
def test_a_second_deployment_leaves_no_copies(
    instances: Instances, bundle: Bundle, coupled: Coupled
) -> None:
    """cfn-init keeps what was there as .bak; cron would run a second rotation."""
    agencies, variables = coupled
    instance = on(instances("i-0a1"), agencies, variables)

    for label in ("v1", "v2"):
        assert instance.deploy(bundle("linear"), label).code == Exit.OK

    left = [path for place in ("opt", "var") for path in (instance.folder / place).rglob("*.bak")]
    left += (instance.machine.folder / "etc").rglob("*ebhook*.bak")
    assert left == []
