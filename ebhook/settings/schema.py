"""What can be set: every key with its type, its default, and its environment variable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from ebhook.secret import Secret

_YEAR = 31_536_000  # the servers' own limit for time-outs, in seconds

METADATA = "http://169.254.169.254"  # an EC2 instance's own metadata service

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


class TlsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`ca`: a PEM file. `verify` unset means full as soon as there is a CA."""

    ca: Name | None = None
    verify: Literal["full", "ca", "off"] | None = None


class LockSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`wait`: seconds to wait for one tenant that another holds. `named`: use GET_LOCK."""

    table: TableName = "migration_lock"
    wait: Seconds = 300.0
    named: bool = True


class JournalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`table`: where what was applied is kept, in each tenant's database."""

    table: TableName = "migration_journal"


class WaveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the fleet that goes after the canary and before what is in no wave.

    `tenants` are names or patterns; `group` is a value of the third column of tenants.query. `workers` and
    `max_failures` unset: as for the rollout. `on_error`: what follows when more than `max_failures` of it failed.
    """

    name: Name
    tenants: tuple[Name, ...] = ()
    group: Name | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] | None = None
    max_failures: Count | None = None
    on_error: Literal["stop", "continue"] = "stop"


class RolloutSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`canary` unset means the first tenant; empty means none. `deadline`, `grace` in seconds.

    `waves` run in order after the canary; what is in none goes last.
    `plan`: a file of `ebhook plan --out`, to which a boot is held.
    """

    canary: tuple[Name, ...] | None = None
    workers: Annotated[int, Meta(ge=1, le=64)] = 4
    max_failures: Count = 3
    deadline: Positive = 540.0
    grace: Seconds = 20.0
    waves: tuple[WaveSettings, ...] = ()
    plan: Name | None = None


class DdlSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How statements run. `algorithm`: the costliest that an ADD COLUMN may use."""

    lock_wait_timeout: Annotated[int, Meta(ge=1, le=_YEAR)] = 5
    algorithm: Literal["instant", "inplace", "copy"] = "inplace"
    wait_timeout: Annotated[int, Meta(ge=5, le=_YEAR)] = 120


class ChainSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`ticket`: a regular expression that begins each revision's message."""

    ticket: Name = r"[A-Z]+-\d+"


class AlembicSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`x`: what ``alembic -x key=value`` gives to env.py, an item each."""

    x: tuple[Name, ...] = ()


class LintSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`server` is what statements are judged for. `after`: judge only what comes after it.

    `select` and `ignore` name rules: by id, by an id's beginning, or as a glob. `timeout`: seconds
    that one function of a version file may run.
    """

    server: Server = "mysql-8.0"
    after: Name | None = None
    select: Annotated[tuple[Name, ...], Meta(min_length=1)] = ("EBH",)
    ignore: tuple[Name, ...] = ()
    timeout: Positive = 30.0


class BootSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`start` lets the instance start all the same: exit 0, and a loud report.

    `mode`: ``wait`` and ``check`` leave the migrating to others, and only read.
    `rules`: what becomes of pending revisions that break what protects running code and data. `drift`: of
    tenants whose tables, of those that the pending statements touch, are not as the other tenants have them.
    """

    mode: Literal["migrate", "wait", "check"] = "migrate"
    rules: Literal["refuse", "warn", "off"] = "refuse"
    on_failure: Literal["fail", "start"] = "fail"
    on_unreachable: Literal["fail", "start"] = "fail"
    on_frozen: Literal["fail", "start"] = "fail"
    drift: Literal["off", "warn", "refuse"] = "off"


class DriftSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`ignore`: what is known to differ, as patterns: a table, table.column, table.key, `view x`."""

    ignore: tuple[Name, ...] = ()


class AwsSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Unset: as boto3 finds them."""

    region: Name | None = None
    profile: Name | None = None


class NoticeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a boot tells the world: metrics each time; to `sns` and `event_bus` when it failed, and with
    `success` also when it did not."""

    namespace: Name = "ebhook"
    cloudwatch: bool = False
    sns: TopicArn | None = None
    event_bus: Name | None = None
    success: bool = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is in force. `root` is the folder that relative paths start from.

    `metadata` is where an EC2 instance can ask who it is; empty: nowhere. `unknown` are complaints about
    EBHOOK_ variables that are no settings, where they were kept.
    """

    migrations: Name = "migrations"
    flask_app: Name | None = None
    run_as: Name | None = None
    env_py: bool = True
    version_table: TableName = "alembic_version"
    holder: Name | None = None
    connect_timeout: Positive = 10.0
    scratch_url: Secret | None = None
    scratch_flavours: Annotated[tuple[Flavour, ...], Meta(min_length=1)] = ("mysql",)
    tenants: Tenants = Tenants()
    lock: LockSettings = LockSettings()
    journal: JournalSettings = JournalSettings()
    rollout: RolloutSettings = RolloutSettings()
    ddl: DdlSettings = DdlSettings()
    chain: ChainSettings = ChainSettings()
    alembic: AlembicSettings = AlembicSettings()
    lint: LintSettings = LintSettings()
    tls: TlsSettings = TlsSettings()
    boot: BootSettings = BootSettings()
    drift: DriftSettings = DriftSettings()
    aws: AwsSettings = AwsSettings()
    notice: NoticeSettings = NoticeSettings()

    root: Path = Path()
    file: Path | None = None
    origins: Mapping[str, str] = {}
    metadata: str = METADATA
    unknown: tuple[str, ...] = ()

    @property
    def plan_file(self) -> Path | None:
        """The plan to apply, absolute."""
        return self.root / self.rollout.plan if self.rollout.plan is not None else None

    @property
    def folder(self) -> Path:
        """The folder with env.py, absolute."""
        return self.root / self.migrations


SECTIONS: dict[str, type[Struct]] = {
    "tenants": Tenants,
    "lock": LockSettings,
    "journal": JournalSettings,
    "rollout": RolloutSettings,
    "ddl": DdlSettings,
    "chain": ChainSettings,
    "alembic": AlembicSettings,
    "lint": LintSettings,
    "tls": TlsSettings,
    "boot": BootSettings,
    "drift": DriftSettings,
    "aws": AwsSettings,
    "notice": NoticeSettings,
}
_OWN = ("root", "file", "origins", "metadata", "unknown")

# What tells which tenants there are. Those of AWS come with all that a URL has.
OF_AWS = (
    "tenants.ssm_path",
    "tenants.secrets",
    "tenants.secrets_prefix",
    "tenants.secrets_tag",
)
SOURCES = ("tenants.names", "tenants.like", "tenants.query", *OF_AWS)


def _types() -> dict[str, Any]:
    """The type of every key: ``{"migrations": …, "tenants.url": …}``."""
    types: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if field.name in SECTIONS:
            for inner in msgspec.structs.fields(SECTIONS[field.name]):
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
