"""TLS against real servers: what is verified, and the traps on the way there."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest
import sqlalchemy as sa

from ebhook.database import tls
from ebhook.database.connection import connect
from ebhook.database.url import Url, parse_url
from ebhook.errors import Exit, Refused, SettingsFailed
from ebhook.fleet.tls_policy import secured
from ebhook.scratch.installation import Flavour, locate
from ebhook.scratch.packages import fetch
from ebhook.scratch.process import Server
from ebhook.settings import TlsSettings
from tests.conftest import Ebhook
from tests.support.certificates import Authority, authority
from tests.support.fake_tls_servers import Door, is_token_for, opened, stripping

PROJECTS = Path(__file__).parents[1] / "projects"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    made.parent.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def trusted(folder: Path) -> Authority:
    """Who signed the server's certificate."""
    return authority(folder, "trusted")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    """Who did not."""
    return authority(folder, "stranger")


@pytest.fixture(scope="module", params=list(Flavour), ids=str)
def server(request: pytest.FixtureRequest, trusted: Authority) -> Iterator[Server]:
    """A server with a certificate for 127.0.0.1, and a user who may come in by TLS alone."""
    certificate, key = trusted.server(str(request.param))
    options = [f"--ssl-ca={trusted.ca}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
    running = Server(locate(request.param) or fetch(request.param, print), options)
    try:
        running.start()
        with running.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER app@'127.0.0.1' IDENTIFIED BY 'hunter2secret' REQUIRE SSL")
            cursor.execute("GRANT ALL ON *.* TO app@'127.0.0.1'")
            cursor.execute("CREATE DATABASE acme")
        yield running
    finally:
        running.close()


def url_of(server: Server, settings: TlsSettings, query: str = "", host: str = "127.0.0.1") -> Url:
    text = f"mysql+pymysql://app:hunter2secret@{host}:{server.port}/acme{query}"
    return secured(parse_url(text), settings, Path("/"))


def used(url: Url) -> str:
    connection = connect(url, database=None, timeout=10)
    try:
        return tls.in_use(connection)
    finally:
        connection.close()


def context_of(connection: sa.Connection) -> ssl.SSLContext:
    """What a connection of SQLAlchemy's verifies by."""
    context = vars(connection.connection.dbapi_connection)["ctx"]
    assert isinstance(context, ssl.SSLContext)
    return context


# --- what the settings demand --------------------------------------------------------------------


def test_a_ca_means_full(server: Server, trusted: Authority) -> None:
    """As soon as there is a CA, the certificate and the host name have to be right."""
    said = used(url_of(server, TlsSettings(ca=str(trusted.ca))))

    assert said.startswith("TLSv1.")
    assert said.endswith("certificate and host name verified")


@pytest.mark.parametrize("verify", ["full", "ca"])
def test_another_authority_is_refused(server: Server, stranger: Authority, verify: Any) -> None:
    """And at once: trying again mends no certificate."""
    with pytest.raises(Refused) as failure:
        used(url_of(server, TlsSettings(ca=str(stranger.ca), verify=verify)))

    assert "certificate is not trusted" in failure.value.what
    assert "ebhook doctor" in str(failure.value.next)


def test_another_host_name_is_refused(server: Server, trusted: Authority) -> None:
    """A certificate of the right authority, for another name, is somebody else's."""
    with pytest.raises(Refused) as failure:
        used(url_of(server, TlsSettings(ca=str(trusted.ca)), host="localhost"))

    assert "localhost" in failure.value.what

    said = used(url_of(server, TlsSettings(ca=str(trusted.ca), verify="ca"), host="localhost"))
    assert said.endswith("certificate verified")


def test_off_encrypts_all_the_same(server: Server) -> None:
    """And says that nothing was verified."""
    said = used(url_of(server, TlsSettings(verify="off")))

    assert said.startswith("TLSv1.")
    assert said.endswith("nothing of the server verified")


def test_full_without_a_ca_asks_the_machine(server: Server) -> None:
    """The machine's own authorities did not sign this one."""
    with pytest.raises(Refused, match="certificate is not trusted"):
        used(url_of(server, TlsSettings(verify="full")))


def test_a_url_says_it_for_itself(server: Server, trusted: Authority, stranger: Authority) -> None:
    """What a URL demands counts more than the settings."""
    said = used(url_of(server, TlsSettings(ca=str(stranger.ca)), f"?ssl_ca={trusted.ca}"))

    assert said.endswith("certificate and host name verified")


# --- PyMySQL's traps -----------------------------------------------------------------------------


def test_ssl_ca_as_an_argument_verifies_nothing(server: Server, stranger: Authority) -> None:
    """PyMySQL alone takes any certificate for it."""
    login = {"host": "127.0.0.1", "port": server.port, "user": "app", "password": "hunter2secret"}
    pymysql.connect(**login, ssl_ca=str(stranger.ca)).close()  # type: ignore[call-overload]

    with pytest.raises(Refused, match="not trusted"):
        used(url_of(server, TlsSettings(), f"?ssl_ca={stranger.ca}"))


@pytest.mark.parametrize("option", ["ssl_verify_cert=true", "ssl_verify_identity=true"])
def test_verifying_throws_the_ca_away(
    server: Server, trusted: Authority, stranger: Authority, option: str
) -> None:
    """SQLAlchemy and PyMySQL together forget the CA of a URL that asks them to verify: the right one
    and a wrong one are the same to them, be it that both are refused, or that neither is."""

    def is_refused(ca: Path) -> bool:
        text = f"mysql+pymysql://app:hunter2secret@127.0.0.1:{server.port}/acme"
        engine = sa.create_engine(f"{text}?ssl_ca={ca}&{option}", poolclass=sa.pool.NullPool)
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            return True
        return False

    assert is_refused(trusted.ca) is is_refused(stranger.ca)

    query = f"?ssl_ca={trusted.ca}&{option}"
    url = url_of(server, TlsSettings(), query)
    assert used(url).endswith("certificate and host name verified")
    engine = sa.create_engine(url.for_sqlalchemy(), poolclass=sa.pool.NullPool)
    with engine.connect() as connection:  # what env.py gets means the same to SQLAlchemy
        assert context_of(connection).check_hostname


@pytest.mark.parametrize("verify", ["full", "ca", "off"])
def test_sqlalchemy_understands_the_same(server: Server, trusted: Authority, verify: Any) -> None:
    """env.py may make an engine of a tenant's URL: it verifies what ebhook verifies."""
    settings = TlsSettings(ca=None if verify == "off" else str(trusted.ca), verify=verify)
    engine = sa.create_engine(url_of(server, settings).for_sqlalchemy(), poolclass=sa.pool.NullPool)

    with engine.connect() as connection:
        context = context_of(connection)

    assert context.check_hostname is (verify == "full")
    assert context.verify_mode == (ssl.CERT_NONE if verify == "off" else ssl.CERT_REQUIRED)


@pytest.mark.parametrize("verify", ["full", "off"])
def test_an_offer_that_was_taken_out(server: Server, trusted: Authority, verify: Any) -> None:
    """Somebody in between who says "no TLS here" gets no user name and no password."""
    settings = TlsSettings(ca=None if verify == "off" else str(trusted.ca), verify=verify)
    with stripping(server.port) as (port, sent):
        url = parse_url(f"mysql://app:hunter2secret@127.0.0.1:{port}/acme")
        with pytest.raises(Refused, match="TLS"):
            used(secured(url, settings, Path("/")))

    assert not sent


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_password_in_clear_is_for_the_verified(
    server: Server, stranger: Authority, encrypted: bool
) -> None:
    """A server that asks for the password as it is does not get it before it has proved itself."""
    context = None
    if encrypted:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*stranger.server("impostor"))
    with opened(Door(server.connect, context, lambda user, password: True)) as door:
        url = parse_url(f"mysql://app:hunter2secret@127.0.0.1:{door.port}/acme")
        with pytest.raises(Refused, match="in clear"):
            used(secured(url, TlsSettings(verify="off") if encrypted else TlsSettings(), Path("/")))

    assert door.logins == 1
    assert not door.heard


@pytest.mark.parametrize("password", ["grün", "☂ umbrella", "пароль", "a\\b'c\"d%e@f:g/h?i#j"])
def test_a_password_in_any_script(server: Server, password: str) -> None:
    """PyMySQL would send it in Latin-1: what that has not it cannot send, and what it has, such as ü,
    it sends as the server does not keep it."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER writer@'127.0.0.1' IDENTIFIED BY %s", (password,))
        try:
            url = parse_url(f"mysql://writer:{quote(password)}@127.0.0.1:{server.port}/")
            assert used(secured(url, TlsSettings(verify="off"), Path("/"))).startswith("TLSv1.")
        finally:
            cursor.execute("DROP USER writer@'127.0.0.1'")


# --- without TLS ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """A MySQL that offers no TLS, and keeps passwords by caching_sha2_password."""
    running = Server(
        locate(Flavour.MYSQL) or fetch(Flavour.MYSQL, print), ["--auto-generate-certs=OFF"]
    )
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("password", ["hunter2secret", "☂ umbrella"])
def test_a_first_login_without_tls(plain: Server, password: str) -> None:
    """The server wants the password itself then, and PyMySQL encrypts it by the server's key: with a
    package of which it is not sure that it is there."""
    with plain.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER new@'127.0.0.1' IDENTIFIED BY %s", (password,))
        try:
            url = parse_url(f"mysql://new:{quote(password)}@127.0.0.1:{plain.port}/")
            assert used(url) == "not encrypted"
            assert used(url) == "not encrypted"  # from the server's cache
        finally:
            cursor.execute("DROP USER new@'127.0.0.1'")


@pytest.mark.parametrize("verify", ["full", "ca", "off"])
def test_tls_that_is_not_there(plain: Server, trusted: Authority, verify: Any) -> None:
    """Where it is demanded, there is no going on without."""
    ca = None if verify == "off" else str(trusted.ca)

    with pytest.raises(Refused, match="the server offers none"):
        used(url_of(plain, TlsSettings(ca=ca, verify=verify)))


# --- files ---------------------------------------------------------------------------------------


def test_a_path_starts_at_the_root_of_the_settings(trusted: Authority) -> None:
    """Also for the processes that work in other folders."""
    url = secured(parse_url("mysql://h/x"), TlsSettings(ca="trusted.pem"), trusted.folder)

    assert url.options == {"ssl_ca": str(trusted.ca)}


@pytest.mark.parametrize("query", ["", "?ssl_ca=none.pem"])
def test_a_file_that_is_not_there(folder: Path, query: str) -> None:
    """A mistake of the settings, told before anything is contacted."""
    with pytest.raises(SettingsFailed, match=r"none\.pem"):
        secured(parse_url(f"mysql://h/x{query}"), TlsSettings(ca="none.pem"), folder)


def test_a_file_that_is_no_certificate(server: Server, folder: Path) -> None:
    """It is named."""
    (folder / "empty.pem").write_text("")

    with pytest.raises(Refused, match=r"empty\.pem: cannot be used for TLS"):
        used(url_of(server, TlsSettings(ca=str(folder / "empty.pem"))))


def test_a_certificate_that_is_over(server: Server, trusted: Authority) -> None:
    """The reason is OpenSSL's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trusted.server("over", days=-1))
    with opened(Door(server.connect, context, lambda user, password: True)) as door:
        url = parse_url(f"mysql://app:x@127.0.0.1:{door.port}/acme?ssl_ca={trusted.ca}")
        with pytest.raises(Refused, match="expired"):
            used(url)


# --- the whole -----------------------------------------------------------------------------------


def test_a_boot_over_tls(ebhook: Ebhook, server: Server, trusted: Authority) -> None:
    """Survey, workers and env.py's own engine: nobody comes in without."""
    env = {
        "EBHOOK_TENANTS_URL": f"mysql+pymysql://app:hunter2secret@127.0.0.1:{server.port}/{{tenant}}",
        "EBHOOK_TENANTS_NAMES": "acme",
        "EBHOOK_TLS_CA": str(trusted.ca),
    }

    ran = ebhook("boot", "--json", cwd=PROJECTS / "engine_from_config", env=env)

    assert ran.code == Exit.OK, ran.stderr
    assert ran.json()["tenants"][0]["outcome"] in ("upgraded", "at_head")


def test_a_boot_with_tokens(ebhook: Ebhook, server: Server, trusted: Authority) -> None:
    """Each login has a token of its own, made for this host, port and user, and checked as RDS
    checks it; over TLS that is verified, although no setting says how."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trusted.server("door"))
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS birch")
        cursor.execute("DROP DATABASE IF EXISTS cedar")
        cursor.execute("CREATE DATABASE birch")
        cursor.execute("CREATE DATABASE cedar")
    door = Door(server.connect, context, lambda user, password: False)
    door.admits = is_token_for("127.0.0.1", lambda: door.port, "wJalrXUtnFEMI")
    with opened(door):
        env = {
            "EBHOOK_TENANTS_URL": f"mysql+pymysql://app@127.0.0.1:{door.port}/{{tenant}}",
            "EBHOOK_TENANTS_NAMES": "birch,cedar",
            "EBHOOK_TENANTS_IAM": "true",
            "EBHOOK_TLS_CA": str(trusted.ca),
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
            "AWS_REGION": "eu-west-1",
        }
        ran = ebhook("boot", "--json", cwd=PROJECTS / "linear", env=env)

    assert ran.code == Exit.OK, ran.stderr
    assert [t["outcome"] for t in ran.json()["tenants"]] == ["upgraded", "upgraded"]
    assert len(door.heard) == door.logins >= 3
    assert not any(token in json.dumps(ran.json()) + ran.stderr for token in door.heard)
