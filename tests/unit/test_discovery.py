"""Which tenants there are, as far as settings alone can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebhook.database.connection import quoted
from ebhook.database.url import parse_url
from ebhook.errors import Exit, SettingsFailed, UsageFailed
from ebhook.fleet.discovery import discover, select
from ebhook.secret import Secret
from ebhook.settings import Settings, Tenants, load
from ebhook.tenant import Tenant

URL = Secret("mysql+pymysql://app:hunter2secret@db.example/agency_{tenant}")


def listed(*names: str) -> list[Tenant]:
    """What a list of names gives."""
    return discover(Settings(tenants=Tenants(url=URL, names=names)))


def refusal(*names: str, url: Secret = URL) -> SettingsFailed:
    with pytest.raises(SettingsFailed) as failure:
        discover(Settings(tenants=Tenants(url=url, names=names)))
    error = failure.value
    assert error.exit_code == Exit.SETTINGS
    assert error.state
    assert error.next
    assert "hunter2secret" not in str(error)
    return error


def test_nothing_set() -> None:
    """Says what to set, in the file or in the environment."""
    with pytest.raises(SettingsFailed, match="No tenants are set") as failure:
        discover(Settings())

    assert "EBHOOK_TENANTS_URL" in str(failure.value.next)
    assert "EBHOOK_TENANTS_NAMES" in str(failure.value.next)


def test_a_list_keeps_its_order() -> None:
    """The configured order is the order of everything; the URL says which database."""
    tenants = listed("zenith", "acme")

    assert [tenant.name for tenant in tenants] == ["zenith", "acme"]
    assert [tenant.database for tenant in tenants] == ["agency_zenith", "agency_acme"]


def test_one_url_is_one_tenant(tmp_path: Path) -> None:
    """Without names the database is the tenant."""
    settings = load({"EBHOOK_TENANTS_URL": "mysql://app@h/acme"}, directory=tmp_path)

    assert [(tenant.name, tenant.database) for tenant in discover(settings)] == [("acme", "acme")]


@pytest.mark.parametrize(
    "name", ["o'hara", "a`b", 'a"b', "a b", "100%", "%s", "a/b", "a.b", "söhne", "社", "a;b", "-"]
)
def test_odd_names_are_names(name: str) -> None:
    """What MySQL can have as a database, a tenant can be."""
    (tenant,) = listed(name)

    assert tenant.name == name
    assert tenant.database == f"agency_{name}"


@pytest.mark.parametrize("name", ["acme😀", "a\0b", "acme ", "x" * 58])
def test_names_that_mysql_cannot_have(name: str) -> None:
    """Beyond U+FFFF, NUL, a blank at the end, more than 64 characters: told before connecting."""
    error = refusal("zenith", name)

    assert f"{name!r}: MySQL cannot have a database {f'agency_{name}'!r}" in error.what
    assert "zenith" not in error.what


def test_a_url_without_a_database() -> None:
    """There is nothing to migrate at a server as such."""
    error = refusal(url=Secret("mysql://app:hunter2secret@h"))

    assert "tenants.url names no database" in error.what


def test_tenants_that_are_one_database() -> None:
    """Two names of one database would be upgraded twice."""
    error = refusal(
        "a", "b", url=Secret("mysql://app:hunter2secret@h/shared?program_name={tenant}")
    )

    assert "'b' and 'a' are the same database" in error.what


def test_every_bad_name_is_listed() -> None:
    """One run tells all."""
    error = refusal("ok", "a😀", "b😀", "ok")

    assert error.what.count("MySQL cannot have") == 2
    assert "'ok': is listed twice" in error.what


# --- choosing by name --------------------------------------------------------------------------


@given(st.lists(st.sampled_from("abcdef"), max_size=8))
def test_select_keeps_the_configured_order(names: list[str]) -> None:
    """Whatever the order and however often they are named; nobody named means all."""
    tenants = listed(*"abcdef")

    chosen = [tenant.name for tenant in select(tenants, names)]

    assert chosen == [name for name in "abcdef" if not names or name in names]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["acne"], "There is no tenant 'acne'. Did you mean 'acme'?"),
        (["zzz"], "There is no tenant 'zzz'."),
        (["acme", "zzz", "yyy"], "There is no tenant 'zzz', 'yyy'."),
        (["ACME"], "There is no tenant 'ACME'. Did you mean 'acme'?"),
        ([""], "There is no tenant ''."),
    ],
)
def test_unknown_names(names: list[str], complaint: str) -> None:
    """All of them are named, with what was probably meant; exit 64."""
    with pytest.raises(UsageFailed) as failure:
        select(listed("acme", "zenith"), names)

    assert failure.value.what == complaint
    assert failure.value.exit_code == Exit.USAGE
    assert str(failure.value.next) == "See which there are: ebhook status"


# --- identifiers -------------------------------------------------------------------------------


@given(st.text(min_size=1))
def test_an_identifier_cannot_break_out(name: str) -> None:
    """Between the outer backticks every backtick is doubled, and nothing else is changed."""
    inner = quoted(name)[1:-1]

    assert quoted(name)[0] == quoted(name)[-1] == "`"
    assert inner.replace("``", "") == inner.replace("`", "")
    assert inner.replace("``", "`") == name


def test_a_tenant_shows_no_password() -> None:
    """repr is what lands in tracebacks."""
    tenant = Tenant(
        "acme", parse_url("mysql://app:hunter2secret@h/acme?ssl_key_password=hunter2secret")
    )

    assert "hunter2secret" not in repr(tenant)
    assert "hunter2secret" not in str(tenant)
