"""A loopback proxy that understands just enough of MySQL's protocol to strike at one statement.

It sits between ebhook and the server. For every statement of a session it asks its plan whether and
where to strike: before the server sees it, while the server runs it, or when the server has answered
and the client has not heard it. What a strike does is the test's business: kill a process, end the
session, cut the line, or let everything fall silent.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from tests.conftest import AnyServer

COM_QUERY = 3  # the command that carries a statement
_WITH_DATABASE, _TLS, _SECURE, _LENENC = 0x8, 0x800, 0x8000, 0x200000  # capabilities of the client


class Where(Enum):
    """The moment of a strike, seen from one statement."""

    BEFORE = "before"  # the server has not seen it
    INSIDE = "inside"  # the server has it, and may be running it
    AFTER = "after"  # the server is done with it, and the client does not know


class Fate(Enum):
    """What becomes of a session after a strike."""

    ON = "goes on"
    CUT = "both ends are closed"
    SILENCE = "both ends stay open, and nothing passes any more"


@dataclass(eq=False)
class Session:
    """One client's connection. `id` is the server's own number for it (CONNECTION_ID())."""

    client: socket.socket
    server: socket.socket
    id: int = 0
    database: str = ""
    count: int = 0  # statements so far
    first: int = 0  # for plans: the statement that they count from
    withheld: threading.Event = field(default_factory=threading.Event)  # an answer is kept back
    withhold: bool = False
    pass_on: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        """The proxy's own."""
        return int(self.client.getsockname()[1])

    @property
    def client_port(self) -> int:
        return int(self.client.getpeername()[1])

    def close(self) -> None:
        self.pass_on.set()
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass(frozen=True)
class Query:
    """A statement on its way to the server; `number` counts from 1 in its session."""

    session: Session
    number: int
    text: str

    @property
    def database(self) -> str:
        return self.session.database


Strike = tuple[Where, Callable[[Query], Fate]]
Plan = Callable[[Query], Strike | None]


@dataclass
class Proxy:
    """Listens while the block runs; `port` is where ebhook is sent. `plan` may be changed at will."""

    target: AnyServer
    plan: Plan = lambda query: None
    sessions: list[Session] = field(default_factory=list)
    down: bool = False  # refuses everybody, as behind a cut network

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._closing = False
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for session in self.sessions:
            session.close()

    def url(self, template: str) -> str:
        """A URL of the server, leading here instead."""
        return template.replace(f":{self.target.port}/", f":{self.port}/")

    def cut(self) -> None:
        """Closes every session."""
        for session in list(self.sessions):
            session.close()

    def _accept(self) -> None:
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.down:
                    raise ConnectionRefusedError
                server = socket.create_connection((self.target.host, self.target.port), timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(client, server)
            self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        with suppress(OSError):
            self._log_in(session)
            threading.Thread(target=self._answers, args=(session,), daemon=True).start()
            self._questions(session)
        session.close()

    def _log_in(self, session: Session) -> None:
        greeting = read_packet(session.server)
        version_end = greeting.index(b"\0", 5)
        (session.id,) = struct.unpack_from("<I", greeting, version_end + 1)
        session.client.sendall(without_tls(greeting, version_end + 1 + 4 + 8 + 1))
        response = read_packet(session.client)
        session.database = database_of(response[4:])
        session.server.sendall(response)

    def _questions(self, session: Session) -> None:
        """From the client to the server, packet by packet."""
        while packet := read_packet(session.client):
            if packet[3] == 0 and packet[4:5] == bytes([COM_QUERY]):
                session.count += 1
                text = packet[5:].decode("utf-8", "replace")
                query = Query(session, session.count, text)
                strike = self.plan(query)
                if strike is not None:
                    if not self._strike(query, packet, *strike):
                        return
                    continue
            session.server.sendall(packet)

    def _strike(
        self, query: Query, packet: bytes, where: Where, act: Callable[[Query], Fate]
    ) -> bool:
        """Strikes; False when the session is over."""
        session = query.session
        session.withheld.clear()
        session.pass_on.clear()
        session.withhold = where is Where.AFTER
        if where is not Where.BEFORE:
            session.server.sendall(packet)
        if where is Where.AFTER:
            session.withheld.wait()
        fate = act(query)
        if fate is Fate.SILENCE:
            session.withhold = True
            session.pass_on.wait()
        if fate is not Fate.ON:
            return False
        if where is Where.BEFORE:
            session.server.sendall(packet)
        session.withhold = False
        session.pass_on.set()
        return True

    def _answers(self, session: Session) -> None:
        """From the server to the client, as it comes."""
        with suppress(OSError):
            while data := session.server.recv(65536):
                if session.withhold:
                    session.withheld.set()
                    session.pass_on.wait()
                session.client.sendall(data)
        if session.withhold:
            session.withheld.set()
            session.pass_on.wait()
        with suppress(OSError):
            session.client.shutdown(socket.SHUT_RDWR)


def read_packet(end: socket.socket) -> bytes:
    """One packet with its header; empty at the end of the stream."""
    head = _exactly(end, 4)
    return head + _exactly(end, int.from_bytes(head[:3], "little")) if head else b""


def _exactly(end: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = end.recv(size - len(parts))
        if not part:
            return b""
        parts += part
    return parts


def without_tls(greeting: bytes, at: int) -> bytes:
    """The server's greeting, with no offer of TLS in its capabilities at `at`."""
    (flags,) = struct.unpack_from("<H", greeting, at)
    return greeting[:at] + struct.pack("<H", flags & ~_TLS) + greeting[at + 2 :]


def database_of(response: bytes) -> str:
    """The database that a client logs in to (HandshakeResponse41)."""
    (flags,) = struct.unpack_from("<I", response)
    if not flags & _WITH_DATABASE:
        return ""
    at = response.index(b"\0", 32) + 1
    if flags & (_LENENC | _SECURE):
        at += 1 + response[at]  # as PyMySQL sends it: shorter than 251 bytes
    else:
        at = response.index(b"\0", at) + 1
    return response[at : response.index(b"\0", at)].decode()
