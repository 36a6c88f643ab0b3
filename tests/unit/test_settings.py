"""Settings: every key from file and environment, every problem at once, no secret ever shown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ebhook.errors import Exit, SettingsFailed
from ebhook.secret import Secret
from ebhook.settings import (
    KEYS,
    VARIABLES,
    Settings,
    WaveSettings,
    default_of,
    load,
    value_of,
    variable_of,
)
from tests.unit.test_settings_docs import EXAMPLES

URL = "mysql+pymysql://app:hunter2secret@db.example/{tenant}"
RDS = {
    "RDS_HOSTNAME": "rds.example",
    "RDS_PORT": "3307",
    "RDS_DB_NAME": "ebdb",
    "RDS_USERNAME": "app",
    "RDS_PASSWORD": "hunter2secret",
}


def as_a_variable(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and isinstance(value[0], dict):
        return json.dumps(value)
    return ", ".join(value) if isinstance(value, list) else str(value)


def as_a_setting(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return msgspec.convert(value, KEYS[key])
    return Secret(value) if "Secret" in str(KEYS[key]) else value


# A value for every key that is not its default, as a variable has it and as the settings then do:
# the examples of docs/settings.md.
SAMPLES: dict[str, tuple[str, Any]] = {
    key: (as_a_variable(value), as_a_setting(key, value)) for key, value in EXAMPLES.items()
}

# What a key cannot be without: a source of tenants needs a URL, and the other way round.
COMPANIONS: dict[str, dict[str, str]] = {
    "tenants.url": {"EBHOOK_TENANTS_NAMES": "acme"},
    "tenants.names": {"EBHOOK_TENANTS_URL": URL},
    "tenants.like": {"EBHOOK_TENANTS_URL": URL},
    "tenants.query": {"EBHOOK_TENANTS_QUERY_URL": "mysql://app@registry/main"},
    "tenants.query_url": {"EBHOOK_TENANTS_QUERY": "SELECT name FROM agency"},
    "tenants.iam": {"EBHOOK_TLS_CA": "rds.pem"},
}


def written(key: str, value: Any) -> str:
    """A TOML document that sets `key`."""
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, tuple):
        text = f"[{', '.join(map(written_text, value))}]"
    else:
        text = written_text(value) if isinstance(value, str) else str(value)
    section, _, name = key.rpartition(".")
    return f"{f'[{section}]' if section else ''}\n{name} = {text}\n"


def written_text(text: Any) -> str:
    if isinstance(text, WaveSettings):
        given = {
            key: value for key, value in msgspec.to_builtins(text).items() if value is not None
        }
        return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in given.items()) + "}"
    return f"'{text}'"


def problems(directory: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    """The problems that loading must have, one a line."""
    with pytest.raises(SettingsFailed) as failure:
        load(environ or {}, directory=directory)
    error = failure.value
    assert error.exit_code == Exit.SETTINGS
    assert error.state
    assert error.next
    return re.findall(r"^  - (.*)$", error.what, re.M)


# --- every key ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_one_variable(key: str) -> None:
    """EBHOOK_<SECTION>_<KEY>, or EBHOOK_<KEY> for those outside a section."""
    assert variable_of(key) == "EBHOOK_" + key.replace(".", "_").upper()
    assert VARIABLES[variable_of(key)] == key


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_reachable_by_its_variable(tmp_path: Path, key: str) -> None:
    """Its variable sets each key, and says so in its origin."""
    text, value = SAMPLES[key]

    settings = load({variable_of(key): text, **COMPANIONS.get(key, {})}, directory=tmp_path)

    assert value_of(settings, key) == value
    assert value != default_of(key)
    assert settings.origins[key] == f"environment {variable_of(key)}"


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_reachable_by_the_file(tmp_path: Path, key: str) -> None:
    """The same value in ebhook.toml gives the same setting, and its origin names the file."""
    file = tmp_path / "ebhook.toml"
    file.write_text(written(key, SAMPLES[key][1]), "utf-8")

    settings = load(COMPANIONS.get(key, {}), directory=tmp_path)

    assert value_of(settings, key) == SAMPLES[key][1]
    assert settings.origins[key] == str(file)


@pytest.mark.parametrize("key", KEYS)
def test_the_environment_wins(tmp_path: Path, key: str) -> None:
    """A variable beats the file's value of the same key."""
    default = default_of(key)
    other = default if isinstance(default, (str, bool, int, float)) else SAMPLES[key][1]
    if isinstance(other, Secret):
        other = Secret(other.reveal().replace("mysql", "mariadb", 1))
    elif isinstance(other, tuple):
        other = (WaveSettings("other", ("x",)),) if key == "rollout.waves" else ("other",)
    (tmp_path / "ebhook.toml").write_text(written(key, other), "utf-8")

    environ = {variable_of(key): SAMPLES[key][0], **COMPANIONS.get(key, {})}
    settings = load(environ, directory=tmp_path)

    assert value_of(settings, key) == SAMPLES[key][1]


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    """Without file and variables, every key has its default and no origin."""
    settings = load({"PATH": "/bin"}, directory=tmp_path)

    assert {key: value_of(settings, key) for key in KEYS} == {key: default_of(key) for key in KEYS}
    assert settings.origins == {}
    assert settings.file is None


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after it was validated."""
    with pytest.raises(AttributeError):
        Settings().migrations = "elsewhere"  # type: ignore[misc]


# --- the file ----------------------------------------------------------------------------------


def test_the_file_is_found_upwards(tmp_path: Path) -> None:
    """The nearest ebhook.toml above the working directory counts, and its folder is the root."""
    (tmp_path / "ebhook.toml").write_text("holder = 'far'")
    near = tmp_path / "app"
    (near / "deep" / "deeper").mkdir(parents=True)
    (near / "ebhook.toml").write_text("holder = 'near'\nmigrations = 'db/chain'")

    settings = load({}, directory=near / "deep" / "deeper")

    assert settings.holder == "near"
    assert settings.root == near
    assert settings.folder == near / "db" / "chain"


def test_without_a_file_the_directory_is_the_root(tmp_path: Path) -> None:
    """Relative paths then start where the command was typed."""
    settings = load({}, directory=tmp_path)

    assert settings.folder == tmp_path / "migrations"


@pytest.mark.parametrize("name", ["other.toml", "environment.toml"])
def test_another_file_by_option_or_variable(tmp_path: Path, name: str) -> None:
    """--config and EBHOOK_CONFIG name a file of any name; the option wins."""
    (tmp_path / name).write_text("[rollout]\ncanary = ['acme']")
    (tmp_path / "third.toml").write_text("holder = 'third'")

    by_option = load(
        {"EBHOOK_CONFIG": str(tmp_path / "third.toml")},
        directory=tmp_path,
        config=tmp_path / name,
    )
    by_variable = load({"EBHOOK_CONFIG": str(tmp_path / name)}, directory=tmp_path)

    assert by_option.rollout.canary == by_variable.rollout.canary == ("acme",)
    assert by_option.holder is None


def test_a_file_named_relatively_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that begins like the word for a variable's origin is read as TOML all the same."""
    monkeypatch.chdir(tmp_path)
    Path("environment.toml").write_text("env_py = false\n[rollout]\ncanary = ['acme']")

    settings = load({}, directory=tmp_path, config=Path("environment.toml"))

    assert settings.rollout.canary == ("acme",)
    assert settings.file == tmp_path / "environment.toml"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"holder = ", "Invalid value"),
        (b"holder = 'a'\nholder = 'b'", "Cannot overwrite a value"),
        (b"holder = '\xff'", "utf-8"),
        (b"holder = " + b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path: Path, text: bytes, complaint: str) -> None:
    """It is named, with what is wrong and where; nothing of its text is shown."""
    (tmp_path / "ebhook.toml").write_bytes(text)

    (problem,) = problems(tmp_path)

    assert problem.startswith(f"{tmp_path / 'ebhook.toml'}: ")
    assert complaint in problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was asked for by name must exist."""
    (problem,) = problems(tmp_path, {"EBHOOK_CONFIG": str(tmp_path / "no.toml")})

    assert problem == f"{tmp_path / 'no.toml'}: No such file or directory"


# --- lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("acme", ("acme",)),
        ("acme,zenith", ("acme", "zenith")),
        (" acme , zenith ,", ("acme", "zenith")),
        ("o'hara,a b,100%", ("o'hara", "a b", "100%")),
    ],
)
def test_lists_are_separated_by_commas(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    """Blanks around an item do not count, and neither do empty items."""
    environ = {"EBHOOK_TENANTS_NAMES": text, "EBHOOK_TENANTS_URL": URL}

    assert load(environ, directory=tmp_path).tenants.names == names


def test_an_empty_canary_means_none(tmp_path: Path) -> None:
    """Unset is the first tenant; empty is no canary wave at all."""
    assert load({}, directory=tmp_path).rollout.canary is None
    assert load({"EBHOOK_ROLLOUT_CANARY": ""}, directory=tmp_path).rollout.canary == ()


# --- problems ----------------------------------------------------------------------------------


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    """One run tells all that is wrong, each with its key and where it came from."""
    file = tmp_path / "ebhook.toml"
    file.write_text("migrations = 5\nholders = 'x'\n[rollout]\nworkers = 0\n[ddl]\nalgorithm = 'x'")
    environ = {"EBHOOK_LOCK_WAIT": "soon", "EBHOOK_TENANT_NAMES": "acme", "RDS_HOSTNAME": "h"}

    assert sorted(problems(tmp_path, environ)) == [
        f'ddl.algorithm (from {file}): must be one of copy, inplace, instant, not "x"',
        "environment EBHOOK_TENANT_NAMES: is no setting; did you mean EBHOOK_TENANTS_NAMES?",
        "environment RDS_HOSTNAME: is set, but RDS_USERNAME and RDS_DB_NAME are not",
        f"holders (from {file}): is no setting; did you mean holder?",
        "lock.wait (from environment EBHOOK_LOCK_WAIT): must be a number of seconds, 0 or more, "
        'at most 31536000, not "soon"',
        f"migrations (from {file}): must be text, and not empty, not 5",
        f"rollout.workers (from {file}): must be a whole number, 1 or more, at most 64, not 0",
    ]


@pytest.mark.parametrize("key", [key for key, kind in KEYS.items() if "str" not in str(kind)])
def test_wrong_values_are_named(tmp_path: Path, key: str) -> None:
    """Whatever is no number, word or URL for its key is refused, naming key and variable."""
    problem = problems(tmp_path, {**COMPANIONS.get(key, {}), variable_of(key): "☂"})[0]

    assert problem.startswith(f"{key} (from environment {variable_of(key)}): ")


@pytest.mark.parametrize("key", KEYS)
def test_wrong_types_in_the_file_are_named(tmp_path: Path, key: str) -> None:
    """A date is nobody's value."""
    section, _, name = key.rpartition(".")
    (tmp_path / "ebhook.toml").write_text(f"[{section}]\n" * bool(section) + f"{name} = 2026-01-01")

    (problem,) = problems(tmp_path, COMPANIONS.get(key))

    assert problem.startswith(f"{key} (from {tmp_path / 'ebhook.toml'}): must be ")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("lock.wait", "-1"),
        ("lock.wait", "nan"),
        ("lock.wait", "inf"),
        ("rollout.deadline", "0"),
        ("rollout.deadline", "inf"),
        ("connect_timeout", "0"),
        ("rollout.workers", "0"),
        ("rollout.workers", "65"),
        ("rollout.workers", "1.5"),
        ("rollout.max_failures", "-1"),
        ("ddl.lock_wait_timeout", "0"),
        ("ddl.wait_timeout", "4"),
        ("ddl.algorithm", "INSTANT"),
        ("env_py", "yes"),
        ("lock.table", "a b"),
        ("lock.table", "x" * 65),
        ("lock.table", "`"),
        ("version_table", "other.alembic_version"),
        ("holder", ""),
        ("migrations", ""),
        ("tenants.like", ""),
        ("chain.ticket", "(JMS"),
        ("chain.ticket", ""),
    ],
)
def test_values_out_of_range(tmp_path: Path, key: str, text: str) -> None:
    """Numbers without meaning, names that are none, and empty texts are refused."""
    found = problems(tmp_path, {variable_of(key): text})

    assert found[0].startswith(f"{key} (from environment {variable_of(key)}): ")


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("[tenant]\nurl = 'x'", "tenant (from {file}): is no setting; did you mean tenants?"),
        ("[rollouts]\ncanary = []", "rollouts (from {file}): is no setting; did you mean rollout?"),
        (
            "[ddl]\nalgoritm = 'copy'",
            "ddl.algoritm (from {file}): is no setting; did you mean ddl.algorithm?",
        ),
        ("flaskapp = 'x'", "flaskapp (from {file}): is no setting; did you mean flask_app?"),
        ("colour = 'x'", "colour (from {file}): is no setting"),
        ("origins = 'x'", "origins (from {file}): is no setting"),
        ("lock = 5", "lock (from {file}): is a section: [lock], and its keys below"),
    ],
)
def test_unknown_keys_get_advice(tmp_path: Path, written: str, advice: str) -> None:
    """A key that is none is refused, with the one that was probably meant."""
    file = tmp_path / "ebhook.toml"
    file.write_text(written)

    assert problems(tmp_path) == [advice.format(file=file)]


@pytest.mark.parametrize("variable", ["EBHOOK_CONFIG", "EBHOOK_TEST_SLOW", "OTHER", "XEBHOOK_X"])
def test_some_variables_are_nobodys_setting(tmp_path: Path, variable: str) -> None:
    """The file's name, the test suite's own variables and all others are left alone."""
    (tmp_path / "x.toml").write_text("")

    load({variable: str(tmp_path / "x.toml")}, directory=tmp_path)


@pytest.mark.parametrize("key", ["tenants.names", "tenants.url", "holder"])
def test_bytes_that_are_no_text(tmp_path: Path, key: str) -> None:
    """A variable in another character set is a problem of its own, not a traceback."""
    (problem,) = problems(
        tmp_path, {variable_of(key): b"caf\xe9".decode("utf-8", "surrogateescape")}
    )

    assert problem == f"{key} (from environment {variable_of(key)}): is not UTF-8"


# --- what contradicts itself ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        (
            {"TENANTS_NAMES": "a", "TENANTS_LIKE": "a%", "TENANTS_URL": URL},
            "tenants.names and tenants.like: more than one source of tenants; keep one",
        ),
        (
            {
                "TENANTS_LIKE": "a%",
                "TENANTS_QUERY": "SELECT 1",
                "TENANTS_QUERY_URL": "mysql://h/x",
                "TENANTS_URL": URL,
            },
            "tenants.like and tenants.query: more than one source of tenants; keep one",
        ),
        (
            {"TENANTS_NAMES": "a", "TENANTS_URL": "mysql://h/x"},
            "tenants.url (from environment EBHOOK_TENANTS_URL): has no {tenant}, "
            "but tenants.names gives several tenants",
        ),
        ({"TENANTS_NAMES": "a"}, "tenants.names: needs tenants.url, a URL with {tenant}"),
        ({"TENANTS_LIKE": "a%"}, "tenants.like: needs tenants.url, a URL with {tenant}"),
        (
            {"TENANTS_URL": URL},
            "tenants.url: has {tenant}; give tenants.names, tenants.like or tenants.query",
        ),
        (
            {"TENANTS_URL": URL, "TENANTS_NAMES": " , "},
            "tenants.url: has {tenant}; give tenants.names, tenants.like or tenants.query",
        ),
        (
            {"TENANTS_QUERY": "SELECT 1"},
            "tenants.query and tenants.query_url: one is set without the other",
        ),
        (
            {"TENANTS_QUERY_URL": "mysql://h/x"},
            "tenants.query and tenants.query_url: one is set without the other",
        ),
        (
            {"TENANTS_NAMES": "a,b,a", "TENANTS_URL": URL},
            "tenants.names (from environment EBHOOK_TENANTS_NAMES): lists 'a' twice",
        ),
        (
            {"TENANTS_NAMES": "acme,b", "TENANTS_URL": URL, "ROLLOUT_CANARY": "acne"},
            "rollout.canary (from environment EBHOOK_ROLLOUT_CANARY): 'acne' is not in "
            "tenants.names; did you mean acme?",
        ),
        ({"LOCK_TABLE": "alembic_version"}, "lock.table: is the same as version_table"),
        ({"VERSION_TABLE": "migration_lock"}, "lock.table: is the same as version_table"),
        ({"JOURNAL_TABLE": "Migration_Lock"}, "journal.table: is the same as lock.table"),
        ({"JOURNAL_TABLE": "alembic_version"}, "journal.table: is the same as version_table"),
    ],
)
def test_contradictions(tmp_path: Path, environ: dict[str, str], complaint: str) -> None:
    """Keys that cannot both be meant are told apart before any database is asked."""
    assert problems(tmp_path, {f"EBHOOK_{k}": v for k, v in environ.items()}) == [complaint]


def test_a_wrong_value_is_told_once(tmp_path: Path) -> None:
    """What is wrong in itself is not told a second time as a contradiction with others."""
    environ = {"EBHOOK_TENANTS_URL": "postgresql://h/{tenant}", "EBHOOK_TENANTS_NAMES": "a"}

    assert problems(tmp_path, environ) == [
        "tenants.url (from environment EBHOOK_TENANTS_URL): names the driver 'postgresql'; "
        "ebhook speaks 'mysql+pymysql'"
    ]


# --- the platform's own variables --------------------------------------------------------------


@pytest.mark.parametrize(
    "password", ["plain", "a@b:c/d?e#f%g", "%40", "{tenant}", "spa ce", "ключ☂"]
)
def test_a_coupled_database_is_the_default(tmp_path: Path, password: str) -> None:
    """RDS_* make the URL when nothing else does, whatever the password has in it."""
    from ebhook.fleet.discovery import discover

    settings = load({**RDS, "RDS_PASSWORD": password}, directory=tmp_path)

    (tenant,) = discover(settings)
    url = tenant.url
    assert (tenant.name, url.host, url.port, url.user) == ("ebdb", "rds.example", 3307, "app")
    assert url.database == "ebdb"
    assert url.password == Secret(password)
    assert settings.origins["tenants.url"] == "environment RDS_HOSTNAME, RDS_USERNAME, …"


def test_a_coupled_database_with_names(tmp_path: Path) -> None:
    """With a list of names, RDS_* give the server, and RDS_DB_NAME is not needed."""
    from ebhook.fleet.discovery import discover

    environ = {**RDS, "EBHOOK_TENANTS_NAMES": "acme,zenith"}
    del environ["RDS_DB_NAME"], environ["RDS_PORT"]

    tenants = discover(load(environ, directory=tmp_path))

    assert [(t.name, t.url.host, t.url.port, t.url.database) for t in tenants] == [
        ("acme", "rds.example", 3306, "acme"),
        ("zenith", "rds.example", 3306, "zenith"),
    ]


def test_a_url_beats_the_coupled_database(tmp_path: Path) -> None:
    """RDS_* are looked at only when there is no tenants.url."""
    settings = load({**RDS, "EBHOOK_TENANTS_URL": "mysql://other/x"}, directory=tmp_path)

    assert settings.tenants.url == Secret("mysql://other/x")


@pytest.mark.parametrize("name", ["RDS_USERNAME", "RDS_DB_NAME"])
def test_a_coupled_database_with_a_gap(tmp_path: Path, name: str) -> None:
    """Half of the RDS_* variables is a mistake, and the missing one is named."""
    environ = {key: value for key, value in RDS.items() if key != name}

    assert problems(tmp_path, environ) == [f"environment RDS_HOSTNAME: is set, but {name} is not"]


def test_a_coupled_database_with_a_wrong_port(tmp_path: Path) -> None:
    """Also what the platform says is checked."""
    (problem,) = problems(tmp_path, {**RDS, "RDS_PORT": "x"})

    assert "has a port that is not a number" in problem
    assert "RDS_HOSTNAME" in problem


def test_flask_app_is_honoured(tmp_path: Path) -> None:
    """FLASK_APP is what flask itself reads; ebhook's own key is more to the point, and wins."""
    environ = {"FLASK_APP": "site:app"}
    assert load(environ, directory=tmp_path).flask_app == "site:app"

    (tmp_path / "ebhook.toml").write_text("flask_app = 'file:app'")
    assert load(environ, directory=tmp_path).flask_app == "file:app"

    environ["EBHOOK_FLASK_APP"] = "own:app"
    assert load(environ, directory=tmp_path).flask_app == "own:app"


# --- secrets -----------------------------------------------------------------------------------


def test_secrets_are_not_in_the_settings_text(tmp_path: Path) -> None:
    """Neither str nor repr of the settings has a password, also that of a coupled database."""
    registry = "mysql://app:hunter2secret@registry/main"
    environ = {"EBHOOK_TENANTS_QUERY": "SELECT 1", "EBHOOK_TENANTS_QUERY_URL": registry}
    for settings in (
        load({**environ, "EBHOOK_TENANTS_URL": URL}, directory=tmp_path),
        load(RDS, directory=tmp_path),
    ):
        assert "hunter2secret" not in f"{settings!r} {settings} {settings.origins}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter2secret@db/x",
        "app:hunter2secret@db/x",
        "mysql+pymysql:/app:hunter2secret@db/x",
        "mysql://app:hunter2secret@db:port/x",
        "mysql://app:x@hunter2secret@db/x",
        "mysql://app:x@hunter2secret/y@db/x",
        "mysql://app:x@hunter2secret?y@db/x",
        "mysql://app:hunter2secret@db:99999/x",
        "mysql://app:hunter2secret@db/x",
    ],
)
@pytest.mark.parametrize("key", ["tenants.url", "tenants.query_url"])
def test_secrets_are_not_in_the_problems(tmp_path: Path, key: str, url: str) -> None:
    """A URL with a mistake is described, never repeated."""
    environ = {variable_of(key): url, "EBHOOK_LOCK_WAIT": "soon", "EBHOOK_TENANTS_NAMES": "a"}

    found = problems(tmp_path, environ)

    assert "hunter2secret" not in " ".join(found)


def test_secrets_are_not_in_the_problems_of_the_file(tmp_path: Path) -> None:
    """The same for a URL of the wrong type, and for a file that is no TOML."""
    (tmp_path / "ebhook.toml").write_text("[tenants]\nurl = ['mysql://a:hunter2secret@h/x']")
    assert "hunter2secret" not in " ".join(problems(tmp_path))

    (tmp_path / "ebhook.toml").write_text("[tenants]\nurl = 'mysql://a:hunter2secret@h/x")
    assert "hunter2secret" not in " ".join(problems(tmp_path))


@pytest.mark.parametrize(
    ("waves", "problem"),
    [
        ("pilot", "must be JSON, a list of waves"),
        ('[{"tenants": ["acme"]}]', "must be a list of waves, each with a name"),
        ('[{"name": "a", "tenants": ["x"], "on_error": "retry"}]', "must be a list of waves"),
        ('[{"name": "a"}]', "'a' has neither tenants nor group"),
        ('[{"name": "a", "group": "eu"}]', "'a' has a group, which only tenants.query tells"),
        ('[{"name": "rest", "tenants": ["x"]}]', "'rest' is the name of more than one wave"),
        (
            '[{"name": "a", "tenants": ["x"]}, {"name": "a", "tenants": ["y"]}]',
            "'a' is the name of more than one wave",
        ),
    ],
)
def test_wrong_waves_are_told(tmp_path: Path, waves: str, problem: str) -> None:
    """What a wave has to be, and what cannot be together."""
    (found,) = problems(tmp_path, {"EBHOOK_ROLLOUT_WAVES": waves})

    assert found.startswith("rollout.waves (from environment EBHOOK_ROLLOUT_WAVES): ")
    assert problem in found
