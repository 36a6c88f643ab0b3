"""Hears each statement of a dry run: what changes something is noted and not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from alembic.ddl.base import AddColumn
from pymysql.cursors import Cursor

from ebhook.chain.revision import Revision
from ebhook.database.connection import Connection
from ebhook.results import PlannedStatement
from ebhook.sql.masking import masked
from ebhook.sql.statement import Kind, kind_of


@dataclass
class DryRunListener:
    """Runs what reads, in place of the rest a statement that does nothing. `statements` has the rest."""

    connection: Connection
    statements: list[PlannedStatement] = field(default_factory=list, init=False)
    running: str | None = field(default=None, init=False)  # the revision whose own code runs
    adds_column: bool = field(default=False, init=False)  # the next one
    returning: int = field(default=0, init=False)  # columns of the rows that the next one returns
    refusal: Exception | None = field(default=None, init=False)
    lost: bool = field(default=False, init=False)
    opening: set[str] = field(default_factory=set, init=False)
    failed: None = field(default=None, init=False)
    last: None = field(default=None, init=False)  # nothing is recorded

    @property
    def wire(self) -> AbstractContextManager[None]:
        return nullcontext()

    def kept_alive(self) -> AbstractContextManager[None]:
        return nullcontext()

    def opened(self, locked: sa.Connection) -> None:
        self.statements.clear()  # SQLAlchemy's own, for the connection
        locked.dialect.supports_sane_rowcount = False

    @contextmanager
    def revision(self, revision: Revision, kind: str) -> Iterator[None]:
        self.running = revision.id
        try:
            yield
        finally:
            self.running = None

    def version_moves(self, revision: str, *, is_last: bool) -> None:
        pass

    def cut_short(self) -> None:
        pass

    def before_cursor_execute(
        self, connection: Any, cursor: Any, sql: str, values: Any, context: Any, many: bool
    ) -> None:
        compiled = getattr(context, "compiled", None)
        self.adds_column = isinstance(getattr(compiled, "statement", None), AddColumn)
        self.returning = len(getattr(compiled, "effective_returning", None) or ())

    def statement(self, cursor: Cursor, text: str, query: Callable[[str], Any]) -> None:
        returning, self.returning = self.returning, 0
        adds_column, self.adds_column = self.adds_column, False
        if kind_of(text) is Kind.READ:
            query(text)
            return
        self.statements.append(PlannedStatement(masked(text), self.running, adds_column))
        query(f"SELECT {', '.join(['NULL'] * returning)}" if returning else "DO 0")

    def refuse(self, error: Exception) -> None:
        if self.refusal is None:
            self.refusal = error

    def was_told(self, text: str) -> bool:
        return text in self.opening

    def forget_refused_downgrade(self) -> None:
        pass

    def before_commit(self) -> None:
        pass

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def moved(self) -> None:
        pass

    def set_by_driver(self) -> None:
        pass
