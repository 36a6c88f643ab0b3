"""A further connection of the engine that migrations run on: it reads by the locked one, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pymysql.cursors import Cursor

from ebhook.sql.statement import Kind, kind_of
from ebhook.upgrade.interception import ConnectionListener


class SecondConnectionRefused(Exception):
    """A statement that changes something, on a connection that has no lock."""


@dataclass(frozen=True)
class ReadingListener:
    """Hears a second connection. What a connection is told when it opens, the first one was told."""

    first: ConnectionListener

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        kind = kind_of(text)
        if kind is Kind.READ:
            self.first.statement(cursor, text, query)
        elif kind is Kind.SESSION and self.first.was_told(text):
            query("DO 0")
        else:
            refusal = SecondConnectionRefused(" ".join(text.split())[:200])
            self.first.refuse(refusal)
            raise refusal

    @property
    def wire(self) -> AbstractContextManager[Any]:
        return self.first.wire

    def was_told(self, text: str) -> bool:
        return self.first.was_told(text)

    def refuse(self, error: Exception) -> None:
        self.first.refuse(error)

    def before_commit(self) -> None:
        pass

    def commit(self) -> None:
        """The transaction is the first one's."""

    def rollback(self) -> None:
        pass

    def set_by_driver(self) -> None:
        pass

    def moved(self) -> None:
        self.refuse(refusal := SecondConnectionRefused("USE of another database"))
        raise refusal
