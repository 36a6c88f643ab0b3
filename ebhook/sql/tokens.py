"""MySQL's words: a statement cut into tokens, comments left out, and a cursor that walks them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ebhook.sql.statement import LETTER

THIS_DATABASE = "tenant"  # what lint's pretended server calls the agency's database

_TOKEN = re.compile(
    rf"""
    (?P<gap>   \s+ | --(?=\s|$)[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?P<string>  (?:[nNxXbB]|_\w+\s*)?'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" )
  | (?P<name>    `(?:[^`]|``)*` )
  | (?P<number>  (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?!{LETTER}) | 0[xX][0-9a-fA-F]+(?!{LETTER}) )
  | (?P<word>    (?:{LETTER}|@)+ )
  | (?P<mark>    [^\s] )
    """,
    re.S | re.X,
)
# Comments that the server runs: /*!80013 … */ and MariaDB's /*M! … */.
_EXECUTED = re.compile(r"/\*M?!\d*(.*?)\*/", re.S)


class Unreadable(Exception):
    """A statement that this is not able to read; the text says where it stopped."""


@dataclass(frozen=True)
class Token:
    kind: Literal["string", "name", "number", "word", "mark"]
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The word in capitals; empty for what is quoted."""
        return self.text.upper() if self.kind in ("word", "mark", "number") else ""


def tokenize(sql: str) -> tuple[str, list[Token]]:
    """The text that the tokens' places refer to, and the tokens."""
    text = _EXECUTED.sub(r" \1 ", sql)
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind != "gap":
            assert kind is not None
            tokens.append(Token(kind, match[0], match.start(), match.end()))  # type: ignore[arg-type]
    return text, tokens


def split(sql: str) -> list[str]:
    """The statements of a text. The body of a routine belongs to it, up to the end."""
    text, tokens = tokenize(sql)
    statements, start, words = [], 0, list[str]()
    for token in tokens:
        if token.word != ";":
            words.append(token.word)
            continue
        if words[:1] == ["CREATE"] and {"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"} & set(
            words[:12]
        ):
            break
        statements.append(text[start : token.start])
        start, words = token.end, []
    statements.append(text[start:])
    return [one for one in statements if tokenize(one)[1]]


class TokenCursor:
    """Walks the tokens of one statement; words are compared in capitals."""

    def __init__(self, sql: str) -> None:
        self.text, self.tokens = tokenize(sql)
        self.at = 0

    @property
    def token(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    @property
    def word(self) -> str:
        return self.ahead(0)

    @property
    def ended(self) -> bool:
        return self.at >= len(self.tokens)

    def ahead(self, count: int) -> str:
        place = self.at + count
        return self.tokens[place].word if place < len(self.tokens) else ""

    def next(self) -> Token:
        if self.ended:
            raise Unreadable("it ends too early")
        token = self.tokens[self.at]
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Steps over `words` if they are all next."""
        if all(self.ahead(place) == word for place, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def accept_any(self, *words: str) -> str:
        """Steps over the next word if it is one of `words`; which one, or nothing."""
        word = self.word
        if word in words:
            self.at += 1
            return word
        return ""

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.unexpected()

    def unexpected(self) -> Unreadable:
        token = self.token
        if token is None:
            return Unreadable("it ends too early")
        return Unreadable(f"at {self.text[token.start : token.start + 30]!r}")

    def name(self) -> str:
        """An identifier, quoted or not."""
        token = self.next()
        if token.kind == "name":
            return token.text[1:-1].replace("``", "`")
        if token.kind == "string" and token.text.startswith('"'):
            return token.text[1:-1].replace('""', '"')
        if token.kind in ("word", "number"):
            return token.text
        self.at -= 1
        raise self.unexpected()

    def qualified(self) -> str:
        """A table's name, with its database when that is another one than this."""
        name = self.name()
        if not self.accept("."):
            return name
        return self.name() if name == THIS_DATABASE else f"{name}.{self.name()}"

    def since(self, start: int) -> str:
        """The text from token number `start` to here."""
        if start >= self.at:
            return ""
        return self.text[self.tokens[start].start : self.tokens[self.at - 1].end]

    def skip_group(self) -> None:
        """Steps over a group in parentheses, the next token being the opening one."""
        depth = 0
        while True:
            word = self.next().word
            depth += (word == "(") - (word == ")")
            if depth == 0:
                return

    def skip_until(self, *words: str) -> None:
        """Steps on to one of `words` outside of parentheses, or to the end."""
        while not self.ended and self.word not in words:
            if self.word == "(":
                self.skip_group()
            else:
                self.at += 1

    def listed(self, one: Callable[[], object]) -> list[object]:
        """``(a, b)``: what `one` reads, several times, in parentheses."""
        self.expect("(")
        found = [one()]
        while self.accept(","):
            found.append(one())
        self.expect(")")
        return found

    def names(self) -> tuple[str, ...]:
        return tuple(str(one) for one in self.listed(self.name))


def text_of_string(token: Token) -> str:
    """The value of a string token."""
    text = token.text[token.text.index(token.text[-1]) :]
    quote = text[0]
    body = text[1:-1].replace(quote * 2, quote)
    return re.sub(r"\\(.)", r"\1", body, flags=re.S)
