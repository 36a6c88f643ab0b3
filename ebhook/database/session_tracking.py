"""What a statement did to its session, as the server tells it.

With the client flag CLIENT_SESSION_TRACK and the variables of `TRACK`, the OK packet of a statement
that changed the session has, behind its info string, a length-encoded block of entries (MySQL manual,
"Protocol: OK packet"; MariaDB has the same). PyMySQL leaves both in the result's ``message``.

Not told are assignments in expressions (``SELECT … INTO @q``, ``@n := 3``): their text says it. A
statement that ends with rows has no OK packet: MySQL tells with the next one that has; MariaDB does
not tell.
"""

from __future__ import annotations

from dataclasses import dataclass

# For a SET SESSION statement. What is told does not depend on privileges.
TRACK = (
    "session_track_system_variables = '*', session_track_state_change = ON, "
    "session_track_schema = ON"
)

_SYSTEM_VARIABLE, _SCHEMA, _STATE = 0, 1, 2  # types of entries; others are of no interest
_LENGTHS = {252: 2, 253: 3, 254: 8}  # first byte of a length → how many bytes follow with it
_OFF = ("session_track_system_variables", "session_track_state_change")


@dataclass(frozen=True)
class SessionChange:
    """What one statement, or several, changed in their session.

    `variables` are system variables in lower case with their new values as text (None: their default). `state` is whether anything else changed that only this session has: user variables,
    temporary tables, prepared statements.
    """

    variables: tuple[tuple[str, str | None], ...] = ()
    schema: str | None = None
    state: bool = False

    def then(self, later: SessionChange) -> SessionChange:
        """Both changes, one after the other."""
        if later == NOTHING:
            return self
        known = dict(self.variables)
        for name, value in later.variables:
            known.pop(name, None)
            known[name] = value
        return SessionChange(
            tuple(known.items()), later.schema or self.schema, self.state or later.state
        )

    @property
    def ends_tracking(self) -> bool:
        """Did a statement switch off what the journal relies on?"""
        return any(name in _OFF for name, _ in self.variables)


NOTHING = SessionChange()
UNKNOWN = SessionChange(state=True)


def told(message: bytes | bytearray | str | None) -> SessionChange:
    """The change that `message` tells of: what follows the warnings in an OK packet.

    What cannot be read is `UNKNOWN`, never nothing.
    """
    if not message:
        return NOTHING
    if isinstance(message, str):
        return UNKNOWN
    data = bytes(message)
    try:
        return _parsed(data)
    except (IndexError, ValueError):
        return UNKNOWN


def _parsed(data: bytes) -> SessionChange:
    _, rest = _text(data)  # the info string
    if not rest:
        return NOTHING
    block, rest = _text(rest)
    if rest:
        raise ValueError("something follows the block")
    change = NOTHING
    while block:
        kind, (entry, block) = block[0], _text(block[1:])
        change = change.then(_entry(kind, entry))
    return change


def _entry(kind: int, entry: bytes) -> SessionChange:
    if kind == _SYSTEM_VARIABLE:
        pairs: list[tuple[str, str | None]] = []
        while entry:
            name, entry = _text(entry)
            value, entry = _text(entry)
            pairs.append((name.decode().lower(), value.decode()))
        # MySQL counts the session's statements by this one.
        return SessionChange(tuple(pair for pair in pairs if pair[0] != "statement_id"))
    if kind == _SCHEMA:
        schema, rest = _text(entry)
        if rest:
            raise ValueError("something follows the schema")
        return SessionChange(schema=schema.decode())
    if kind == _STATE:
        if entry not in (b"0", b"1"):
            raise ValueError("no flag of a changed state")
        return SessionChange(state=entry == b"1")
    return NOTHING


def _text(data: bytes) -> tuple[bytes, bytes]:
    """A length-encoded string, and what follows it."""
    first, size = data[0], 0
    if first >= 251:
        size = _LENGTHS.get(first, 0)
        if not size or len(data) < 1 + size:
            raise ValueError("no length")
    length = int.from_bytes(data[1 : 1 + size], "little") if size else first
    start = 1 + size
    if len(data) < start + length:
        raise ValueError("shorter than it says")
    return data[start : start + length], data[start + length :]
