"""Instances of Elastic Beanstalk on this machine: the real scripts in their real places.

Every command runs in a mount namespace of its own, in which an instance's folders are bound over
/opt, /var, /etc and the folders of programs. What it writes there stays in the instance's folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import Ran

GET_CONFIG = Path(__file__).parent / "get_config.py"
VENV = Path(sys.prefix)
HOOK_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SUDO_PATH = "/sbin:/bin:/usr/sbin:/usr/bin"  # as sudo has it on Amazon Linux

_OWN = ("opt", "var")  # of each instance
# Of the machine that all instances are made from. Where /usr/sbin leads to /usr/bin, that comes last.
_PROGRAMS = ("usr/sbin", "usr/bin", "usr/local/bin")
_SHARED = ("etc", *_PROGRAMS)

# $1 the machine's folder, $2 the instance's, $3 `ro` for a log folder that nobody can write, $4 where,
# $5 `open` where /root is to be passed through by other users.
_ENTER = f"""
set -e
for place in {" ".join(_PROGRAMS)}; do mount --bind "/$place" "$1/real/$place"; done
for place in {" ".join(_SHARED)}; do mount --bind "$1/$place" "/$place"; done
for place in {" ".join(_OWN)}; do mount --bind "$2/$place" "/$place"; done
if [ "$3" = ro ]; then
    mount --bind "$2/var/log" /var/log
    mount -o remount,bind,ro /var/log
fi
if [ "$5" = open ]; then  # whoever is not root reaches this Python, too
    mount --rbind /root "$1/real/root"
    mount -t tmpfs -o mode=755 tmpfs /root
    for place in "$1"/real/root/.[a-z]*; do
        [ -d "$place" ] || continue
        mkdir -p "/root/$(basename "$place")"
        mount --rbind "$place" "/root/$(basename "$place")"
    done
fi
cd "$4"
shift 5
exec "$@"
"""


@dataclass(frozen=True)
class Machine:
    """What every instance begins with: /etc, and programs that lead to this machine's own."""

    folder: Path
    enter: Sequence[str]

    def make(self) -> None:
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, ignore=_unreadable)
        for place in _PROGRAMS:
            (self.folder / place).mkdir(parents=True)
            (self.folder / "real" / place).mkdir(parents=True)
            for program in os.listdir(f"/{place}"):
                (self.folder / place / program).symlink_to(self.folder / "real" / place / program)
        (self.folder / "real/root").mkdir()

    def add_user(self, name: str, number: int) -> None:
        """A user of the instances, with a group of the same name."""
        for file, line in (
            ("passwd", f"{name}:x:{number}:{number}::/home/{name}:/bin/false\n"),
            ("group", f"{name}:x:{number}:\n"),
        ):
            path = self.folder / "etc" / file
            if line not in path.read_text():
                path.write_text(path.read_text() + line)


def unshare() -> list[str] | None:
    """How to get a mount namespace here: as root, or as the root of a user namespace; else None."""
    for how in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        with suppress(OSError):
            probe = [*how, "mount", "--bind", "/", "/"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return how
    return None


@dataclass
class Instance:
    """One instance: its folders, the engine that deploys to it, and people who log in."""

    id: str
    folder: Path
    machine: Machine
    venv: str = "staging-LQM1lest"
    log_folder: str = "rw"
    home_of_root: str = "closed"
    properties: dict[str, str] = field(default_factory=dict)
    # RDS_…: get-config has them, hooks do not.
    coupled: dict[str, str] = field(default_factory=dict)
    # What comes from Secrets Manager: hooks have it, get-config does not.
    secret: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place in ("opt/elasticbeanstalk/bin", "opt/elasticbeanstalk/told"):
            (self.folder / place).mkdir(parents=True)
        for place in ("deployment", "tasks"):
            (self.folder / "opt/elasticbeanstalk" / place).mkdir()
        for place in (
            "var/app/venv",
            "var/log",
            "var/tmp",
            "var/lib/cloud/data",
            "var/lib/logrotate",
        ):
            (self.folder / place).mkdir(parents=True)
        copied = shutil.copy(GET_CONFIG, self.path("/opt/elasticbeanstalk/bin/get-config"))
        text = Path(copied).read_text().replace("/usr/bin/python3", sys.executable, 1)
        Path(copied).write_text(text)
        self.path("/var/lib/cloud/data/instance-id").write_text(self.id + "\n")
        self.path("/var/app/venv", self.venv).symlink_to(VENV)
        self.tell("container", {"environment_name": "agencies-prod", "platform": "Python 3.11"})
        self.tell("optionsettings", {"aws:elasticbeanstalk:command": {"Timeout": "600"}})
        self.tell("environment", {})

    def path(self, place: str, *more: str) -> Path:
        """Where the instance's `place` is on this machine."""
        place = place.lstrip("/")
        shared = place.startswith(_SHARED)
        return (self.machine.folder if shared else self.folder).joinpath(place, *more)

    def tell(self, what: str, document: Mapping[str, Any]) -> None:
        """What get-config is to print."""
        self.path(f"/opt/elasticbeanstalk/told/{what}.json").write_text(json.dumps(document))

    def misbehave(self, how: str) -> None:
        """How get-config is to fail; ``""`` for not at all."""
        self.path("/opt/elasticbeanstalk/told/misbehaves").write_text(how)

    # The engine

    @property
    def own(self) -> dict[str, str]:
        """The property that the Python platform itself sets."""
        return {"PYTHONPATH": f"/var/app/venv/{self.venv}/bin"}

    def stage(self, bundle: Path, label: str) -> None:
        """Puts a bundle where its hooks will run, with what the engine then knows."""
        staging = self.path("/var/app/staging")
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(bundle, staging)
        manifest = {"RuntimeSources": {"agencies": {label: {"s3url": ""}}}}
        place = self.path("/opt/elasticbeanstalk/deployment/app_version_manifest.json")
        place.write_text(json.dumps(manifest))
        self.tell("environment", {**self.own, **self.properties, **self.coupled})
        self.start_engine()
        if (staging / ".ebextensions").is_dir():
            self.install(staging / ".ebextensions")
            shutil.rmtree(staging / ".ebextensions")  # the hooks do not see it any more

    def start_engine(self, ago: float = 0.0) -> None:
        """A step of the platform begins, or has begun so many seconds ago; its log says so."""
        at = datetime.now(UTC) - timedelta(seconds=ago)
        line = f"{at:%Y/%m/%d %H:%M:%S.%f} [INFO] Starting EBPlatform-PlatformEngine\n"
        with self.path("/var/log/eb-engine.log").open("a") as log:
            log.write(line)

    def deploy(self, bundle: Path, label: str = "v1", kind: str = "hooks") -> Ran:
        """Stages, runs the hooks as the engine does, and flips when they let it."""
        self.stage(bundle, label)
        ran = self.hooks(kind)
        if ran.code == 0:
            self.flip()
        return ran

    def hooks(self, kind: str = "hooks") -> Ran:
        """Runs the staged predeploy hooks, to the first that fails."""
        began = time.monotonic()
        process = self.start_hooks(kind)
        process.communicate(timeout=120)
        output = self.path("/var/log/eb-hooks.log").read_text()
        return Ran(process.returncode, output, output, time.monotonic() - began)

    def start_hooks(self, kind: str = "hooks") -> subprocess.Popen[str]:
        """The same, beside the test. Their output goes where the engine puts it."""
        found = sorted(self.path(f"/var/app/staging/.platform/{kind}/predeploy").iterdir())
        assert len(found) == 1, found
        env = {"HOME": "/root", "PATH": HOOK_PATH, "PORT": "8000", **self.own}
        env |= {**self.properties, **self.secret}
        log = self.path("/var/log/eb-hooks.log").open("w")
        with log:
            return self._start(
                [f"/var/app/staging/.platform/{kind}/predeploy/{found[0].name}"],
                cwd="/var/app/staging",
                env=env,
                out=log,
            )

    def flip(self) -> None:
        """FlipApplication: staging becomes current, and the service's file is written."""
        current = self.path("/var/app/current")
        shutil.rmtree(current, ignore_errors=True)
        self.path("/var/app/staging").rename(current)
        lines = {**self.own, **self.properties, **self.coupled, **self.secret}.items()
        place = self.path("/opt/elasticbeanstalk/deployment/env")
        place.unlink(missing_ok=True)
        place.write_text("".join(f"{name}={value}\n" for name, value in lines))
        place.chmod(0o400)

    def install(self, extensions: Path) -> None:
        """Does what the .ebextensions say of files and commands, as cfn-init does."""
        for file in sorted(extensions.glob("*.config")):
            document = yaml.safe_load(file.read_text())
            for place, entry in document.get("files", {}).items():
                path = self.path(place)
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    path.rename(f"{path}.bak")  # as cfn-init does
                path.write_text(_interpolated(entry["content"]))
                path.chmod(int(entry["mode"][-3:], 8))
            for command in sorted(document.get("commands", {}).items()):
                ran = self.run(["/bin/bash", "-c", command[1]["command"]])
                assert ran.code == 0, ran.stderr

    def matching(self, listed: str) -> list[Path]:
        """The files that the platform takes for one of its lists of paths and globs."""
        patterns = self.path(listed).read_text().splitlines()
        return [found for pattern in patterns for found in self.folder.glob(pattern.lstrip("/"))]

    # People

    def ssh(self, *command: str, cwd: str = "/") -> Ran:
        """``sudo COMMAND``: root, and no variable of the environment's."""
        return self.run(command, cwd=cwd)

    def start_ssh(self, *command: str, cwd: str = "/") -> subprocess.Popen[str]:
        return self._start(command, cwd=cwd, env={"PATH": SUDO_PATH, "HOME": "/root"})

    def run(
        self, command: Sequence[str], *, cwd: str = "/", env: Mapping[str, str] | None = None
    ) -> Ran:
        began = time.monotonic()
        process = self._start(command, cwd=cwd, env=env or {"PATH": SUDO_PATH, "HOME": "/root"})
        stdout, stderr = process.communicate(timeout=120)
        return Ran(process.returncode, stdout, stderr, time.monotonic() - began)

    def _start(
        self,
        command: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        out: Any = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        places = [str(self.machine.folder), str(self.folder), self.log_folder, cwd]
        places.append(self.home_of_root)
        process = subprocess.Popen(
            [*self.machine.enter, "/bin/bash", "-c", _ENTER, "enter", *places, *command],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT if out is not subprocess.PIPE else out,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def events(self) -> list[dict[str, Any]]:
        """ebhook's own log."""
        log = self.path("/var/log/ebhook.log")
        if not log.exists():
            return []
        return [json.loads(line) for line in log.read_text().splitlines()]


def _unreadable(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not os.access(os.path.join(folder, name), os.R_OK)]


def _interpolated(text: str) -> str:
    """What Elastic Beanstalk makes of CloudFormation's functions in a file's content."""
    return re.sub(r'`\{"Ref": "AWSEBEnvironmentName"\}`', "agencies-prod", text)
