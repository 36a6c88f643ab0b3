"""TLS: what a server has to prove before a password goes to it.

What is demanded travels in a URL's options, spelled so that SQLAlchemy and PyMySQL, to whom env.py
may give the URL, understand the same:

    ``ssl_ca=FILE``                             chain and host name are verified (full)
    ``ssl_ca=FILE&ssl_check_hostname=false``    the chain alone (ca)
    ``ssl_check_hostname=false``                encrypted, nothing is verified (off)

PyMySQL has traps, all of them avoided here by making the SSL context ourselves: ``ssl_ca`` as an
argument encrypts but verifies nothing; with ``ssl_verify_cert`` in a URL the CA is thrown away; before
1.2 a server that offers no TLS gets the password without; and mysql_clear_password is answered
whatever the connection is.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError

from ebhook.errors import Refused
from ebhook.next_command import ebhook, then

_FILES = ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key")
_VERIFY = ("ssl_verify_cert", "ssl_verify_identity")


def demanded(options: Mapping[str, str]) -> str | None:
    """``full``, ``ca`` or ``off``, from a URL's options; None when TLS is left to the server."""
    named = {name for name in options if name.startswith("ssl_")} - {"ssl_disabled"}
    if not named:
        return None
    if not {"ssl_ca", "ssl_capath"} & named:
        return "off"
    return "ca" if _false(options.get("ssl_check_hostname", "")) else "full"


def context_of(options: Mapping[str, str]) -> ssl.SSLContext | None:
    """The context for what a URL's options demand; None when they demand nothing.

    Raises:
        Refused: a certificate file cannot be read.
    """
    if demanded(options) is None:
        return None
    try:
        return _context(tuple(sorted(o for o in options.items() if o[0].startswith("ssl_"))))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = ", ".join(options[name] for name in _FILES if name in options)
        raise Refused(
            f"{files}: cannot be used for TLS: {error}.",
            "No connection was made.",
            then("Look at tls.ca, or at the URL's ssl_… options: ", ebhook("doctor")),
        ) from None


@functools.lru_cache(maxsize=8)
def _context(options: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    """Made once for all tenants: reading a bundle of certificates takes longer than a login."""
    named = dict(options)
    verify = demanded(named)
    ca, capath = named.get("ssl_ca"), named.get("ssl_capath")
    if ca is not None and Path(ca).is_dir():
        ca, capath = None, ca
    context = ssl.create_default_context(cafile=ca, capath=capath)
    # As PyMySQL: the certificates of older servers lack what RFC 5280 wants in them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = verify == "full"
    context.verify_mode = ssl.CERT_NONE if verify == "off" else ssl.CERT_REQUIRED
    if named.get("ssl_cert"):
        # A key that needs a passphrase must not ask for it on the terminal.
        passphrase = named.get("ssl_key_password", "")
        context.load_cert_chain(named["ssl_cert"], named.get("ssl_key"), lambda: passphrase)
    if named.get("ssl_cipher"):
        context.set_ciphers(named["ssl_cipher"])
    return context


@functools.lru_cache(maxsize=1)
def preferred() -> ssl.SSLContext:
    """For a server that offers TLS where nobody demands it: encrypted, and nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _false(text: str) -> bool:
    return text.lower() in ("false", "0", "no", "off")


def insist(connection: Any, context: ssl.SSLContext | None) -> None:
    """Before anything is sent: a server that offers no TLS does not get the password.

    Args:
        connection: PyMySQL's, just after the server's greeting.
    """
    if context is not None and not connection.server_capabilities & CLIENT.SSL:
        raise OperationalError(
            CR.CR_SSL_CONNECTION_ERROR, "TLS is demanded, and the server offers none"
        )


class ClearPassword:
    """Answers mysql_clear_password, which RDS asks for when the password is a token: only to a
    server that has proved who it is. PyMySQL makes one when a server asks."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def authenticate(self, packet: Any) -> Any:
        sock = self._connection._sock
        if not isinstance(sock, ssl.SSLSocket) or sock.context.verify_mode != ssl.CERT_REQUIRED:
            raise OperationalError(
                CR.CR_AUTH_PLUGIN_ERR,
                "it asks for the password in clear, on a connection that is not verified",
            )
        self._connection.write_packet(self._connection.password + b"\0")
        return self._connection._read_packet()


def problem_of(error: BaseException) -> str | None:
    """What is wrong with a server's certificate or its TLS, in words; None for all other errors."""
    cause = getattr(error, "original_exception", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError) and not isinstance(
        cause, ssl.SSLEOFError | ssl.SSLZeroReturnError
    ):
        return f"it does not agree on TLS: {cause.reason or cause}"
    if isinstance(error, OperationalError) and error.args[:1] in (
        (CR.CR_SSL_CONNECTION_ERROR,),
        (CR.CR_AUTH_PLUGIN_ERR,),
    ):
        return str(error.args[1])
    return None


def in_use(connection: Any) -> str:
    """What a connection really has: protocol and cipher as the server says, and what was verified."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version', 'Ssl_cipher')")
        said = dict(cursor.fetchall())
    if not said.get("Ssl_cipher"):
        return "not encrypted"
    sock = connection._sock
    verified = "nothing of the server verified"
    if isinstance(sock, ssl.SSLSocket) and sock.context.verify_mode == ssl.CERT_REQUIRED:
        verified = "certificate verified"
        if sock.context.check_hostname:
            verified = "certificate and host name verified"
    return f"{said.get('Ssl_version')} {said['Ssl_cipher']}, {verified}"
