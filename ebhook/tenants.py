"""Which tenants there are, and where: from the settings, a registry database, or the server."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pymysql.err import MySQLError

from ebhook.database import Tenant, connect_patiently, explain, rows
from ebhook.errors import SettingsFailed, UsageFailed
from ebhook.settings import Settings
from ebhook.url import Url, UrlInvalid, fill, parse_url

_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys", "innodb")


def discover(settings: Settings) -> list[Tenant]:
    """All tenants in their configured order (a database's own order for `query`, by name for `like`).

    Raises:
        SettingsFailed: no source is set, or a source gives what cannot be a tenant.
        Unreachable, Refused: the registry or the server did not answer.
    """
    source = settings.tenants
    if source.query and source.query_url:
        found = _from_query(settings)
    elif source.url is None:
        raise SettingsFailed(
            "No tenants are set.",
            "No database was contacted.",
            "Give tenants.url and tenants.names in ebhook.toml, or EBHOOK_TENANTS_URL and "
            "EBHOOK_TENANTS_NAMES; see: ebhook config",
        )
    elif source.like:
        found = _from_server(settings)
    elif source.names:
        found = [Tenant(name, fill(source.url.reveal(), name)) for name in source.names]
    else:
        url = parse_url(source.url.reveal())
        if url.database is None:
            raise SettingsFailed(
                f"tenants.url names no database: {url}",
                "No database was contacted.",
                "Put it at the URL's end, or {tenant} and a list of names; see: ebhook config",
            )
        found = [Tenant(url.database, url)]
    if not found:
        raise SettingsFailed(
            f"No tenant was found by tenants.{'query' if source.query else 'like'}.",
            next="Check it against the server: ebhook config",
        )
    _check(found)
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
            next="See which there are: ebhook status",
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
            "Mend the list; see where it comes from: ebhook config",
        )


def _text(value: object) -> str:
    """A registry's value; a BINARY column's, too."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _foreign(character: str) -> bool:
    return character == "\0" or ord(character) > 0xFFFF
