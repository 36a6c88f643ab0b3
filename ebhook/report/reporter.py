"""Where events go: lines for people, a live display on a terminal, JSON lines in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, TextIO

import msgspec

from ebhook.errors import EbhookError
from ebhook.events import (
    Event,
    LockTaken,
    LockWaiting,
    PasswordRead,
    PutBack,
    RevisionStarted,
    SurveyDone,
    TenantDone,
    UpgradeStarted,
)
from ebhook.report.documents import error_document
from ebhook.report.hiding import Hiding
from ebhook.report.lines import line_of
from ebhook.report.next_commands import NextCommands, plain
from ebhook.report.run_log import RunLog
from ebhook.report.screen import broken, coloured, columns, has_colours
from ebhook.tenant import Tenant


class Reporter:
    """Lines on `stream`, with a live display below them, and JSON lines in a file.

    Texts pass through `hide`, which takes known passwords out of what migrations print.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        live: bool,
        log: RunLog | None = None,
        commands: NextCommands | None = None,
    ) -> None:
        self.commands = commands or NextCommands()
        self._stream = stream
        self._hiding = Hiding()
        self._said = _Said()
        self._wants_live = live
        self._live: Any = None
        self._earlier: list[Event] = []
        self._log = log or RunLog(None)
        self._complain()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.close()
        if isinstance(error, EbhookError):
            # An env.py that fails may well say with which URL.
            error.what, error.state = map(self.hide, (error.what, error.state))
            error.next = error.next.map(self.hide)
            self.log({"event": "Error", **error_document(error, self.commands)})

    def knows(self, tenants: Iterable[Tenant]) -> None:
        """From now on the passwords of `tenants` are taken out of every text."""
        known = list(tenants)
        for password in dict.fromkeys(tenant.url.password for tenant in known):
            self._hiding.knows_password(password)

    def hide(self, text: str) -> str:
        return self._hiding.text(text)

    def hidden(self, document: Any) -> Any:
        """`document` with the known passwords taken out of all its texts."""
        return self._hiding.document(document)

    def emit(self, event: Event) -> None:
        if isinstance(event, PasswordRead):
            self._hiding.knows_password(event.password)
            return
        self.log(
            {"event": type(event).__name__, **msgspec.to_builtins(event, enc_hook=self._logged)}
        )
        if self._wants_live:
            self._show(event)
            if self._live is not None and isinstance(event, RevisionStarted):
                return  # the display has it; what stays on the screen is how each tenant ended
        if self._said.already(event):
            return
        line = line_of(event)
        if line is not None:
            self.say(line)

    def _logged(self, value: object) -> object:
        assert isinstance(value, EbhookError)
        return error_document(value, self.commands)

    def _show(self, event: Event) -> None:
        if self._live is None and isinstance(event, UpgradeStarted):
            # Not before: it would draw over a question, and costs an import.
            from ebhook.report.live import Live

            self._live = Live(self._stream)
            for before in self._earlier:
                self._live.show(before)
        if self._live is not None:
            self._live.show(event)
        elif isinstance(event, SurveyDone | TenantDone):
            self._earlier.append(event)

    def say(self, line: str) -> None:
        try:
            if self._live is not None:
                self._live.say(self.hide(plain(line)))
            else:
                width = columns() if self._stream.isatty() else None
                self._stream.write(self.hide(plain(broken(line, width))) + "\n")
                self._stream.flush()
        except OSError:
            pass  # the terminal went away: the work goes on

    def print(self, text: str) -> None:
        """A command's result, on standard output."""
        shown = self.hide(plain(broken(text, columns())))
        print(coloured(shown, colours=has_colours(sys.stdout)), flush=True)

    def log(self, document: Mapping[str, Any]) -> None:
        if self._log.is_open:
            self._log.write(self.hidden(document))
            self._complain()

    def _complain(self) -> None:
        """Says what is wrong with the log, once."""
        problem = self._log.complaint()
        if problem is not None:
            self.say(problem)


class _Said:
    """What a person has read already, and need not read again for each of a thousand tenants."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}
        self._put_back: set[str] = set()
        self._problems: set[str] = set()

    def already(self, event: Event) -> bool:
        match event:
            case LockWaiting(tenant, holder):
                # The holder once; after that only the live display counts down.
                if self._holders.get(tenant) == holder:
                    return True
                self._holders[tenant] = holder
            case LockTaken(tenant):
                self._put_back.discard(tenant)
            case PutBack(tenant):
                if tenant in self._put_back:
                    return True
                self._put_back.add(tenant)
            case TenantDone(tenant=tenant, seconds=0, error=EbhookError() as error):
                # It was never begun. Whom else the same has befallen is in the report.
                problem = str(error).replace(tenant, "")
                if problem in self._problems:
                    return True
                self._problems.add(problem)
            case _:
                pass
        return False
