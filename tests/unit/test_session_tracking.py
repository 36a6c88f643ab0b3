"""What the server tells of a session, read from the rest of an OK packet."""

from __future__ import annotations

import random

import pytest

from ebhook.database.session_tracking import NOTHING, UNKNOWN, SessionChange, told

# As MySQL 9.7 and MariaDB 10.11 sent them.
SET = b'\x00"\x00\n\x08sql_mode\x00\x00\x11\ttime_zone\x06+01:00\x02\x011'
USE = b"\x00\x1e\x00\x11\x0cstatement_id\x03109\x01\x06\x05mysql\x02\x011"


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (None, NOTHING),
        (b"", NOTHING),
        (b"\x00", NOTHING),
        (b"\x04Rows", NOTHING),
        (SET, SessionChange((("sql_mode", ""), ("time_zone", "+01:00")), None, True)),
        (USE, SessionChange((), "mysql", True)),
        (b"\x00\x0b\x05\x09\x08T___W___", NOTHING),  # the transaction's state is of no interest
        (b"\x00\xfc\x03\x00\x02\x011", UNKNOWN),  # a length of two bytes
    ],
)
def test_a_change_is_read(message: bytes | None, change: SessionChange) -> None:
    """System variables with their values, the schema, and whether anything else changed."""
    assert told(message) == change


@pytest.mark.parametrize(
    "message",
    [
        SET[:-1],
        SET + b"x",
        b"\x00\x05\x02\x011",
        b"\xff",
        b"\x00\xfb",
        b"\x00\x03\x02\x01x",
        "text",
    ],
)
def test_what_cannot_be_read_is_unknown(message: bytes | str) -> None:
    """Unknown is a change, never none."""
    assert told(message) == UNKNOWN


def test_no_bytes_break_it() -> None:
    """Whatever a proxy makes of a packet."""
    chance = random.Random(7)
    for message in (SET, USE):
        for _ in range(500):
            damaged = bytearray(message)
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            assert isinstance(told(bytes(damaged)), SessionChange)


def test_the_last_value_counts() -> None:
    """Several statements' changes in one."""
    first = SessionChange((("a", "1"), ("b", "1")), "one", False)
    assert first.then(SessionChange((("a", "2"),), None, True)) == SessionChange(
        (("b", "1"), ("a", "2")), "one", True
    )
