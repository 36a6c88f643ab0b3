"""Doors before a MySQL server: one that checks tokens as RDS does, and those of an impostor."""

from __future__ import annotations

import hashlib
import hmac
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from pymysql.connections import Connection
from pymysql.constants import CLIENT

_OFFERED = CLIENT.CAPABILITIES | CLIENT.FOUND_ROWS | CLIENT.CONNECT_WITH_DB | CLIENT.SSL
_CLEAR = b"mysql_clear_password"


@dataclass
class Door:
    """Speaks the first words of MySQL's protocol, asks for the password in clear, and lets those in
    whose password `admits` takes: then they talk to the server behind.

    `heard` has every password that came; `logins` how often somebody knocked.
    """

    behind: Callable[..., Connection[Any]]
    tls: ssl.SSLContext | None
    admits: Callable[[str, str], bool]
    heard: list[str] = field(default_factory=list)
    logins: int = 0
    port: int = 0

    def serve(self, client: socket.socket) -> None:
        self.logins += 1
        with ExitStack() as stack:
            stack.enter_context(client)
            server: Any = self.behind(client_flag=CLIENT.FOUND_ROWS, autocommit=False)
            stack.callback(server.close)
            version, number = server.server_version, int(server.server_thread_id[0])
            _send(client, 0, _greeting(version, number, offers_tls=self.tls is not None))
            sequence, packet = _receive(client)
            if self.tls is not None:
                assert len(packet) == 32, "the client goes on without TLS"
                client = stack.enter_context(self.tls.wrap_socket(client, server_side=True))
                sequence, packet = _receive(client)
            user, database = _login(packet)
            _send(client, sequence + 1, b"\xfe" + _CLEAR + b"\0" + b"\0")
            sequence, packet = _receive(client)
            password = packet.removesuffix(b"\0").decode()
            self.heard.append(password)
            if not self.admits(user, password):
                said = b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied for the token"
                _send(client, sequence + 1, said)
                return
            if database:
                server.select_db(database)
            _send(client, sequence + 1, b"\0\0\0\2\0\0\0")
            _relay(client, server._sock)


@contextmanager
def opened(door: Door) -> Iterator[Door]:
    """The door, on a port of its own, while the block runs."""

    def serve(client: socket.socket) -> None:
        # Who goes away while the door speaks to him is the tests' business.
        with suppress(OSError, AssertionError, EOFError):
            door.serve(client)

    with _listening(serve) as port:
        door.port = port
        yield door


@contextmanager
def stripping(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A door that takes the offer of TLS out of the greeting of the server at `port`.

    Yields its own port, and what clients then sent.
    """
    sent: list[bytes] = []

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            sequence, greeting = _receive(server)
            # Protocol 10: version\0, thread id, 8 bytes, \0, then the lower capabilities.
            place = greeting.index(b"\0", 1) + 1 + 4 + 8 + 1
            (offered,) = struct.unpack_from("<H", greeting, place)
            words = struct.pack("<H", offered & ~CLIENT.SSL & 0xFFFF)
            _send(client, sequence, greeting[:place] + words + greeting[place + 2 :])
            with suppress(OSError, EOFError):
                sent.append(_receive(client)[1])

    with _listening(serve) as own:
        yield own, sent


def is_token_for(host: str, port: Callable[[], int], secret: str) -> Callable[[str, str], bool]:
    """Checks tokens as RDS does: host, port, user and signature; and that they were made just now."""

    def admits(user: str, token: str) -> bool:
        url = urlsplit(f"https://{token}")
        said = dict(parse_qsl(url.query))
        given = said.pop("X-Amz-Signature", "")
        at = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return (
            url.netloc == f"{host}:{port()}"
            and (said["Action"], said["DBUser"]) == ("connect", user)
            and (datetime.now(UTC) - at).total_seconds() < 10
            and int(said["X-Amz-Expires"]) == 900
            and hmac.compare_digest(given, _signature(url.netloc, said, secret))
        )

    return admits


def _signature(netloc: str, said: dict[str, str], secret: str) -> str:
    """Signature version 4 of a presigned request for ``/`` without a body."""
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(said.items()))
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{netloc}\n\nhost\n{empty}"
    scope = said["X-Amz-Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{said['X-Amz-Date']}\n{scope}\n{digest}"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _greeting(version: str, number: int, *, offers_tls: bool) -> bytes:
    offered = _OFFERED if offers_tls else _OFFERED & ~CLIENT.SSL
    return (
        b"\x0a"
        + version.encode()
        + b"\0"
        + struct.pack("<I", number)
        + b"salt----\0"
        + struct.pack("<HBHHB", offered & 0xFFFF, 45, 2, offered >> 16, 21)
        + b"\0" * 10
        + b"salt--------\0"
        + b"mysql_native_password\0"
    )


def _login(packet: bytes) -> tuple[str, str]:
    """User and database of a HandshakeResponse41."""
    (flags,) = struct.unpack_from("<I", packet)
    user, _, rest = packet[32:].partition(b"\0")
    rest = rest[1 + rest[0] :]  # the answer to the salt, never longer than its one byte can say
    database = rest.partition(b"\0")[0] if flags & CLIENT.CONNECT_WITH_DB else b""
    return user.decode(), database.decode()


def _send(to: socket.socket, sequence: int, payload: bytes) -> None:
    to.sendall(struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload)


def _receive(of: socket.socket) -> tuple[int, bytes]:
    head = _exactly(of, 4)
    return head[3], _exactly(of, int.from_bytes(head[:3], "little"))


def _exactly(of: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = of.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Hands on what comes from either end, until one of them ends."""
    ends = {one: other, other: one}
    while True:
        kept = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
        for end in kept or select.select(list(ends), [], [])[0]:
            data = end.recv(65536)
            if not data:
                return
            ends[end].sendall(data)


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        stack.callback(lambda: listener.shutdown(socket.SHUT_RDWR))
        yield listener.getsockname()[1]
