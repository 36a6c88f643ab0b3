"""Elastic Beanstalk, as a program on one of its instances finds it: who we are, what we are told.

Off Elastic Beanstalk all of this costs a look at a file or two. What is read where, and how it
misbehaves, is told in docs/elastic-beanstalk.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ebhook.settings import METADATA, Variables

PLATFORM = Path("/opt/elasticbeanstalk")  # is on its instances, and nowhere else
GET_CONFIG = PLATFORM / "bin/get-config"
ENV = PLATFORM / "deployment/env"
MANIFEST = PLATFORM / "deployment/app_version_manifest.json"
APP = Path("/var/app")  # the bundle: `staging` before it is deployed, `current` after
INSTANCE_ID = Path("/var/lib/cloud/data/instance-id")
# What a virtual machine of EC2 says of itself: Nitro, and the older Xen.
MACHINE = (
    (Path("/sys/devices/virtual/dmi/id/sys_vendor"), "Amazon EC2"),
    (Path("/sys/hypervisor/uuid"), "ec2"),
)
LOG = Path("/var/log/ebhook.log")  # where the hook has ebhook write its own

FOR_ROOT = "Only root may read it: use sudo."
PATIENCE = 5.0  # seconds for an answer of get-config; after one that never came, none is waited for
METADATA_PATIENCE = 1.0  # seconds for all that is asked of the metadata service

_hanging: list[tuple[str, ...]] = []  # what get-config was asked and never answered
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PEM = re.compile(
    r"-----BEGIN ([A-Z0-9 ]+)-----\n(?:(?:[A-Za-z0-9+/]*={0,2}|[A-Za-z-]+: .*)\n)*-----END \1-----"
)


# Who we are


def instance_id(metadata: str) -> str | None:
    """``i-0abc…``: as cloud-init keeps it, else as the metadata service at `metadata` says."""
    kept = text_of(INSTANCE_ID).strip()
    return kept if kept.startswith("i-") else ask_metadata(metadata, "instance-id")


def environment_name() -> str | None:
    """The name of the environment that this instance is in."""
    try:
        said = _get_config("container", "-k", "environment_name")
    except PlatformSilent:
        return None
    return said if re.fullmatch(r"[A-Za-z0-9-]{1,64}", said) else None  # no message of its own


def version_label(manifest: str) -> str | None:
    """The bundle's label; the manifest has it in one of two shapes, by platform version."""
    try:
        document = json.loads(manifest)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    label = document.get("VersionLabel")
    if isinstance(label, str) and label:
        return label[:190]
    sources = document.get("RuntimeSources")
    for labels in sources.values() if isinstance(sources, dict) else ():
        if isinstance(labels, dict) and labels:
            return str(next(iter(labels)))[:190]
    return None


def ask_metadata(endpoint: str, path: str) -> str | None:
    """One item of an instance's metadata (IMDSv2), or None; never more than a second.

    Args:
        endpoint: the service's URL; its usual one is asked only on what looks like EC2.
        path: below ``latest/meta-data/``.
    """
    if not endpoint or (endpoint == METADATA and not _on_ec2()):
        return None
    import http.client  # 20 ms, and nearly nobody comes here

    until = time.monotonic() + METADATA_PATIENCE
    try:
        token = _http(endpoint, "PUT", "/latest/api/token", until, ttl="60")
        return _http(endpoint, "GET", f"/latest/meta-data/{path}", until, token=token)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _http(endpoint: str, method: str, path: str, until: float, **headers: str) -> str:
    from http.client import HTTPConnection

    place = urlsplit(endpoint)
    names = {"ttl": "X-aws-ec2-metadata-token-ttl-seconds", "token": "X-aws-ec2-metadata-token"}
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    # Half of what is left, since the answer may take as long again as the connection.
    connection = HTTPConnection(place.hostname or "", place.port or 80, timeout=left / 2)
    try:
        connection.request(method, path, headers={names[k]: v for k, v in headers.items()})
        answer = connection.getresponse()
        text = answer.read(4096).decode("ascii").strip()
    finally:
        connection.close()
    if answer.status != 200 or not text:
        raise ValueError(answer.status)
    return text


def _on_ec2() -> bool:
    return any(text_of(path).lower().startswith(sign.lower()) for path, sign in MACHINE)


# What we are told


class PlatformSilent(Exception):
    """get-config gave no answer; the message says why, and nothing of what it printed."""


def is_here() -> bool:
    """Is this an instance of Elastic Beanstalk?"""
    return PLATFORM.is_dir()


@dataclass(frozen=True)
class Properties:
    """What Elastic Beanstalk says of the environment's properties, best source first; and what
    went wrong while it was asked, in words."""

    variables: tuple[Variables, ...] = ()
    problem: str | None = None


def properties(environ: Mapping[str, str]) -> Properties:
    """The properties that a hook, or a person's shell, does not have in its environment.

    A hook lacks those of a coupled database (``RDS_…``); over SSH all are missing. get-config knows
    them, except, on some platforms, the values that come from a secret; those are in the file
    that the application's service reads. In a hook that file is still the last deployment's.

    Args:
        environ: the process's own environment, which says whether this is a hook.
    """
    if not is_here():
        return Properties()
    problem = None
    told: list[Variables] = []
    known: dict[str, str] = {}
    try:
        known = parse_json(_get_config("environment"))
        told.append(Variables("get-config", known))
        if _has(environ, known):
            return Properties(tuple(told))  # a hook: the file would be yesterday's
    except PlatformSilent as silent:
        problem = str(silent)
    try:
        text = ENV.read_text("utf-8", "surrogateescape")
        told.append(Variables(str(ENV), parse_env(text, known)))
    except OSError as error:
        if problem is not None:
            problem += f" {ENV}: {error.strerror}."
            if isinstance(error, PermissionError):
                problem += f" {FOR_ROOT}"
    return Properties(tuple(told), problem)


def _has(environ: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Does this process have the environment's properties? Half of them tell: a few of those that
    get-config knows are the platform's own."""
    given = {name for name in known if not name.startswith("RDS_")}
    return len([name for name in given if environ.get(name) == known[name]]) * 2 > len(given)


def command_timeout() -> float | None:
    """Seconds that a deployment may take on this instance, all of its steps together."""
    try:
        text = _get_config("optionsettings", "-n", "aws:elasticbeanstalk:command", "-o", "Timeout")
        seconds = float(text.strip().strip('"'))
    except (PlatformSilent, ValueError):
        return None
    return seconds if 1 <= seconds <= 3600 else None


def wsgi_path() -> str | None:
    """What the environment is told to serve: ``project.wsgi:application``."""
    try:
        text = _get_config(
            "optionsettings", "-n", "aws:elasticbeanstalk:container:python", "-o", "WSGIPath"
        )
    except PlatformSilent:
        return None
    said = text.strip().strip('"')
    return said if re.fullmatch(r"[\w./:-]{1,200}", said) else None


def app_user() -> str | None:
    """The user that the application runs as (``webapp``), as the platform says."""
    try:
        said = _get_config("platformconfig", "-k", "AppUser").strip().strip('"')
    except PlatformSilent:
        return None
    return said if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", said) else None


def parse_json(text: str) -> dict[str, str]:
    """What ``get-config environment`` prints: one JSON object of texts."""
    try:
        document = json.loads(text)
    except ValueError:
        raise PlatformSilent(f"{GET_CONFIG} environment printed no JSON.") from None
    if not isinstance(document, dict):
        raise PlatformSilent(f"{GET_CONFIG} environment printed no JSON object.")
    texts = {name: _as_text(value) for name, value in document.items()}
    return _fitting({name: text for name, text in texts.items() if text is not None})


def _as_text(value: object) -> str | None:
    """A value as a property's: a number or a truth value as JSON writes it, nothing else."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, int | float) else None


def _fitting(values: Mapping[str, str]) -> dict[str, str]:
    """What an environment can hold. Whoever prints anything else has printed no property."""
    return {name: text for name, text in values.items() if _fits(name, text)}


def _fits(name: str, text: str) -> bool:
    try:
        return bool(name) and "=" not in name and b"\0" not in os.fsencode(name + text)
    except UnicodeEncodeError:
        return False


def parse_env(text: str, known: Collection[str] = ()) -> dict[str, str]:
    """The file of the application's service: NAME=VALUE lines, with nothing quoted or escaped.

    A line that begins with no name goes on with the value above it; so does every line of a PEM
    block, whose last one may look like a name.

    Args:
        known: names that there are, whatever they look like: Elastic Beanstalk also allows ``a.b-c``.
    """
    values: dict[str, list[str]] = {}
    lines: list[str] | None = None
    text = text.removesuffix("\n")
    pem = _lines_of_pem(text)
    for number, line in enumerate(text.split("\n")):
        name, _, value = line.partition("=")
        if (_NAME.match(line) or name in known) and number not in pem:
            lines = values[name] = [value]
        elif lines is not None:
            lines.append(line)
    return _fitting({name: "\n".join(value) for name, value in values.items()})


def _lines_of_pem(text: str) -> set[int]:
    """The numbers of the lines in PEM blocks, less each block's first: that may begin with a name."""
    found: set[int] = set()
    for block in _PEM.finditer(text):
        first = text.count("\n", 0, block.start())
        found.update(range(first + 1, first + 1 + block[0].count("\n")))
    return found


def _get_config(*arguments: str) -> str:
    """What get-config prints, less the last end of line."""
    said = f"{GET_CONFIG} {arguments[0]}"
    if not is_here():
        raise PlatformSilent(f"{said}: is not there.")
    if _hanging:
        raise PlatformSilent(f"{said} was not asked: it gave no answer before.")
    try:
        done = subprocess.run(
            [GET_CONFIG, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout.decode().removesuffix("\n")
    except subprocess.CalledProcessError as error:
        raise PlatformSilent(f"{said} failed (exit {error.returncode}).") from None
    except subprocess.TimeoutExpired:
        _hanging.append(arguments)
        raise PlatformSilent(f"{said} gave no answer in {PATIENCE:g} s.") from None
    except OSError as error:
        raise PlatformSilent(f"{said}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise PlatformSilent(f"{said} printed no UTF-8.") from None


def text_of(path: Path) -> str:
    """A small file's text; empty when there is none."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
