"""Database URLs: read as SQLAlchemy reads them, written back whole, shown without the password."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
import sqlalchemy
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import URL, make_url

from ebhook.database.url import DRIVERS, OPTIONS, Url, UrlInvalid, fill, parse_url
from ebhook.secret import Secret

PASSWORD = "p@ss:w/ord%41#?é☂"

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
hosts = st.one_of(
    st.from_regex(r"[a-z0-9-]{1,12}([.][a-z0-9-]{1,12}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
options = st.dictionaries(st.sampled_from(sorted(OPTIONS - {"charset"})), texts, max_size=3)


@st.composite
def urls(draw: st.DrawFn) -> str:
    """URLs as people and programs write them: every part may be absent but the driver."""
    text = draw(st.sampled_from(DRIVERS)) + "://"
    if draw(st.booleans()):
        text += quote(draw(texts), safe="")
        if draw(st.booleans()):
            text += ":" + quote(draw(texts), safe="")
        text += "@"
    if draw(st.booleans()):
        host = draw(hosts)
        text += f"[{host}]" if ":" in host else host
        if draw(st.booleans()):
            text += f":{draw(st.integers(1, 65535))}"
    if draw(st.booleans()):
        text += "/" + quote(draw(st.text(st.characters(exclude_categories=["Cs"]))), safe="")
    if query := draw(options):
        text += "?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return text


def parts(url: str | URL) -> dict[str, Any]:
    """What SQLAlchemy reads in a URL, with the defaults of PyMySQL where it says nothing."""
    read = make_url(url)
    if isinstance(url, str) and sqlalchemy.__version__.startswith("2.0"):
        # Which leaves the name of a database as it is written; later ones decode it, as all the rest.
        read = read.set(database=unquote(read.database or ""))
    return {
        "host": read.host or "localhost",
        "port": read.port or 3306,
        "user": read.username,
        "password": read.password,
        "database": read.database or None,
        "options": dict(read.query),
    }


def our_parts(url: Url) -> dict[str, Any]:
    return {
        "host": url.host,
        "port": url.port,
        "user": url.user,
        "password": url.password.reveal() if url.password is not None else None,
        "database": url.database,
        "options": dict(url.options),
    }


# --- reading ---------------------------------------------------------------------------------


@given(urls())
@example("mysql://")
@example("mysql:///acme")
@example("mysql://@h")
@example("mysql://u:@h/acme")
@example("mysql+pymysql://u:p:q/r#s%zz?t@h:3306/acme?ssl_ca=/x/y.pem&charset=utf8mb4")
@example("mysql+pymysql://u:%40%3A%2F%25%23@[2001:db8::1]:3307/a%2Fb?unix_socket=/run/a%20b")
@example("mysql://u:p+q@h/a+b?program_name=a+b&sql_mode=")
def test_it_reads_what_sqlalchemy_reads(text: str) -> None:
    """Host, port, user, password, database and options are those of make_url."""
    assert our_parts(parse_url(text)) == parts(text)


@given(urls())
@example("mysql+pymysql://u:p:q/r#s%zz@h/acme")
def test_sqlalchemy_is_given_the_whole(text: str) -> None:
    """What is handed to SQLAlchemy has the same parts."""
    url = parse_url(text)

    read = parts(url.for_sqlalchemy())
    assert {**read, "user": read["user"] or None} == {
        **our_parts(url),
        "user": url.user or None,
    }


@given(user=texts, password=texts, host=hosts, database=texts)
def test_any_password_can_be_written(user: str, password: str, host: str, database: str) -> None:
    """Percent-encoded, every character is possible in every part."""
    place = f"[{host}]" if ":" in host else host
    text = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@{place}/{quote(database, safe='')}"

    url = parse_url(text)

    assert (url.user, url.password, url.host) == (user, Secret(password), host)
    assert url.database == database


@pytest.mark.parametrize("text", [" mysql://h/acme", "mysql://h/acme\n", "mysql://h/acme "])
def test_blanks_around_it_do_not_count(text: str) -> None:
    """A line end that came along when a variable was pasted is no part of the name."""
    assert parse_url(text).database == "acme"


@pytest.mark.parametrize("host", ["h.", "grün.example", "10.0.0.1", "a_b.example", "x" * 63])
def test_hosts_that_can_be_looked_up(host: str) -> None:
    """Whether they are there is another question."""
    assert parse_url(f"mysql://{host}/acme?charset=utf8mb4").host == host


# --- refusing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a database URL"),
        ("acme", "is not a database URL"),
        ("h:3306/acme", "is not a database URL"),
        ("mysql:/h/acme", "is not a database URL"),
        ("postgresql://h/acme", "names the driver 'postgresql'"),
        ("mysql+pyodbc://h/acme", "names the driver 'mysql+pyodbc'"),
        ("mysql://h:0/acme", "has a port that is not a number from 1 to 65535"),
        ("mysql://h:65536/acme", "has a port that is not a number from 1 to 65535"),
        ("mysql://h:x/acme", "has a port that is not a number from 1 to 65535"),
        ("mysql://h:٣٣/acme", "has a port that is not a number from 1 to 65535"),
        ("mysql://-h..:1/acme", "has a host name with a part that is empty"),
        (f"mysql://{'h' * 64}/acme", "has a host name with a part that is empty"),
        (f"mysql://{'ü' * 64}/acme", "has a host name with a part that is empty"),
        ("mysql://h/acme?charset=utf9", "has a charset that PyMySQL does not know: 'utf9'"),
        (
            "mysql://h/acme?sslmode=require",
            "has the option 'sslmode', which ebhook does not read; say",
        ),
        (
            "mysql://h/acme?ssl-mode=REQUIRED",
            "has the option 'ssl-mode', which ebhook does not read",
        ),
        ("mysql://h/acme?ssl=true", "has the option 'ssl', which ebhook does not read; say ssl_ca"),
        ("mysql://h/acme?tls=true", "has the option 'tls', which ebhook does not read; say ssl_ca"),
        ("mysql://h/acme?useSSL=true", "has the option 'useSSL', which ebhook does not read; say"),
        (
            "mysql://h/acme?ssl_disabled=1",
            "has the option 'ssl_disabled', which ebhook does not read",
        ),
        (
            "mysql://h/acme?ssl_caa=/x",
            "has the option 'ssl_caa', which is not known .did you mean 'ssl_ca'",
        ),
        (
            "mysql://h/acme?x=1",
            "has the option 'x', which is not known; known are bind_address, ch",
        ),
        ("mysql://h/acme?password=p", "has the option 'password'; write the login before the @"),
        ("mysql://u:p@q@h/acme", "has more than one @; write the one in the password as %40"),
        ("mysql://u:p@q/r@h/acme", "has more than one @; write the one in the password as %40"),
        ("mysql://u:p@q?r@h/acme", "has more than one @; write the one in the password as %40"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, complaint: str) -> None:
    """With the reason, which is never the URL itself."""
    with pytest.raises(UrlInvalid, match=f"^{complaint.replace('+', '[+]')}") as failure:
        parse_url(text)

    assert "acme" not in str(failure.value)


@given(st.text(max_size=60), st.text(st.characters(exclude_characters="@"), max_size=20))
def test_a_refusal_never_shows_the_password(password: str, rest: str) -> None:
    """Whatever is wrong with a URL, what stands after the first colon of its login stays hidden."""
    try:
        shown = str(parse_url(f"mysql://app:hunter2{password}secret@{rest}"))
    except UrlInvalid as error:
        shown = str(error)

    assert "hunter2" not in shown
    assert "secret" not in shown


# --- showing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{!r}".format])
def test_shown_it_hides_the_password(show: Any) -> None:
    """str and repr have stars; also for a password among the options."""
    text = f"mysql://app:{quote(PASSWORD, safe='')}@h/acme?ssl_key_password=hunter2&charset=utf8mb4"

    shown = show(parse_url(text))

    assert PASSWORD not in shown
    assert quote(PASSWORD, safe="") not in shown
    assert "hunter2" not in shown
    assert "***" in shown


def test_shown_it_says_all_the_rest() -> None:
    """Everything but the password is worth seeing."""
    text = "mysql://app:x@[::1]:3307/acme?charset=utf8mb4"

    assert str(parse_url(text)) == "mysql+pymysql://app:***@[::1]:3307/acme?charset=utf8mb4"
    assert str(parse_url("mysql://h/acme")) == "mysql+pymysql://h:3306/acme"


# --- templates -------------------------------------------------------------------------------


@given(texts)
@example("o'hara & söhne")
@example("100%")
@example("a/b?c#d@e:f")
@example("{tenant}")
@example("`; DROP DATABASE x")
def test_any_tenant_fits_a_template(tenant: str) -> None:
    """A tenant's name is encoded into the URL: it comes out as it went in, and changes nothing else."""
    url = fill("mysql+pymysql://app:p%25w@h:3307/{tenant}?charset=utf8mb4", tenant)

    assert url.database == tenant
    assert (url.host, url.port, url.password) == ("h", 3307, Secret("p%w"))
    assert url.options == {"charset": "utf8mb4"}
    assert url.for_sqlalchemy().database == tenant


def test_a_template_may_have_more_around_it() -> None:
    """A prefix, a user per tenant, a host per tenant."""
    url = fill("mysql://{tenant}_app@{tenant}.db.example/agency_{tenant}", "acme")

    assert (url.user, url.host, url.database) == ("acme_app", "acme.db.example", "agency_acme")
