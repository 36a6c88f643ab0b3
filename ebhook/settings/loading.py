"""Reads ebhook.toml and the environment, and says everything that is wrong with them at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebhook.errors import SettingsFailed
from ebhook.next_command import ebhook, then
from ebhook.settings.contradictions import contradictions
from ebhook.settings.schema import KEYS, METADATA, SECTIONS, SOURCES, VARIABLES, Settings
from ebhook.settings.values import Given, convert, similar

FILE_NAME = "ebhook.toml"

# Variables that carry our prefix but are no settings: the file to read, and the test suite's own.
_NOT_SETTINGS = re.compile(r"EBHOOK_(CONFIG|TEST_\w+)")

MARGIN = 60.0  # seconds that a platform's time-out keeps for what comes after us


@dataclass(frozen=True)
class Variables:
    """Variables, and what gave them: the environment, or a part of Elastic Beanstalk."""

    origin: str
    values: Mapping[str, str]


def load(
    environ: Mapping[str, str],
    *,
    directory: Path,
    config: Path | None = None,
    platform: Iterable[Variables] = (),
    timeout: Callable[[], float | None] | None = None,
    keep_unknown: bool = False,
) -> Settings:
    """Reads ebhook.toml and the environment.

    Args:
        environ: the process's environment.
        directory: where the search for ebhook.toml begins, going upwards.
        config: the file to read instead (``--config``, or ``EBHOOK_CONFIG``).
        platform: more variables, for those that `environ` lacks; the first that has one counts.
        timeout: the seconds that the platform gives to a deployment; asked when no deadline is set.
        keep_unknown: an EBHOOK_ variable that is no setting is left to the caller, in
            `Settings.unknown`: a bundle that is rolled back meets those of a newer ebhook.

    Raises:
        SettingsFailed: with every problem found, not the first alone.
    """
    problems: list[str] = []
    variables: dict[str, str] = {}
    origins: dict[str, str] = {}
    for source in (Variables("environment", environ), *platform):
        for name in source.values.keys() - variables.keys():
            variables[name], origins[name] = source.values[name], f"{source.origin} {name}"
    if config is None and variables.get("EBHOOK_CONFIG"):
        config = directory / variables["EBHOOK_CONFIG"]
    file = config if config is not None else _find(directory)
    root = (file.parent if file is not None else directory).resolve()
    given: dict[str, Given] = {}
    if file is not None:
        given.update(_from_file(file, problems))
    unknown: list[str] = []
    given.update(_from_variables(variables, origins, unknown))
    _fill_from_platform(given, variables, origins, problems)
    if timeout is not None and "rollout.deadline" not in given:
        _fill_deadline(given, timeout())

    values: dict[str, Any] = {}
    for key, one in given.items():
        try:
            values[key] = convert(key, one)
        except ValueError as error:
            problems.append(f"{key} (from {one.origin}): {error}")
    problems.extend(contradictions(values, given))
    if problems or not keep_unknown:  # all of them are said at once
        problems.extend(unknown)
    if problems:
        raise SettingsFailed(
            "The settings have problems:\n" + "\n".join(f"  - {line}" for line in problems),
            "No database was contacted.",
            then("Mend them, then see what is in force: ", ebhook("config")),
        )
    sections: dict[str, Any] = {
        name: kind(
            **{k.partition(".")[2]: v for k, v in values.items() if k.startswith(name + ".")}
        )
        for name, kind in SECTIONS.items()
    }
    return Settings(
        **{key: value for key, value in values.items() if "." not in key},
        **sections,
        root=root,
        file=file.resolve() if file is not None else None,
        origins={key: one.origin for key, one in given.items()},
        metadata=_metadata(variables),
        unknown=tuple(unknown),
    )


def _find(directory: Path) -> Path | None:
    for folder in (directory.resolve(), *directory.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def _from_file(file: Path, problems: list[str]) -> Iterator[tuple[str, Given]]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, RecursionError):
            reason = "is nested too deeply"
        problems.append(f"{file}: {reason}")
        return
    for name, value in document.items():
        if name in SECTIONS and not isinstance(value, dict):
            problems.append(f"{name} (from {file}): is a section: [{name}], and its keys below")
            continue
        if name in SECTIONS:
            flat = {f"{name}.{inner}": content for inner, content in value.items()}
        else:
            flat = {name: value}
        for key, content in flat.items():
            if key in KEYS:
                yield key, Given(content, str(file), text=False)
            else:
                known = [*KEYS, *SECTIONS]
                problems.append(f"{key} (from {file}): is no setting{similar(key, known)}")


def _from_variables(
    variables: Mapping[str, str], origins: Mapping[str, str], unknown: list[str]
) -> Iterator[tuple[str, Given]]:
    for variable in sorted(variables):
        origin = origins[variable]
        if variable in VARIABLES:
            yield VARIABLES[variable], Given(variables[variable], origin, text=True)
        elif variable.startswith("EBHOOK_") and not _NOT_SETTINGS.fullmatch(variable):
            unknown.append(f"{origin}: is no setting{similar(variable, VARIABLES)}")


def _fill_from_platform(
    given: dict[str, Given],
    variables: Mapping[str, str],
    origins: Mapping[str, str],
    problems: list[str],
) -> None:
    """FLASK_APP, a region, and a coupled RDS database, are the defaults where nothing else is set."""
    from urllib.parse import quote

    for key, names in (
        ("flask_app", ("FLASK_APP",)),
        ("aws.region", ("AWS_REGION", "AWS_DEFAULT_REGION")),
    ):
        for name in names:
            if variables.get(name):
                given.setdefault(key, Given(variables[name], origins[name], text=True))
    if "tenants.url" in given or "tenants.query" in given or not variables.get("RDS_HOSTNAME"):
        return
    template = any(source in given for source in SOURCES)
    missing = [name for name in ("RDS_USERNAME", "RDS_DB_NAME") if not variables.get(name)]
    if missing and not (template and missing == ["RDS_DB_NAME"]):
        absent = f"{missing[0]} is" if len(missing) == 1 else f"{' and '.join(missing)} are"
        problems.append(f"{origins['RDS_HOSTNAME']}: is set, but {absent} not")
        return
    password = variables.get("RDS_PASSWORD")
    login = quote(variables["RDS_USERNAME"], safe="")
    login += ":" + quote(password, safe="") if password else ""
    host, port = variables["RDS_HOSTNAME"], variables.get("RDS_PORT") or "3306"
    database = "{tenant}" if template else quote(variables["RDS_DB_NAME"], safe="")
    url = f"mysql+pymysql://{login}@{host}:{port}/{database}"
    origin = f"{origins['RDS_HOSTNAME']}, RDS_USERNAME, …"
    given["tenants.url"] = Given(url, origin, text=True)


def _fill_deadline(given: dict[str, Given], timeout: float | None) -> None:
    """A deployment's time-out less what comes after us; at least three quarters of it."""
    if timeout:
        deadline = max(timeout - MARGIN, timeout * 0.75)
        origin = f"the platform's time-out of {timeout:g} s, less a margin"
        given["rollout.deadline"] = Given(deadline, origin, text=False)


def _metadata(variables: Mapping[str, str]) -> str:
    """Where to ask for an instance's metadata; these two variables are every AWS library's."""
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return ""
    return variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/") or METADATA
