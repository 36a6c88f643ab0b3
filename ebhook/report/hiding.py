"""What no text may have: passwords, and control characters that a terminal would obey."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ebhook.errors import one_line
from ebhook.secret import Secret

# The password of any URL: an application has databases of its own, and says so when it fails.
_IN_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@'\"]*:)[^\s/@'\"]+(?=@)")

# What a terminal would obey, or show in another order; line ends and tabs are texts' own.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Hiding:
    """Takes known passwords out of texts, and shows control characters as escapes."""

    def __init__(self) -> None:
        self._secrets: dict[str, None] = {}

    def knows_password(self, password: Secret | None) -> None:
        if password is not None:
            found = {*self._secrets, *password.spellings()}
            self._secrets = dict.fromkeys(sorted(found, key=len, reverse=True))

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        if "://" in text:
            text = _IN_URL.sub(r"\1***", text)
        if not text.isprintable():
            text = _CONTROLS.sub(lambda found: one_line(found[0]), text)
        return text

    def document(self, document: Any) -> Any:
        """`document`, and all its texts like that."""
        if isinstance(document, str):
            return self.text(document)
        if isinstance(document, Mapping):
            return {key: self.document(value) for key, value in document.items()}
        if isinstance(document, (list, tuple)):
            return [self.document(value) for value in document]
        return document
