"""What Elastic Beanstalk writes, read: properties, labels, and which process they are for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.aws.beanstalk import PlatformSilent, _has, parse_env, parse_json, version_label
from ebhook.holder import Holder
from ebhook.settings import Variables, load

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=60)

PEM = "-----BEGIN CERTIFICATE-----\nMIIB+/=\nQUJD==\n-----END CERTIFICATE-----"


# --- properties ----------------------------------------------------------------------------------


@given(st.dictionaries(NAMES, VALUES, max_size=8))
def test_every_line_survives_exactly(values: dict[str, str]) -> None:
    """Blanks, quotes, =, #, !, $, backslashes, carriage returns: nothing is unquoted or stripped."""
    text = "".join(f"{name}={value}\n" for name, value in values.items())

    assert parse_env(text) == values
    assert parse_json(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1\nsecond line\n\nfourth\nB=2\n", {"A": "1\nsecond line\n\nfourth", "B": "2"}),
        (f"CERT={PEM}\nB=2\n", {"CERT": PEM, "B": "2"}),
        (f"B=2\nCERT={PEM}", {"CERT": PEM, "B": "2"}),
        ("A=\"x\"\nB='y'\n", {"A": '"x"', "B": "'y'"}),
        ("A=\nB= \n", {"A": "", "B": " "}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("no name\nA=1\n", {"A": "1"}),
        ("A=$B\\n#!\n", {"A": "$B\\n#!"}),
        ("A=1\nmy-name=y\nspring.url=x\n", {"A": "1\nmy-name=y", "spring.url": "x"}),
        ("B=-----BEGIN CERTIFICATE-----\nA=1\n", {"B": PEM.partition("\n")[0], "A": "1"}),
        (f"B=x {PEM} y\nA=1\n", {"B": f"x {PEM} y", "A": "1"}),
        ("A=1\0\nB=2\n", {"B": "2"}),
        ("", {}),
    ],
)
def test_values_of_several_lines(text: str, values: dict[str, str]) -> None:
    """A line that begins with no name goes on with the value above; a PEM block is one value. A name
    that get-config knows may look like none."""
    assert parse_env(text, {"spring.url"}) == values


def test_what_no_environment_can_hold_is_left_out() -> None:
    """Numbers are as JSON writes them; no NUL, no half of a character, no name with a =."""
    document = {"PORT": 3306, "ON": True, "NONE": None, "MORE": {"A": "1"}, "a.b-c": "x"}
    document |= {"": "x", "A=B": "x", "NUL": "a\0b", "HALF": "\ud800", "NOTE": "☂"}

    assert parse_json(json.dumps(document)) == {
        "PORT": "3306",
        "ON": "true",
        "a.b-c": "x",
        "NOTE": "☂",
    }


@pytest.mark.parametrize("text", ["", "Error: hunter2secret", '["hunter2secret"]', "null", '"x"'])
def test_what_is_no_object_is_not_repeated(text: str) -> None:
    """It may hold anything."""
    with pytest.raises(PlatformSilent) as silent:
        parse_json(text)

    assert "hunter2" not in str(silent.value)


@pytest.mark.parametrize(
    ("environ", "has"),
    [
        ({"A": "1", "B": "2", "PATH": "/bin"}, True),
        ({"A": "1", "B": "2"}, True),
        ({"A": "1"}, False),
        ({"A": "other", "B": "other"}, False),
        ({"PATH": "/bin"}, False),
        ({}, False),
    ],
)
def test_a_hook_has_the_properties(environ: dict[str, str], has: bool) -> None:
    """A shell over SSH has not; one that exported a property by hand has not, either."""
    known = {"A": "1", "B": "2", "PYTHONPATH": "/x", "RDS_HOSTNAME": "h", "RDS_PASSWORD": "p"}

    assert _has(environ, known) is has


def test_the_first_source_that_has_a_variable_counts(tmp_path: Path) -> None:
    """The environment, then get-config, then the file; each value says where it is from."""
    platform = (
        Variables("get-config", {"EBHOOK_HOLDER": "b", "EBHOOK_MIGRATIONS": "b"}),
        Variables("/file", {"EBHOOK_HOLDER": "c", "EBHOOK_LOCK_WAIT": "3", "RDS_HOSTNAME": "h"}),
        Variables("/file", {"RDS_USERNAME": "u", "RDS_DB_NAME": "d"}),
    )

    settings = load({"EBHOOK_HOLDER": "a"}, directory=tmp_path, platform=platform)

    assert (settings.holder, settings.migrations, settings.lock.wait) == ("a", "b", 3)
    assert settings.origins == {
        "holder": "environment EBHOOK_HOLDER",
        "migrations": "get-config EBHOOK_MIGRATIONS",
        "lock.wait": "/file EBHOOK_LOCK_WAIT",
        "tenants.url": "/file RDS_HOSTNAME, RDS_USERNAME, …",
    }


# --- the deadline --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "deadline"), [(600, 540), (1800, 1740), (3600, 3540), (120, 90), (None, 540)]
)
def test_the_deadline_is_the_platforms(
    tmp_path: Path, timeout: float | None, deadline: float
) -> None:
    """Its time-out less a minute; of a short one, three quarters."""
    settings = load({}, directory=tmp_path, timeout=lambda: timeout)

    assert settings.rollout.deadline == deadline
    assert ("rollout.deadline" in settings.origins) is (timeout is not None)


def test_a_deadline_that_is_set_counts(tmp_path: Path) -> None:
    """The platform is not even asked."""

    def ask() -> float:
        raise AssertionError

    settings = load({"EBHOOK_ROLLOUT_DEADLINE": "77"}, directory=tmp_path, timeout=ask)

    assert settings.rollout.deadline == 77


# --- who we are ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "label"),
    [
        ('{"VersionLabel": "v512"}', "v512"),
        ('{"RuntimeSources": {"shop": {"v513": {"s3url": ""}}}}', "v513"),
        ('{"VersionLabel": "", "RuntimeSources": {"shop": {"v513": {}}}}', "v513"),
        ('{"RuntimeSources": {}}', None),
        ('{"RuntimeSources": ["x"]}', None),
        ('{"RuntimeSources": {"shop": "x"}}', None),
        ('{"VersionLabel": 5}', None),
        ('["v512"]', None),
        ("", None),
        ("{", None),
        ('{"VersionLabel": "' + "x" * 500 + '"}', "x" * 190),
    ],
)
def test_the_label_of_either_manifest(manifest: str, label: str | None) -> None:
    """And no label of anything else."""
    assert version_label(manifest) == label


def test_each_acquisition_has_a_token_of_its_own() -> None:
    """The same holder otherwise."""
    holder = Holder("i-0abc", 7, "prod", "v1", "boot", "x")
    one, other = holder.renewed(), holder.renewed()

    assert one.token != other.token
    assert (one.name, one.environment, one.version_label) == ("i-0abc", "prod", "v1")
