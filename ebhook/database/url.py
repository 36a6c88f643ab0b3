"""SQLAlchemy database URLs, read without importing SQLAlchemy (a quarter of a second at boot).

The grammar is `sqlalchemy.engine.make_url`'s; the tests hold the two against each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode

from ebhook.database.credential import Credential
from ebhook.secret import Secret

if TYPE_CHECKING:
    import sqlalchemy

# What a URL may begin with. ebhook connects by PyMySQL; the driver is the one that env.py's engine has.
DRIVERS = tuple(
    f"{dialect}{driver}"
    for dialect in ("mysql", "mariadb")
    for driver in ("", "+pymysql", "+mysqldb", "+mysqlconnector", "+aiomysql", "+asyncmy")
)

# What a URL may ask of a connection: the names are PyMySQL's and SQLAlchemy's.
OPTIONS = frozenset({
    "bind_address", "charset", "collation", "init_command", "program_name", "server_public_key",
    "sql_mode", "ssl_ca", "ssl_capath", "ssl_cert", "ssl_check_hostname", "ssl_cipher", "ssl_key",
    "ssl_key_password", "ssl_verify_cert", "ssl_verify_identity", "unix_socket",
})  # fmt: skip
# Others that PyMySQL knows, and what to do instead.
_INSTEAD = {
    **dict.fromkeys(("user", "password", "passwd"), "write the login before the @"),
    **dict.fromkeys(("host", "port", "db", "database"), "write the place before the ?"),
    "connect_timeout": "set connect_timeout",
    **dict.fromkeys(("read_timeout", "write_timeout"), "leave it out: a long ALTER is silent"),
    "autocommit": "leave it out: ebhook commits by itself",
}
# How other drivers spell that TLS is wanted. Left unread, the connection would be in clear.
_TLS = re.compile(
    r"(use_?)?(ssl|tls)([_-]?mode)?|ssl_disabled|require_?ssl|verify_?server_?certificate", re.I
)

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
    credential: Credential | None = None  # keeps or makes the password
    driver: str = "mysql+pymysql"  # SQLAlchemy's name for dialect and driver

    def for_sqlalchemy(self) -> sqlalchemy.URL:
        """The same as SQLAlchemy's own, password included: its releases differ in how they write the
        name of a database."""
        from sqlalchemy import URL

        return URL.create(
            self.driver,
            username=self.user,
            password=self.password.reveal() if self.password is not None else None,
            host=self.host,
            port=self.port,
            database=self.database,
            query=self.options,
        )

    def __str__(self) -> str:
        login = quote(self.user, safe="") if self.user is not None else ""
        login += ":***" if self.password is not None else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        options = {k: "***" if "pass" in k else v for k, v in self.options.items()}
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
    options = dict(parse_qsl(match["query"] or ""))
    host = match["ipv6"] or match["host"] or "localhost"
    _check_host(host)
    _check_options(options)
    _check_charset(options.get("charset"))
    return Url(
        host=host,
        port=int(port),
        user=unquote(match["user"]) if match["user"] is not None else None,
        password=Secret(unquote(match["password"])) if match["password"] is not None else None,
        database=unquote(match["database"]) if match["database"] else None,
        options=options,
        driver=match["driver"] if "+" in match["driver"] else f"{match['driver']}+pymysql",
    )


def _check_options(options: Mapping[str, str]) -> None:
    """An option that nobody reads would be a demand that nobody meets."""
    for name in options:
        if name in OPTIONS:
            continue
        if _TLS.fullmatch(name):
            raise UrlInvalid(
                f"has the option {name!r}, which ebhook does not read; say ssl_ca=FILE in the URL, or "
                "set tls.ca and tls.verify"
            )
        if name in _INSTEAD:
            raise UrlInvalid(f"has the option {name!r}; {_INSTEAD[name]}")
        from difflib import get_close_matches  # late: hardly ever needed

        close = get_close_matches(name, OPTIONS, n=1)
        meant = f" (did you mean {close[0]!r}?)" if close else ""
        raise UrlInvalid(
            f"has the option {name[:40]!r}, which is not known{meant}; known are "
            f"{', '.join(sorted(OPTIONS))}"
        )


def _check_host(host: str) -> None:
    """What cannot be looked up is no OSError of Python's, and nobody below expects another."""
    if host.isascii():
        fine = all(0 < len(part) < 64 for part in host.removesuffix(".").split("."))
    else:
        try:
            fine = bool(host.encode("idna"))
        except UnicodeError:
            fine = False
    if not fine:
        raise UrlInvalid("has a host name with a part that is empty, or of more than 63 characters")


def _check_charset(charset: str | None) -> None:
    if charset:
        from pymysql.charset import charset_by_name

        try:
            known = charset_by_name(charset)
        except KeyError:
            known = None
        if known is None:
            raise UrlInvalid(f"has a charset that PyMySQL does not know: {charset!r}")


def fill(template: str, tenant: str) -> Url:
    """The URL of one tenant: ``{tenant}`` replaced by its percent-encoded name."""
    return parse_url(template.replace("{tenant}", quote(tenant, safe="")))


@dataclass(frozen=True)
class Login:
    """What a parameter or a secret says of a database; None for what it leaves open."""

    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: Secret | None = None
    database: str | None = None
    tenant: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def over(self, url: Url) -> Url:
        """`url` with what is said here in place of its own."""
        return replace(
            url,
            host=self.host or url.host,
            port=self.port or url.port,
            user=self.user or url.user,
            password=self.password or url.password,
            database=self.database or url.database,
            options={**url.options, **self.options},
        )


def read_login(text: str) -> Login:
    """A URL, the JSON of a database's secret (as RDS writes it), or a password alone.

    Raises:
        UrlInvalid: neither; the message never contains the text.
    """
    if not text:
        raise UrlInvalid("is empty, or holds bytes")
    if text.strip().startswith(tuple(f"{driver}://" for driver in DRIVERS)):
        url = parse_url(text)
        return Login(url.host, url.port, url.user, url.password, url.database, options=url.options)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Login(password=Secret(text))
    return login_of(document)


def login_of(fields: Mapping[str, object]) -> Login:
    """A `Login` from the fields of a database's secret; others are left alone.

    The names are RDS's own (``username``, ``dbname``), or the short ones that people write.

    Raises:
        UrlInvalid: the secret is of another kind of database, or its port is no number.
    """
    said = {key: str(value) for key, value in fields.items() if value not in (None, "")}
    engine = said.get("engine", "mysql")
    if engine not in ("mysql", "mariadb", "aurora", "aurora-mysql"):
        raise UrlInvalid(f"is of a database of another kind ({engine!r})")
    port = said.get("port")
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise UrlInvalid("has a port that is not a number from 1 to 65535")
    _check_host(said.get("host", "localhost"))
    return Login(
        host=said.get("host"),
        port=int(port) if port is not None else None,
        user=said.get("username") or said.get("user"),
        password=Secret(said["password"]) if "password" in said else None,
        database=said.get("dbname") or said.get("database"),
        tenant=said.get("tenant"),
    )
