"""Which tenants there are, and where: from the settings, a registry database, or the server."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pymysql.err import MySQLError

from ebhook.database.connection import connect_patiently, explain, rows
from ebhook.database.url import Url, UrlInvalid, fill, parse_url
from ebhook.errors import SettingsFailed, UsageFailed
from ebhook.fleet.tls_policy import secured
from ebhook.next_command import ebhook, then
from ebhook.settings import SOURCES, Settings, value_of
from ebhook.tenant import Tenant

_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys", "innodb")


def discover(settings: Settings) -> list[Tenant]:
    """All tenants in their configured order (a database's own order for `query`, by name for `like`).

    Raises:
        SettingsFailed: no source is set, or a source gives what cannot be a tenant.
        Unreachable, Refused: the registry or the server did not answer.
    """
    found = _found(settings)
    if not found:
        source = next(key for key in SOURCES if value_of(settings, key))
        raise SettingsFailed(
            f"No tenant was found by {source}.",
            next=then("Check it against what it asks: ", ebhook("config")),
        )
    _check(found)
    if settings.tenants.password_secret:
        from ebhook.fleet.aws_sources import with_passwords

        found = with_passwords(found, settings)
    urls = _logged_in([tenant.url for tenant in found], settings)
    return [replace(tenant, url=url) for tenant, url in zip(found, urls, strict=True)]


def _found(settings: Settings) -> list[Tenant]:
    """The tenants as their source gives them."""
    source = settings.tenants
    if source.query and source.query_url:
        return _from_query(settings)
    if source.ssm_path:
        from ebhook.fleet.aws_sources import from_parameters  # boto3 takes a quarter of a second

        return from_parameters(settings)
    if source.secrets or source.secrets_prefix or source.secrets_tag:
        from ebhook.fleet.aws_sources import from_secrets

        return from_secrets(settings)
    if source.url is None:
        raise SettingsFailed(
            "No tenants are set.",
            "No database was contacted.",
            then(
                "Give tenants.url and tenants.names in ebhook.toml, or EBHOOK_TENANTS_URL and "
                "EBHOOK_TENANTS_NAMES; see: ",
                ebhook("config"),
            ),
        )
    if source.like:
        return _from_server(settings)
    if source.names:
        return [Tenant(name, fill(source.url.reveal(), name)) for name in source.names]
    url = parse_url(source.url.reveal())
    if url.database is None:
        raise SettingsFailed(
            f"tenants.url names no database: {url}",
            "No database was contacted.",
            then(
                "Put it at the URL's end, or {tenant} and a list of names; see: ", ebhook("config")
            ),
        )
    return [Tenant(url.database, url)]


def _logged_in(urls: Iterable[Url], settings: Settings) -> list[Url]:
    """The URLs with what their connections need besides: TLS, and tokens."""
    found = [secured(url, settings.tls, settings.root) for url in urls]
    if settings.tenants.iam:
        from ebhook.fleet.aws_sources import with_tokens

        found = with_tokens(found, settings)
    return found


def select(tenants: Sequence[Tenant], names: Iterable[str]) -> list[Tenant]:
    """The tenants that were asked for by name, in configured order; all of them when none was."""
    wanted = list(dict.fromkeys(names))
    known = {tenant.name: tenant for tenant in tenants}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        close = difflib.get_close_matches(unknown[0].lower(), known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageFailed(
            f"There is no tenant {', '.join(map(repr, unknown))}.{hint}",
            next=then("See which there are: ", ebhook("status")),
        )
    return [tenant for tenant in tenants if not wanted or tenant.name in wanted]


def _from_query(settings: Settings) -> list[Tenant]:
    source = settings.tenants
    assert source.query is not None
    assert source.query_url is not None
    url = parse_url(source.query_url.reveal())
    found: list[Tenant] = []
    for number, row in enumerate(_ask(settings, url, url.database, source.query), start=1):
        name, own = _text(row[0]), _text(row[1]) if len(row) > 1 else ""
        try:
            if own:
                found.append(Tenant(name, fill(own, name)))
            elif source.url is not None:
                found.append(Tenant(name, fill(source.url.reveal(), name)))
            else:
                raise UrlInvalid("has no url, and tenants.url is not set")
        except UrlInvalid as error:
            raise SettingsFailed(
                f"tenants.query: row {number} ({name!r}) {error}.",
                next="Mend the registry's row, or set tenants.url",
            ) from None
    return found


def _from_server(settings: Settings) -> list[Tenant]:
    source = settings.tenants
    assert source.url is not None
    assert source.like is not None
    url = replace(fill(source.url.reveal(), "x"), database=None)
    found = _ask(settings, url, None, "SHOW DATABASES LIKE %s", source.like)
    names = sorted(str(row[0]) for row in found)
    return [Tenant(n, fill(source.url.reveal(), n)) for n in names if n.lower() not in _SYSTEM]


def _ask(
    settings: Settings, url: Url, database: str | None, sql: str, *values: object
) -> list[tuple[object, ...]]:
    shared = settings.tenants.password_secret
    if shared and "{tenant}" not in shared and not url.password:
        from ebhook.fleet.aws_sources import with_passwords

        url = with_passwords([Tenant("", url)], settings)[0].url
    (url,) = _logged_in([url], settings)
    connection = connect_patiently(
        url,
        database=database,
        timeout=settings.connect_timeout,
        deadline=time.monotonic() + settings.rollout.deadline,
    )
    try:
        return rows(connection, sql, *values)
    except MySQLError as error:
        raise explain(error, url, database) from None
    finally:
        connection.close()


def _check(tenants: Sequence[Tenant]) -> None:
    """No name and no database twice, and every database's name one that MySQL can have."""
    problems: list[str] = []
    names: set[str] = set()
    places: dict[tuple[str, int, str], str] = {}
    for tenant in tenants:
        name = tenant.url.database or ""
        if not name or len(name) > 64 or name.endswith(" ") or any(_foreign(c) for c in name):
            problems.append(
                f"{tenant.name!r}: MySQL cannot have a database {name!r} (1 to 64 characters, none "
                "beyond U+FFFF, no space at the end)"
            )
        if tenant.name in names:
            problems.append(f"{tenant.name!r}: is listed twice")
        names.add(tenant.name)
        place = (tenant.url.host, tenant.url.port, name)
        if places.setdefault(place, tenant.name) != tenant.name:
            problems.append(f"{tenant.name!r} and {places[place]!r} are the same database")
    if problems:
        raise SettingsFailed(
            "The list of tenants has problems:\n" + "\n".join(f"  - {line}" for line in problems),
            "No tenant was touched.",
            then("Mend the list; see where it comes from: ", ebhook("config")),
        )


def _text(value: object) -> str:
    """A registry's value; a BINARY column's, too."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _foreign(character: str) -> bool:
    return character == "\0" or ord(character) > 0xFFFF
