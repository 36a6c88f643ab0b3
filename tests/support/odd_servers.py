"""Ports on which something listens that is no healthy server of MySQL: silent, or of another protocol."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

GREETING = (
    b"\x0a8.0.99\0\x01\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xc7\x15\0\0\0\0\0\0\0\0\0\0"
    b"ijklmnopqrst\0caching_sha2_password\0"
)


def _packet(body: bytes, number: int = 0) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


# What is sent to whoever connects, and whether the line is closed after that.
ODD: dict[str, tuple[bytes, bool]] = {
    "silent": (b"", False),
    "closes at once": (b"", True),
    "an empty packet": (_packet(b""), False),
    "a greeting cut short": (_packet(GREETING)[:20], True),
    "a greeting without its end": (_packet(GREETING[:12]), False),
    "silent after the greeting": (_packet(GREETING), False),
    "an error without a text": (_packet(b"\xff"), False),
    "an error with half a number": (_packet(b"\xff\x15"), True),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", True),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", False),
}


@dataclass
class OddServer:
    """`accepted` counts the connections that were made to it."""

    port: int
    accepted: int = 0
    open: list[socket.socket] = field(default_factory=list)


@contextmanager
def odd_server(said: bytes, closes: bool) -> Iterator[OddServer]:
    """Listens on a port of its own, says `said` to each client, and then nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        server = OddServer(int(listener.getsockname()[1]))

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server.accepted += 1
                    client.sendall(said)
                    if closes:
                        client.close()
                    else:
                        server.open.append(client)

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for client in server.open:
                client.close()
