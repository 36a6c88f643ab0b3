"""The settings: the only reader of the environment and of ebhook.toml.

`load` returns one frozen object, or raises one `SettingsFailed` that lists every problem with its
key and where it came from. Every key has an environment variable: ``EBHOOK_<KEY>``, or
``EBHOOK_<SECTION>_<KEY>`` for a key in a section. The environment wins over the file, and over
what Elastic Beanstalk knows besides.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ebhook.errors import SettingsFailed
from ebhook.secret import Secret
from ebhook.url import UrlInvalid, fill, parse_url

FILE_NAME = "ebhook.toml"

# Variables that carry our prefix but are no settings: the file to read, and the test suite's own.
_NOT_SETTINGS = re.compile(r"EBHOOK_(CONFIG|TEST_\w+)")

_YEAR = 31_536_000  # the servers' own limit for time-outs, in seconds

METADATA = "http://169.254.169.254"  # an EC2 instance's own metadata service
MARGIN = 60.0  # seconds that a platform's time-out keeps for what comes after us

Name = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[float, Meta(ge=0, le=_YEAR)]
Positive = Annotated[float, Meta(gt=0, le=_YEAR)]
Count = Annotated[int, Meta(ge=0)]
Flavour = Literal["mysql", "mariadb"]
# What a MySQL identifier may be, less what nobody would want: at most 64 characters.
TableName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_$]{1,64}$")]
# What a problem says of the next two is their description.
ParameterPath = Annotated[
    str,
    Meta(
        pattern=r"^/[A-Za-z0-9_.\-/]+$",
        description="a path of the Parameter Store: /… of letters, digits, _, ., - and /",
    ),
]
TopicArn = Annotated[
    str,
    Meta(
        pattern=r"^arn:[^:]+:sns:[^:]+:[^:]+:[^:]+$",
        description="a topic's ARN: arn:aws:sns:REGION:ACCOUNT:NAME",
    ),
]


# Where RDS and Aurora still run, or other people do.
Server = Literal[
    "mysql-8.0", "mysql-8.4", "mysql-9.7",
    "mariadb-10.6", "mariadb-10.11", "mariadb-11.4", "mariadb-11.8",
]  # fmt: skip


class Tenants(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the tenants come from, one of `SOURCES`; and how to log in there.

    `url` is a template for `names`, `like` and `query`, and fills the gaps of what comes from AWS.
    """

    url: Secret | None = None
    names: tuple[Name, ...] = ()
    like: Name | None = None
    query: Name | None = None
    query_url: Secret | None = None
    ssm_path: ParameterPath | None = None
    secrets: tuple[Name, ...] = ()
    secrets_prefix: Name | None = None
    secrets_tag: Name | None = None
    password_secret: Name | None = None
    iam: bool = False


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """`ca`: a PEM file. `verify` unset means full as soon as there is a CA."""

    ca: Name | None = None
    verify: Literal["full", "ca", "off"] | None = None


class Lock(Struct, frozen=True, forbid_unknown_fields=True):
    """`wait`: seconds to wait for one tenant that another holds. `named`: use GET_LOCK."""

    table: TableName = "migration_lock"
    wait: Seconds = 300.0
    named: bool = True


class Journal(Struct, frozen=True, forbid_unknown_fields=True):
    """`table`: where what was applied is kept, in each tenant's database."""

    table: TableName = "migration_journal"


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """`canary` unset means the first tenant; empty means none. `deadline` in seconds."""

    canary: tuple[Name, ...] | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 4
    max_failures: Count = 3
    deadline: Positive = 540.0


class Ddl(Struct, frozen=True, forbid_unknown_fields=True):
    """How statements run. `algorithm`: the costliest that an ADD COLUMN may use."""

    lock_wait_timeout: Annotated[int, Meta(ge=1, le=_YEAR)] = 5
    algorithm: Literal["instant", "inplace", "copy"] = "inplace"
    wait_timeout: Annotated[int, Meta(ge=5, le=_YEAR)] = 120


class Chain(Struct, frozen=True, forbid_unknown_fields=True):
    """`ticket`: a regular expression that begins each revision's message."""

    ticket: Name = r"[A-Z]+-\d+"


class Lint(Struct, frozen=True, forbid_unknown_fields=True):
    """`server` is what statements are judged for. `after`: judge only what comes after it."""

    server: Server = "mysql-8.0"
    after: Name | None = None
    ignore: tuple[Name, ...] = ()


class Boot(Struct, frozen=True, forbid_unknown_fields=True):
    """`start` lets the instance start all the same: exit 0, and a loud report."""

    on_failure: Literal["fail", "start"] = "fail"
    on_unreachable: Literal["fail", "start"] = "fail"


class Aws(Struct, frozen=True, forbid_unknown_fields=True):
    """Unset: as boto3 finds them."""

    region: Name | None = None
    profile: Name | None = None


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a boot tells the world: metrics each time; to `sns` and `event_bus` when it failed."""

    namespace: Name = "ebhook"
    cloudwatch: bool = False
    sns: TopicArn | None = None
    event_bus: Name | None = None


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is in force. `root` is the folder that relative paths start from.

    `metadata` is where an EC2 instance can ask who it is; empty: nowhere.
    """

    migrations: Name = "migrations"
    flask_app: Name | None = None
    env_py: bool = True
    version_table: TableName = "alembic_version"
    holder: Name | None = None
    connect_timeout: Positive = 10.0
    scratch_url: Secret | None = None
    scratch_flavours: Annotated[tuple[Flavour, ...], Meta(min_length=1)] = ("mysql",)
    tenants: Tenants = Tenants()
    lock: Lock = Lock()
    journal: Journal = Journal()
    rollout: Rollout = Rollout()
    ddl: Ddl = Ddl()
    chain: Chain = Chain()
    lint: Lint = Lint()
    tls: Tls = Tls()
    boot: Boot = Boot()
    aws: Aws = Aws()
    notice: Notice = Notice()

    root: Path = Path()
    file: Path | None = None
    origins: Mapping[str, str] = {}
    metadata: str = METADATA

    @property
    def folder(self) -> Path:
        """The folder with env.py, absolute."""
        return self.root / self.migrations


_SECTIONS: dict[str, type[Struct]] = {
    "tenants": Tenants,
    "lock": Lock,
    "journal": Journal,
    "rollout": Rollout,
    "ddl": Ddl,
    "chain": Chain,
    "lint": Lint,
    "tls": Tls,
    "boot": Boot,
    "aws": Aws,
    "notice": Notice,
}
_OWN = ("root", "file", "origins", "metadata")

# What tells which tenants there are. Those of AWS come with all that a URL has.
_OF_AWS = (
    "tenants.ssm_path",
    "tenants.secrets",
    "tenants.secrets_prefix",
    "tenants.secrets_tag",
)
SOURCES = ("tenants.names", "tenants.like", "tenants.query", *_OF_AWS)


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


@dataclass(frozen=True)
class _Given:
    """A value as somebody wrote it. `text`: in a variable, which has no other type."""

    raw: Any
    origin: str
    text: bool


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
) -> Settings:
    """Reads ebhook.toml and the environment.

    Args:
        environ: the process's environment.
        directory: where the search for ebhook.toml begins, going upwards.
        config: the file to read instead (``--config``, or ``EBHOOK_CONFIG``).
        platform: more variables, for those that `environ` lacks; the first that has one counts.
        timeout: the seconds that the platform gives to a deployment; asked when no deadline is set.

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
    given: dict[str, _Given] = {}
    if file is not None:
        given.update(_from_file(file, problems))
    given.update(_from_variables(variables, origins, problems))
    _fill_from_platform(given, variables, origins, problems)
    if timeout is not None and "rollout.deadline" not in given:
        _fill_deadline(given, timeout())

    values: dict[str, Any] = {}
    for key, one in given.items():
        try:
            values[key] = _convert(key, one)
        except ValueError as error:
            problems.append(f"{key} (from {one.origin}): {error}")
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
        root=root,
        file=file.resolve() if file is not None else None,
        origins={key: one.origin for key, one in given.items()},
        metadata=_metadata(variables),
    )


def _find(directory: Path) -> Path | None:
    for folder in (directory.resolve(), *directory.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def _from_file(file: Path, problems: list[str]) -> Iterator[tuple[str, _Given]]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        problems.append(f"{file}: {reason}")
        return
    for name, value in document.items():
        if name in _SECTIONS and not isinstance(value, dict):
            problems.append(f"{name} (from {file}): is a section: [{name}], and its keys below")
            continue
        if name in _SECTIONS:
            flat = {f"{name}.{inner}": content for inner, content in value.items()}
        else:
            flat = {name: value}
        for key, content in flat.items():
            if key in KEYS:
                yield key, _Given(content, str(file), text=False)
            else:
                known = [*KEYS, *_SECTIONS]
                problems.append(f"{key} (from {file}): is no setting{_similar(key, known)}")


def _from_variables(
    variables: Mapping[str, str], origins: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[str, _Given]]:
    for variable in sorted(variables):
        origin = origins[variable]
        if variable in VARIABLES:
            yield VARIABLES[variable], _Given(variables[variable], origin, text=True)
        elif variable.startswith("EBHOOK_") and not _NOT_SETTINGS.fullmatch(variable):
            problems.append(f"{origin}: is no setting{_similar(variable, VARIABLES)}")


def _fill_from_platform(
    given: dict[str, _Given],
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
                given.setdefault(key, _Given(variables[name], origins[name], text=True))
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
    given["tenants.url"] = _Given(url, origin, text=True)


def _fill_deadline(given: dict[str, _Given], timeout: float | None) -> None:
    """A deployment's time-out less what comes after us; at least three quarters of it."""
    if timeout:
        deadline = max(timeout - MARGIN, timeout * 0.75)
        origin = f"the platform's time-out of {timeout:g} s, less a margin"
        given["rollout.deadline"] = _Given(deadline, origin, text=False)


def _metadata(variables: Mapping[str, str]) -> str:
    """Where to ask for an instance's metadata; these two variables are every AWS library's."""
    if variables.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return ""
    return variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "").rstrip("/") or METADATA


def _convert(key: str, given: _Given) -> Any:
    wanted, raw = KEYS[key], given.raw
    if given.text:
        if not _is_unicode(raw):
            raise ValueError("is not UTF-8")
        if "tuple" in str(wanted):
            raw = tuple(item for item in (part.strip() for part in raw.split(",")) if item)
        elif raw == "":
            raise ValueError("is empty; unset it, or give it a value")
    try:
        value = msgspec.convert(raw, wanted, strict=not given.text, dec_hook=_decode)
    except msgspec.ValidationError:
        shown = "" if "Secret" in str(wanted) else f", not {_shown(raw)}"
        raise ValueError(f"must be {_expected(wanted)}{shown}") from None
    if isinstance(value, Secret):
        _check_url(key, value.reveal())
    if key == "chain.ticket":
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
    return value


def _is_unicode(text: str) -> bool:
    """False for what the environment has in bytes that are no UTF-8."""
    return text == text.encode("utf-8", "replace").decode()


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError


def _check_url(key: str, text: str) -> None:
    try:
        if key == "tenants.url":
            fill(text, "tenant")
        else:
            parse_url(text)
    except UrlInvalid as error:
        raise ValueError(str(error)) from None


def _contradictions(values: Mapping[str, Any], given: Mapping[str, _Given]) -> Iterator[str]:
    sources = [key for key in SOURCES if values.get(key)]
    if len(sources) > 1:
        yield f"{' and '.join(sources)}: more than one source of tenants; keep one"
    of_aws = bool(sources) and sources[0] in _OF_AWS
    url = values.get("tenants.url")
    if url is not None and sources and not of_aws and "{tenant}" not in url.reveal():
        yield (
            f"tenants.url (from {given['tenants.url'].origin}): has no {{tenant}}, "
            f"but {sources[0]} gives several tenants"
        )
    if "tenants.url" not in given and sources and not of_aws and sources != ["tenants.query"]:
        yield f"{sources[0]}: needs tenants.url, a URL with {{tenant}}"
    wrong = given.keys() - values.keys()  # said already
    if url is not None and not sources and not wrong & {*SOURCES} and "{tenant}" in url.reveal():
        yield "tenants.url: has {tenant}; give tenants.names, tenants.like or tenants.query"
    if ("tenants.query" in given) != ("tenants.query_url" in given):
        yield "tenants.query and tenants.query_url: one is set without the other"
    if "=" not in values.get("tenants.secrets_tag", "="):
        yield f"tenants.secrets_tag (from {given['tenants.secrets_tag'].origin}): must be KEY=VALUE"
    yield from _contradictory_logins(values, given)
    names = values.get("tenants.names", ())
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"tenants.names (from {given['tenants.names'].origin}): lists {name!r} twice"
    for name in values.get("rollout.canary") or ():
        if names and name not in names:
            origin = given["rollout.canary"].origin
            yield (
                f"rollout.canary (from {origin}): {name!r} is not in tenants.names"
                f"{_similar(name, names)}"
            )
    tables: dict[str, str] = {}
    for key in ("version_table", "lock.table", "journal.table"):
        table = values.get(key, default_of(key)).lower()
        if table in tables:
            yield f"{key}: is the same as {tables[table]}"
        tables.setdefault(table, key)


def _contradictory_logins(values: Mapping[str, Any], given: Mapping[str, _Given]) -> Iterator[str]:
    tokens = values.get("tenants.iam", False)
    if tokens and values.get("tenants.password_secret"):
        yield "tenants.iam and tenants.password_secret: a token, or a password; keep one"
    url = values.get("tenants.url")
    verify, ca = values.get("tls.verify"), "tls.ca" in given
    ca = ca or (url is not None and "ssl_ca" in url.reveal())
    if tokens and (verify in ("ca", "off") or not (ca or verify)):
        yield "tenants.iam: sends a password as it is, and so needs tls.ca, and tls.verify = full"


def _expected(kind: Any) -> str:
    """What a value of a setting has to be, in its user's words."""
    from msgspec import inspect

    info = inspect.type_info(kind)
    if isinstance(info, inspect.UnionType):
        info = next(one for one in info.types if not isinstance(one, inspect.NoneType))
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number, {least} or more" + (f", at most {most}" if most else "")
        case inspect.FloatType(ge=least, gt=above, le=most):
            start = f"{least:g} or more" if least is not None else f"above {above:g}"
            return f"a number of seconds, {start}, at most {most}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=inspect.LiteralType(values=values)):
            return f"a list of {' and '.join(map(repr, values))}, one at least"
        case inspect.VarTupleType():
            return 'a list of texts, none of them empty: ["…", "…"]'
        case inspect.StrType(pattern=str()):
            return "a table's name of at most 64 letters, digits, _ or $"
        case inspect.StrType():
            return "text, and not empty"
    return "text"


def _shown(raw: Any) -> str:
    """A wrong value as its file or variable has it, cut short."""
    text = msgspec.json.encode(raw).decode()
    return text if len(text) <= 60 else text[:59] + "…"


def _similar(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
