"""The settings: the only reader of the environment and of ebhook.toml.

`load` returns one frozen object, or raises one `SettingsFailed` that lists every problem with its
key and where it came from. Every key has an environment variable: ``EBHOOK_<KEY>``, or
``EBHOOK_<SECTION>_<KEY>`` for a key in a section. The environment wins over the file, and over
what Elastic Beanstalk knows besides.

    schema           what can be set
    values           what a value has to be
    contradictions   what does not go together
    loading          where values come from
"""

from ebhook.settings.loading import FILE_NAME, MARGIN, Variables, load
from ebhook.settings.schema import (
    KEYS,
    METADATA,
    SOURCES,
    VARIABLES,
    AwsSettings,
    BootSettings,
    ChainSettings,
    DdlSettings,
    DriftSettings,
    JournalSettings,
    LintSettings,
    LockSettings,
    NoticeSettings,
    RolloutSettings,
    Settings,
    Tenants,
    TlsSettings,
    WaveSettings,
    default_of,
    value_of,
    variable_of,
)

__all__ = [
    "FILE_NAME",
    "KEYS",
    "MARGIN",
    "METADATA",
    "SOURCES",
    "VARIABLES",
    "AwsSettings",
    "BootSettings",
    "ChainSettings",
    "DdlSettings",
    "DriftSettings",
    "JournalSettings",
    "LintSettings",
    "LockSettings",
    "NoticeSettings",
    "RolloutSettings",
    "Settings",
    "Tenants",
    "TlsSettings",
    "Variables",
    "WaveSettings",
    "default_of",
    "load",
    "value_of",
    "variable_of",
]
