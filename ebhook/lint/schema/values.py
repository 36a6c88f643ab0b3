"""Does a literal fit a column? As the servers judge it in strict mode."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation

from ebhook.lint.schema.schema import Column, Type

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_TEXTS = {"tinytext": 255, "tinyblob": 255}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?)?")


def problem(text: str, column: Column, *, zero_dates: bool) -> str | None:
    """Why `text` cannot be a value of `column`, in words; None when it can, or nobody can tell.

    Args:
        text: the literal's value, without quotes.
        zero_dates: the server takes '0000-00-00'.
    """
    kind = column.type
    if kind.name in _BITS:
        return _integer(text, kind)
    if kind.name == "decimal":
        return _decimal(text, kind)
    if kind.name == "year":
        value = _number(text)
        fits = value is not None and (0 <= value <= 99 or 1901 <= value <= 2155)
        return None if fits else f"{text} is no year from 1901 to 2155"
    if kind.name == "bit":
        bits = int(kind.arguments[0]) if kind.arguments and kind.arguments[0].isdigit() else 1
        value = _number(text)
        return (
            f"{text} does not fit into {bits} bits" if value and not 0 <= value < 2**bits else None
        )
    if kind.name in ("float", "double"):
        return None if _number(text) is not None else f"{text!r} is no number"
    if kind.name in ("varchar", "char"):
        most = int(kind.arguments[0]) if kind.arguments and kind.arguments[0].isdigit() else None
        too_long = most is not None and len(text) > most
        return f"{len(text)} characters do not fit into {most}" if too_long else None
    if kind.name == "enum":
        known = {one[1:-1].replace("''", "'").lower() for one in kind.arguments}
        return None if text.rstrip().lower() in known else f"{text!r} is none of its values"
    if kind.name in ("date", "datetime", "timestamp"):
        return _date(text, kind, zero_dates)
    return None


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


def _integer(text: str, kind: Type) -> str | None:
    value = _number(text)
    if value is None:
        return f"{text!r} is no number"
    bits = _BITS[kind.name]
    least, most = (0, 2**bits - 1) if kind.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return None if least <= round(value) <= most else f"{text} is out of range ({least} to {most})"


def _decimal(text: str, kind: Type) -> str | None:
    value = _number(text)
    if value is None:
        return f"{text!r} is no number"
    if len(kind.arguments) != 2 or not all(one.isdigit() for one in kind.arguments):
        return None
    before = int(kind.arguments[0]) - int(kind.arguments[1])
    return (
        None
        if abs(value) < 10**before
        else f"{text} has more than {before} digits before the point"
    )


def _date(text: str, kind: Type, zero_dates: bool) -> str | None:
    if not re.search(r"\d", text):
        return f"{text!r} is no date"
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None  # the servers read many other forms
    year, month, day = map(int, match.groups()[:3])
    if (month, day) == (0, 0) or month == 0 or day == 0:
        return None if zero_dates else f"{text!r} has no month or day (NO_ZERO_DATE)"
    try:
        date(year or 1, month, day)
    except ValueError:
        return f"there is no {text}"
    return (
        f"a TIMESTAMP begins in 1970, after {text}"
        if kind.name == "timestamp" and year < 1970
        else None
    )
