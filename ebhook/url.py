"""SQLAlchemy database URLs, read without importing SQLAlchemy (a quarter of a second at boot).

The grammar is `sqlalchemy.engine.make_url`'s; the tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode

from ebhook.secret import Secret

DRIVERS = ("mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql")

_GRAMMAR = re.compile(
    r"""
    (?P<driver>[\w+]+)://
    (?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?
    (?:(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>[^/?]*))?)?
    (?:/(?P<database>[^?]*))?
    (?:\?(?P<query>.*))?
    """,
    re.X | re.S,
)


class UrlInvalid(ValueError):
    """Not a URL that ebhook can use. The message never contains the URL."""


@dataclass(frozen=True)
class Url:
    """One MySQL database and how to log in there; `options` are the URL's query."""

    host: str = "localhost"
    port: int = 3306
    user: str | None = None
    password: Secret | None = None
    database: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def reveal(self) -> str:
        """The whole URL, password included: for SQLAlchemy, never for a person or a log."""
        password = self.password
        written = quote(password.reveal(), safe="") if password is not None else None
        return self._written(written, self.options)

    def __str__(self) -> str:
        shown = {k: "***" if "pass" in k else v for k, v in self.options.items()}
        return self._written("***" if self.password is not None else None, shown)

    def _written(self, password: str | None, options: Mapping[str, str]) -> str:
        login = quote(self.user, safe="") if self.user is not None else ""
        login += ":" + password if password is not None else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = "?" + urlencode(options, safe="*") if options else ""
        return (
            f"mysql+pymysql://{login}{'@' if login else ''}{host}:{self.port}"
            f"/{quote(self.database or '', safe='')}{query}"
        )


def parse_url(text: str) -> Url:
    """The parts of a SQLAlchemy URL for MySQL or MariaDB; raises `UrlInvalid`."""
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise UrlInvalid("is not a database URL (mysql+pymysql://user:password@host:port/name)")
    if match["driver"] not in DRIVERS:
        raise UrlInvalid(f"names the driver {match['driver']!r}; ebhook speaks {DRIVERS[1]!r}")
    if match["password"] is not None and "@" in match.string[match.end("password") + 1 :]:
        # Read as it stands, a part of the password would be the host, and be shown.
        raise UrlInvalid("has more than one @; write the one in the password as %40")
    port = match["port"] or "3306"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UrlInvalid("has a port that is not a number from 1 to 65535")
    return Url(
        host=match["ipv6"] or match["host"] or "localhost",
        port=int(port),
        user=unquote(match["user"]) if match["user"] is not None else None,
        password=Secret(unquote(match["password"])) if match["password"] is not None else None,
        database=unquote(match["database"]) if match["database"] else None,
        options=dict(parse_qsl(match["query"] or "")),
    )


def fill(template: str, tenant: str) -> Url:
    """The URL of one tenant: ``{tenant}`` replaced by its percent-encoded name."""
    return parse_url(template.replace("{tenant}", quote(tenant, safe="")))
