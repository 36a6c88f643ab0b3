"""A loopback proxy that spreads one client's statements over two sessions, as read/write splitters do."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.err import MySQLError

from tests.conftest import AnyServer
from tests.support.proxy import COM_QUERY, database_of, read_packet, without_tls

_OK, _MORE, _EOF, _ERROR = 0x00, 0x01, 0xFE, 0xFF  # the first byte of an answer
_READS = re.compile(r"\s*(/\*.*?\*/\s*)*SELECT\b(?!.*\bFOR UPDATE\b)", re.IGNORECASE | re.DOTALL)


def reads(text: str) -> bool:
    """What read/write splitters send to a replica: SELECT, but not one that locks rows."""
    return _READS.match(text) is not None


@dataclass
class SplittingProxy:
    """Listens while the block runs; `port` is where ebhook is sent.

    Each client logs in to `first`, and gets one more session on `second` (which may be the same
    server). `to_second` decides for each statement; its answer comes from the session it went to.
    """

    first: AnyServer
    second: AnyServer
    to_second: Callable[[str], bool] = reads
    autocommit: bool = True  # of the sessions on `second`
    statements: list[tuple[bool, str]] = field(default_factory=list)  # (went to second, text)

    def __enter__(self) -> SplittingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def url(self, template: str) -> str:
        """A URL of the first server, leading here instead."""
        return template.replace(f":{self.first.port}/", f":{self.port}/")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, MySQLError):  # either end may leave at any time
            server = socket.create_connection((self.first.host, self.first.port), timeout=30)
            with server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                database = _log_in(client, server)
                other: Connection[Any] = self.second.connect(
                    database=database or None,
                    autocommit=self.autocommit,
                    client_flag=CLIENT.FOUND_ROWS,
                )
                with other:
                    self._statements(client, server, other._sock)  # type: ignore[attr-defined]

    def _statements(self, client: socket.socket, first: socket.socket, second: Any) -> None:
        while packet := read_packet(client):
            target = first
            if packet[4] == COM_QUERY:
                text = packet[5:].decode("utf-8", "replace")
                other = self.to_second(text)
                self.statements.append((other, text))
                target = second if other else first
            target.sendall(packet)
            _pass_answer(target, client)


def _log_in(client: socket.socket, server: socket.socket) -> str:
    """Passes the login on; the database that it asks for."""
    greeting = read_packet(server)
    client.sendall(without_tls(greeting, greeting.index(b"\0", 5) + 1 + 4 + 8 + 1))
    response = read_packet(client)
    if not response:
        raise ConnectionResetError
    server.sendall(response)
    while answer := read_packet(server):
        client.sendall(answer)
        if answer[4] in (_OK, _ERROR):
            break
        if answer[4:6] != bytes([_MORE, 3]):  # all but "the password is known": a question
            server.sendall(read_packet(client))
    return database_of(response[4:])


def _pass_answer(server: socket.socket, client: socket.socket) -> None:
    """One whole answer: OK, an error, or columns and rows with an EOF packet behind each."""
    ends = 0
    while ends < 2 and (packet := read_packet(server)):
        client.sendall(packet)
        if packet[4] == _ERROR or (ends == 0 and packet[3] == 1 and packet[4] == _OK):
            return
        ends += packet[4] == _EOF and len(packet) < 4 + 9
