"""The settings: the only reader of the environment and of ebhook.toml.

`load` returns one frozen object, or raises one `SettingsFailed` that lists every problem with its
key and where it came from. Every key has an environment variable: ``EBHOOK_<KEY>``, or
``EBHOOK_<SECTION>_<KEY>`` for a key in a section. The environment wins over the file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ebhook.errors import SettingsFailed
from ebhook.secret import Secret
from ebhook.url import UrlInvalid, fill, parse_url

FILE_NAME = "ebhook.toml"

# Variables that carry our prefix but are no settings: the file to read, and the test suite's own.
_NOT_SETTINGS = re.compile(r"EBHOOK_(CONFIG|TEST_\w+|COMPLETE|\w+_COMPLETE)")

Name = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
# What a MySQL identifier may be, less what nobody would want: at most 64 characters.
TableName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_$]{1,64}$")]


class Tenants(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the tenants come from: `names`, `like` or `query`; each with `url`."""

    url: Secret | None = None
    names: tuple[Name, ...] = ()
    like: Name | None = None
    query: Name | None = None
    query_url: Secret | None = None


class Lock(Struct, frozen=True, forbid_unknown_fields=True):
    """`wait`: seconds to wait for one tenant that another holds. `named`: use GET_LOCK."""

    table: TableName = "migration_lock"
    wait: Seconds = 300.0
    named: bool = True


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """`canary` unset means the first tenant; empty means none. `deadline` in seconds."""

    canary: tuple[Name, ...] | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 4
    max_failures: Count = 3
    deadline: Positive = 540.0


class Ddl(Struct, frozen=True, forbid_unknown_fields=True):
    """How statements run. `algorithm`: the costliest that an ADD COLUMN may use."""

    lock_wait_timeout: Annotated[int, Meta(ge=1, le=31_536_000)] = 5
    algorithm: Literal["instant", "inplace", "copy"] = "inplace"
    wait_timeout: Annotated[int, Meta(ge=30, le=31_536_000)] = 120


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is in force. `root` is the folder that relative paths start from."""

    migrations: Name = "migrations"
    flask_app: Name | None = None
    env_py: bool = True
    version_table: TableName = "alembic_version"
    holder: Name | None = None
    connect_timeout: Positive = 10.0
    tenants: Tenants = Tenants()
    lock: Lock = Lock()
    rollout: Rollout = Rollout()
    ddl: Ddl = Ddl()

    root: Path = Path()
    file: Path | None = None
    origins: Mapping[str, str] = {}

    @property
    def folder(self) -> Path:
        """The folder with env.py, absolute."""
        return self.root / self.migrations


_SECTIONS: dict[str, type[Struct]] = {
    "tenants": Tenants,
    "lock": Lock,
    "rollout": Rollout,
    "ddl": Ddl,
}
_OWN = ("root", "file", "origins")


def _types() -> dict[str, Any]:
    """The type of every key: ``{"migrations": …, "tenants.url": …}``."""
    types: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in _SECTIONS:
            for inner in msgspec.structs.fields(_SECTIONS[field.name]):
                types[f"{field.name}.{inner.name}"] = inner.type
        elif field.name not in _OWN:
            types[field.name] = field.type
    return types


KEYS = _types()
VARIABLES = {f"EBHOOK_{key.replace('.', '_').upper()}": key for key in KEYS}


def default_of(key: str) -> object:
    """What `key` is when nobody sets it."""
    return value_of(Settings(), key)


def value_of(settings: Settings, key: str) -> Any:
    """The value in force of a dotted key."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def variable_of(key: str) -> str:
    """The environment variable of a dotted key."""
    return f"EBHOOK_{key.replace('.', '_').upper()}"


def load(environ: Mapping[str, str], *, directory: Path, config: Path | None = None) -> Settings:
    """Reads ebhook.toml and the environment.

    Args:
        environ: the process's environment.
        directory: where the search for ebhook.toml begins, going upwards.
        config: the file to read instead (``--config``, or ``EBHOOK_CONFIG``).

    Raises:
        SettingsFailed: with every problem found, not the first alone.
    """
    problems: list[str] = []
    if config is None and environ.get("EBHOOK_CONFIG"):
        config = Path(environ["EBHOOK_CONFIG"])
    file = config if config is not None else _find(directory)
    given: dict[str, tuple[Any, str]] = {}
    if file is not None:
        given.update(_from_file(file, problems))
    given.update(_from_environment(environ, problems))
    _fill_from_platform(given, environ, problems)

    values: dict[str, Any] = {}
    for key, (raw, origin) in given.items():
        try:
            values[key] = _convert(key, raw, from_text=origin.startswith("environment"))
        except (msgspec.ValidationError, ValueError) as error:
            problems.append(f"{key} (from {origin}): {_plain(error)}")
    problems.extend(_contradictions(values, given))
    if problems:
        raise SettingsFailed(
            "The settings have problems:\n" + "\n".join(f"  - {line}" for line in problems),
            "No database was contacted.",
            "Mend them, then see what is in force: ebhook config",
        )
    sections: dict[str, Any] = {
        name: kind(
            **{k.partition(".")[2]: v for k, v in values.items() if k.startswith(name + ".")}
        )
        for name, kind in _SECTIONS.items()
    }
    return Settings(
        **{key: value for key, value in values.items() if "." not in key},
        **sections,
        root=(file.parent if file is not None else directory).resolve(),
        file=file.resolve() if file is not None else None,
        origins={key: origin for key, (_, origin) in given.items()},
    )


def _find(directory: Path) -> Path | None:
    for folder in (directory.resolve(), *directory.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def _from_file(file: Path, problems: list[str]) -> Iterator[tuple[str, tuple[Any, str]]]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(f"{file}: {reason}")
        return
    for name, value in document.items():
        if name in _SECTIONS and isinstance(value, dict):
            flat = {f"{name}.{inner}": content for inner, content in value.items()}
        else:
            flat = {name: value}
        for key, content in flat.items():
            if key in KEYS:
                yield key, (content, str(file))
            else:
                problems.append(f"{key} (from {file}): is no setting{_similar(key, KEYS)}")


def _from_environment(
    environ: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[str, tuple[Any, str]]]:
    for variable in sorted(environ):
        if variable in VARIABLES:
            yield VARIABLES[variable], (environ[variable], f"environment {variable}")
        elif variable.startswith("EBHOOK_") and not _NOT_SETTINGS.fullmatch(variable):
            problems.append(f"environment {variable}: is no setting{_similar(variable, VARIABLES)}")
    if environ.get("FLASK_APP") and "EBHOOK_FLASK_APP" not in environ:
        yield "flask_app", (environ["FLASK_APP"], "environment FLASK_APP")


def _fill_from_platform(
    given: dict[str, tuple[Any, str]], environ: Mapping[str, str], problems: list[str]
) -> None:
    """A coupled RDS database is the default when no URL is set."""
    from urllib.parse import quote

    if "tenants.url" in given or "tenants.query" in given or not environ.get("RDS_HOSTNAME"):
        return
    template = "tenants.names" in given or "tenants.like" in given
    missing = [name for name in ("RDS_USERNAME", "RDS_DB_NAME") if not environ.get(name)]
    if missing and not (template and missing == ["RDS_DB_NAME"]):
        problems.append(f"environment RDS_HOSTNAME: is set, but {' and '.join(missing)} is not")
        return
    password = environ.get("RDS_PASSWORD")
    login = quote(environ["RDS_USERNAME"], safe="")
    login += ":" + quote(password, safe="") if password else ""
    host, port = environ["RDS_HOSTNAME"], environ.get("RDS_PORT") or "3306"
    database = "{tenant}" if template else quote(environ["RDS_DB_NAME"], safe="")
    url = f"mysql+pymysql://{login}@{host}:{port}/{database}"
    given["tenants.url"] = (url, "environment RDS_HOSTNAME, RDS_USERNAME, …")


def _convert(key: str, raw: Any, *, from_text: bool) -> Any:
    wanted = KEYS[key]
    if from_text:
        if "tuple" in str(wanted):
            raw = tuple(item for item in (part.strip() for part in raw.split(",")) if item)
        elif raw == "":
            raise ValueError("is empty; unset it, or give it a value")
    value = msgspec.convert(raw, wanted, strict=not from_text, dec_hook=_decode)
    if isinstance(value, Secret):
        _check_url(key, value.reveal())
    return value


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("is not text")


def _check_url(key: str, text: str) -> None:
    try:
        if key == "tenants.url":
            fill(text, "tenant")
        else:
            parse_url(text)
    except UrlInvalid as error:
        raise ValueError(str(error)) from None


def _contradictions(
    values: Mapping[str, Any], given: Mapping[str, tuple[Any, str]]
) -> Iterator[str]:
    sources = [key for key in ("tenants.names", "tenants.like", "tenants.query") if values.get(key)]
    if ("tenants.names" in sources and len(sources) > 1) or len(sources) > 2:
        yield f"{' and '.join(sources)}: more than one source of tenants; keep one"
    url = values.get("tenants.url")
    if url is not None and sources and "{tenant}" not in url.reveal():
        yield (
            f"tenants.url (from {given['tenants.url'][1]}): has no {{tenant}}, "
            f"but {sources[0]} gives several tenants"
        )
    if url is None and "tenants.url" not in given and sources and sources != ["tenants.query"]:
        yield f"{sources[0]}: needs tenants.url, a URL with {{tenant}}"
    asked = any(key in given for key in ("tenants.names", "tenants.like", "tenants.query"))
    if url is not None and not asked and "{tenant}" in url.reveal():
        yield "tenants.url: has {tenant}; give tenants.names, tenants.like or tenants.query"
    if ("tenants.query" in values) != ("tenants.query_url" in values):
        yield "tenants.query and tenants.query_url: one is set without the other"
    names = values.get("tenants.names", ())
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"tenants.names (from {given['tenants.names'][1]}): lists {name!r} twice"
    if values.get("lock.table", "migration_lock") == values.get("version_table", "alembic_version"):
        yield "lock.table: is the same as version_table"


def _plain(error: Exception) -> str:
    """msgspec's message, less its path into a structure that the user never sees."""
    return str(error).replace("Expected `null`", "expected nothing").split(" - at `$")[0]


def _similar(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
