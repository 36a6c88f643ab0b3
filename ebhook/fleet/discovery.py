"""Which tenants there are, and where: from the settings, a registry database, or the server."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pymysql.err import MySQLError

from ebhook.database.connection import connect_patiently, explain, rows
from ebhook.database.credential import BrokenCredential
from ebhook.database.url import Url, UrlInvalid, fill, parse_url
from ebhook.errors import Refused, SettingsFailed, Transient, UsageFailed
from ebhook.fleet.broken import broken, is_broken, usable_or_broken
from ebhook.fleet.tls_policy import secured
from ebhook.next_command import ebhook, then
from ebhook.settings import SOURCES, Settings, value_of
from ebhook.tenant import Tenant

_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys", "innodb")


def discover(settings: Settings, deadline: float | None = None) -> list[Tenant]:
    """All tenants in their configured order (a database's own order for `query`, by name for `like`).

    What a registry, a parameter or a secret says of one tenant and cannot be used is that tenant's
    matter: it is in the list, and whoever connects to it gets the problem.

    Args:
        deadline: monotonic seconds, until which a source that refuses for now is asked again; without
            it, `rollout.deadline` from now on.

    Raises:
        SettingsFailed: no source is set, or the settings themselves give what cannot be a tenant.
        Unreachable, Transient, Refused: the registry, the server or AWS gave no list.
    """
    if deadline is None:
        deadline = time.monotonic() + settings.rollout.deadline
    try:
        return _discovered(settings, deadline)
    except Transient:
        from ebhook.database.retry import retrying  # late: most sources answer at once

        return retrying(on=Transient, attempts=1000, deadline=deadline, first=0.5)(
            _discovered, settings, deadline
        )


def _discovered(settings: Settings, deadline: float) -> list[Tenant]:
    found = _found(settings, deadline)
    if not found:
        source = next(key for key in SOURCES if value_of(settings, key))
        raise SettingsFailed(
            f"No tenant was found by {source}.",
            next=then("Check it against what it asks: ", ebhook("config")),
        )
    written = not any(value_of(settings, key) for key in SOURCES) or bool(settings.tenants.names)
    found = _checked(found, written=written)
    if settings.tenants.password_secret:
        from ebhook.fleet.aws_sources import with_passwords

        usable = iter(with_passwords([t for t in found if not is_broken(t)], settings))
        found = [tenant if is_broken(tenant) else next(usable) for tenant in found]
    return [_logged_in(tenant, settings, written=written) for tenant in found]


def _found(settings: Settings, deadline: float) -> list[Tenant]:
    """The tenants as their source gives them."""
    source = settings.tenants
    if source.query and source.query_url:
        return _from_query(settings, deadline)
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
        return _from_server(settings, deadline)
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


def _logged_in(tenant: Tenant, settings: Settings, *, written: bool) -> Tenant:
    """The tenant with what its connections need besides: TLS, and tokens.

    Args:
        written: by whoever wrote the settings: then a problem is theirs.
    """

    def make() -> Tenant:
        return replace(tenant, url=_with_login(tenant.url, settings))

    if is_broken(tenant):
        return tenant
    return make() if written else usable_or_broken(tenant.name, make)


def _with_login(url: Url, settings: Settings) -> Url:
    url = secured(url, settings.tls, settings.root)
    if settings.tenants.iam:
        from ebhook.fleet.aws_sources import with_token

        url = with_token(url, settings)
    return url


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


def _from_query(settings: Settings, deadline: float) -> list[Tenant]:
    source = settings.tenants
    assert source.query is not None
    assert source.query_url is not None
    url = parse_url(source.query_url.reveal())
    found = enumerate(_ask(settings, url, url.database, source.query, deadline=deadline), start=1)
    return [_from_row(settings, number, row) for number, row in found]


def _from_row(settings: Settings, number: int, row: tuple[object, ...]) -> Tenant:
    """The tenant of a registry's row: a name, and perhaps a URL."""
    name, own = _text(row[0]), _text(row[1]) if len(row) > 1 else ""
    group = (_text(row[2]) if len(row) > 2 else "") or None
    template = settings.tenants.url
    try:
        if own:
            return Tenant(name, fill(own, name), group)
        if template is None:
            raise UrlInvalid("has no url, and tenants.url is not set")
        return Tenant(name, fill(template.reveal(), name), group)
    except UrlInvalid as error:
        problem = Refused(
            f"tenants.query: row {number} ({name!r}) {error}.",
            "No database was contacted.",
            "Mend the registry's row, or set tenants.url",
        )
        return broken(name or f"row {number}", problem)


def _from_server(settings: Settings, deadline: float) -> list[Tenant]:
    source = settings.tenants
    assert source.url is not None
    assert source.like is not None
    url = replace(fill(source.url.reveal(), "x"), database=None)
    found = _ask(settings, url, None, "SHOW DATABASES LIKE %s", source.like, deadline=deadline)
    names = sorted(str(row[0]) for row in found)
    return [Tenant(n, fill(source.url.reveal(), n)) for n in names if n.lower() not in _SYSTEM]


def _ask(
    settings: Settings,
    url: Url,
    database: str | None,
    sql: str,
    *values: object,
    deadline: float,
) -> list[tuple[object, ...]]:
    shared = settings.tenants.password_secret
    if shared and "{tenant}" not in shared and not url.password:
        from ebhook.fleet.aws_sources import with_passwords

        url = with_passwords([Tenant("", url)], settings)[0].url
    if not isinstance(url.credential, BrokenCredential):
        url = _with_login(url, settings)
    connection = connect_patiently(
        url, database=database, timeout=settings.connect_timeout, deadline=deadline
    )
    try:
        return rows(connection, sql, *values)
    except MySQLError as error:
        raise explain(error, url, database) from None
    finally:
        connection.close()


def _checked(tenants: Sequence[Tenant], *, written: bool) -> list[Tenant]:
    """The tenants: no name and no database twice, and every database's name one that MySQL can have.

    Args:
        written: by whoever wrote the settings: then a problem is theirs. In a list from elsewhere it is
            the matter of the tenants that it is about.

    Raises:
        SettingsFailed: with every problem, of a list that was written.
    """
    problems: dict[str, str] = {}  # tenant → what is wrong
    checked: dict[str, Tenant] = {}
    places: dict[tuple[str, int, str], str] = {}
    for tenant in tenants:
        name = tenant.url.database or ""
        if not is_broken(tenant) and not _possible(name):
            problems[tenant.name] = (
                f"{tenant.name!r}: MySQL cannot have a database {name!r} (1 to 64 characters, none "
                "beyond U+FFFF, no space at the end)"
            )
        if tenant.name in checked:
            problems[tenant.name] = f"{tenant.name!r}: is listed twice"
        checked.setdefault(tenant.name, tenant)
        place = (tenant.url.host, tenant.url.port, name)
        first = tenant.name if is_broken(tenant) else places.setdefault(place, tenant.name)
        if first != tenant.name:
            same = f"{tenant.name!r} and {first!r} are the same database"
            problems[tenant.name] = problems[first] = same
    if problems and written:
        listed = "\n".join(f"  - {line}" for line in dict.fromkeys(problems.values()))
        raise SettingsFailed(
            f"The list of tenants has problems:\n{listed}",
            "No tenant was touched.",
            then("Mend the list; see where it comes from: ", ebhook("config")),
        )
    return [_refused(t, problems[t.name]) if t.name in problems else t for t in checked.values()]


def _possible(database: str) -> bool:
    """Can MySQL have a database of this name?"""
    fits = 0 < len(database) <= 64 and not database.endswith(" ")
    return fits and not any(_foreign(character) for character in database)


def _refused(tenant: Tenant, problem: str) -> Tenant:
    what = f"The list of tenants has a problem: {problem}."
    next = then("Mend the list; see where it comes from: ", ebhook("config"))
    return broken(tenant.name, Refused(what, "It was not touched.", next))


def _text(value: object) -> str:
    """A registry's value; a BINARY column's, too."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def _foreign(character: str) -> bool:
    return character == "\0" or ord(character) > 0xFFFF
