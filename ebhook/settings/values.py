"""One value: from what somebody wrote to what it means, or what it has to be instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from ebhook.database.url import UrlInvalid, fill, parse_url
from ebhook.secret import Secret
from ebhook.settings.schema import KEYS

_WAVES = (
    "a list of waves, each with a name and tenants or group, and perhaps workers, max_failures and "
    "on_error (stop, continue)"
)


@dataclass(frozen=True)
class Given:
    """A value as somebody wrote it. `text`: in a variable, which has no other type."""

    raw: Any
    origin: str
    text: bool


def convert(key: str, given: Given) -> Any:
    wanted, raw = KEYS[key], given.raw
    if given.text:
        if not _is_unicode(raw):
            raise ValueError("is not UTF-8")
        if "WaveSettings" in str(wanted):
            raw = _from_json(raw)
        elif "tuple" in str(wanted):
            raw = tuple(item for item in (part.strip() for part in raw.split(",")) if item)
        elif raw == "":
            raise ValueError("is empty; unset it, or give it a value")
    try:
        value = msgspec.convert(raw, wanted, strict=not given.text, dec_hook=_decode)
    except msgspec.ValidationError:
        shown = "" if "Secret" in str(wanted) else f", not {_shown(raw)}"
        raise ValueError(f"must be {_expected(wanted)}{shown}") from None
    if isinstance(value, Secret):
        _check_url(key, value.reveal())
    if key == "chain.ticket":
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
    return value


def _from_json(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text.strip() else []
    except msgspec.DecodeError:
        raise ValueError(f"must be JSON, {_WAVES}, not {_shown(text)}") from None


def _is_unicode(text: str) -> bool:
    """False for what the environment has in bytes that are no UTF-8."""
    return text == text.encode("utf-8", "replace").decode()


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError


def _check_url(key: str, text: str) -> None:
    try:
        if key == "tenants.url":
            fill(text, "tenant")
        else:
            parse_url(text)
    except UrlInvalid as error:
        raise ValueError(str(error)) from None


def _expected(kind: Any) -> str:
    """What a value of a setting has to be, in its user's words."""
    from msgspec import inspect

    info = inspect.type_info(kind)
    if isinstance(info, inspect.UnionType):
        info = next(one for one in info.types if not isinstance(one, inspect.NoneType))
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=least, le=most):
            return f"a whole number, {least} or more" + (f", at most {most}" if most else "")
        case inspect.FloatType(ge=least, gt=above, le=most):
            start = f"{least:g} or more" if least is not None else f"above {above:g}"
            return f"a number of seconds, {start}, at most {most}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.VarTupleType(item_type=inspect.StructType()):
            return _WAVES
        case inspect.VarTupleType(item_type=inspect.LiteralType(values=values)):
            return f"a list of {' and '.join(map(repr, values))}, one at least"
        case inspect.VarTupleType():
            return 'a list of texts, none of them empty: ["…", "…"]'
        case inspect.StrType(pattern=str()):
            return "a table's name of at most 64 letters, digits, _ or $"
        case inspect.StrType():
            return "text, and not empty"
    return "text"


def _shown(raw: Any) -> str:
    """A wrong value as its file or variable has it, cut short."""
    text = msgspec.json.encode(raw).decode()
    return text if len(text) <= 60 else text[:59] + "…"


def similar(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""
