"""Tenants and logins that AWS keeps: in the Parameter Store, or in Secrets Manager."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Literal

from ebhook.aws.client import Account, Stored, account_of, names_of_secrets, parameters, secrets
from ebhook.aws.credentials import AwsCredential
from ebhook.database.tls import demanded
from ebhook.database.url import Login, Url, UrlInvalid, fill, login_of, read_login
from ebhook.errors import EbhookError, SettingsFailed
from ebhook.fleet.broken import broken, usable_or_broken
from ebhook.settings import Settings
from ebhook.tenant import Tenant

# What a folder of the Parameter Store is recognised by.
_FIELDS = frozenset({"host", "port", "username", "user", "password", "dbname", "database", "url"})


def from_parameters(settings: Settings) -> list[Tenant]:
    """One tenant for each parameter, or folder of parameters, below tenants.ssm_path; by name.

    A parameter holds a URL or the JSON of a database's secret; a folder holds one parameter for
    each of its fields, or one named `url`. Either may lie in folders of folders (a region's, say).
    """
    path = settings.tenants.ssm_path
    assert path is not None
    account = account_of(settings)
    places = by_place(parameters(path, account))
    short = Counter(_last(place) for place in places)
    named = {place: _last(place) if short[_last(place)] == 1 else place for place in places}
    return [
        usable_or_broken(
            named[place], partial(_from_folder, settings, named[place], place, kept, account)
        )
        for place, kept in places.items()
    ]


def by_place(found: Iterable[Stored]) -> dict[str, list[Stored]]:
    """The parameters of each tenant, by the folder or the parameter that it is, below the path.

    A folder that holds a field of a login is a tenant, with all that is in it.
    """
    stored = list(found)
    parts = [one.name.rpartition("/") for one in stored]
    folders = {folder for folder, _, field in parts if folder and field in _FIELDS}
    places: dict[str, list[Stored]] = {}
    for one in stored:
        above = accumulate(one.name.split("/")[:-1], "{}/{}".format)
        place = next((folder for folder in above if folder in folders), one.name)
        places.setdefault(place, []).append(one)
    return places


def _last(place: str) -> str:
    return place.rpartition("/")[2]


def _from_folder(
    settings: Settings, name: str, place: str, kept: list[Stored], account: Account
) -> Tenant:
    fields = {one.name[len(place) + 1 :]: one for one in kept}
    whole = fields.get("") or fields.get("url")
    if whole is not None:
        with _telling_of(what := f"the parameter {whole.id}"):
            login = read_login(whole.value.reveal())
        credential = _credential("parameter", whole.id, account)
    else:
        with _telling_of(what := f"the parameters below {kept[0].id.rpartition('/')[0]}"):
            login = login_of({field: one.value.reveal() for field, one in fields.items()})
        password = fields.get("password", kept[0])
        credential = _credential("parameter", password.id, account)
    return _tenant(settings, name, what, login, credential)


def from_secrets(settings: Settings) -> list[Tenant]:
    """One tenant for each secret of the list (in its order), of the prefix or of the tag (by name)."""
    source, account = settings.tenants, account_of(settings)
    prefix = source.secrets_prefix or ""
    ids: Sequence[str] = source.secrets
    if not ids:
        ids = names_of_secrets(account, prefix=prefix, tag=source.secrets_tag or "")
    return [
        usable_or_broken(_short(id, prefix), partial(_from_secret, settings, one, prefix, account))
        if isinstance(one, Stored)
        else broken(_short(id, prefix), one)
        for id, one in zip(ids, secrets(ids, account), strict=True)
    ]


def _from_secret(settings: Settings, one: Stored, prefix: str, account: Account) -> Tenant:
    with _telling_of(what := f"the secret {one.name}"):
        login = read_login(one.value.reveal())
    name = login.tenant or (one.name.removeprefix(prefix) if prefix else login.database)
    credential = _credential("secret", one.id, account)
    return _tenant(settings, name or _short(one.name, ""), what, login, credential)


def _short(id: str, prefix: str) -> str:
    """What the tenant of a secret is called that says nothing of it; `id` is its name or ARN."""
    name = id.rpartition(":secret:")[2]
    return name.removeprefix(prefix) if prefix else name.rpartition("/")[2]


def with_passwords(tenants: Sequence[Tenant], settings: Settings) -> list[Tenant]:
    """The tenants with the passwords that tenants.password_secret keeps for them. Where each
    database is, the tenant's own source has said."""
    template = settings.tenants.password_secret
    assert template is not None
    account = account_of(settings)
    kept = secrets([template.replace("{tenant}", tenant.name) for tenant in tenants], account)
    return [
        broken(tenant.name, one)
        if isinstance(one, EbhookError)
        else usable_or_broken(tenant.name, partial(_with_password, tenant, one, account))
        for tenant, one in zip(tenants, kept, strict=True)
    ]


def _with_password(tenant: Tenant, one: Stored, account: Account) -> Tenant:
    with _telling_of(f"the secret {one.name}"):
        login = read_login(one.value.reveal())
        if login.password is None:
            raise UrlInvalid("has no password")
    credential = _credential("secret", one.id, account)
    user = login.user or tenant.url.user
    url = replace(tenant.url, user=user, password=login.password, credential=credential)
    return replace(tenant, url=url)


def with_token(url: Url, settings: Settings) -> Url:
    """`url` with a token of RDS for each login, where it has no password.

    Raises:
        SettingsFailed: it would send its token to a server that proves nothing.
    """
    if url.password:
        return url
    if demanded(url.options) != "full":
        raise SettingsFailed(
            f"tenants.iam: {url} does not demand that the server proves who it is.",
            "No token was sent.",
            "Give tls.ca, or ssl_ca in the URL, without ssl_check_hostname=false",
        )
    return replace(url, password=None, credential=_credential("iam", "", account_of(settings)))


def _tenant(
    settings: Settings, name: str, what: str, login: Login, credential: AwsCredential
) -> Tenant:
    """A tenant from what AWS keeps, over the template of tenants.url."""
    template = settings.tenants.url
    with _telling_of(what):
        if template is None and login.host is None:
            raise UrlInvalid("has no host, and tenants.url is not set")
        url = login.over(fill(template.reveal(), name) if template is not None else Url())
    if url.database is None:
        url = replace(url, database=name)
    return Tenant(name, replace(url, credential=credential) if login.password is not None else url)


@contextmanager
def _telling_of(what: str) -> Iterator[None]:
    """Names what was read when it cannot be used."""
    try:
        yield
    except UrlInvalid as error:
        raise SettingsFailed(
            f"{what[0].upper()}{what[1:]} {error}.",
            "No database was contacted.",
            "Mend it; what it has to look like is in docs/elastic-beanstalk.md",
        ) from None


def _credential(
    kind: Literal["iam", "secret", "parameter"], id: str, account: Account
) -> AwsCredential:
    return AwsCredential(kind, id, account.region, account.profile)
